"""A runner of Hypothesis state machines without a test framework."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from .keyboard import at_steps

_SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)


def failure_of(machine: type[RuleBasedStateMachine], *, examples: int, steps: int) -> Exception | None:
    """Return the error of the shortest failing run, None if all passed; the examples differ each time."""
    chosen: Any = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=_SLOW,
    )
    try:
        with at_steps():
            run_state_machine_as_test(machine, settings=chosen)
    except Exception as error:
        return error
    return None
