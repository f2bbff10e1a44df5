"""Runs of the machines without a test framework, with a report for people."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from otelq.model import Verb
from otelq.ports.state import StateAdapter

from ..keyboard import at_steps
from .machine import StoreMachine, on


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one machine: how often it made each verb, and the shortest way to a failure, if there is one."""

    name: str
    seen: Counter[Verb]
    failure: str | None

    @property
    def passed(self) -> bool:
        return self.failure is None

    def __str__(self) -> str:
        mark = "ok  " if self.passed else "FAIL"
        line = f"{mark}  {self.name}: {self.seen.total():,} transitions of {len(self.seen)} verbs"
        return line if self.failure is None else f"{line}\n\n{self.failure}"


def run_machines(
    machines: Sequence[type[StoreMachine]], factory: Callable[[], StateAdapter], *, examples: int, steps: int
) -> Iterator[Run]:
    """Run machines one after the other, each for so many examples of up to so many steps, other ones every time."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    for machine in machines:
        bound = on(machine, factory)
        failure = _failure(bound, chosen)
        yield Run(machine.__name__, bound.seen, failure)


def _failure(bound: type[StoreMachine], chosen: settings) -> str | None:
    try:
        with at_steps():
            run_state_machine_as_test(bound, settings=chosen)
    except Exception as error:
        return "".join(traceback.format_exception(error))
    return None
