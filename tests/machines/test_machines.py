"""The state machines on every adapter. OTELQ_MACHINE_EXAMPLES asks for more runs than the few of every day."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from otelq.model import Verb
from otelq.ports.state import StateAdapter
from otelq.sqlite import adapter
from otelq_verify.machines import IN_LOCK_STEP, Machine, QueryMachine, on, pair

EXAMPLES = int(os.environ.get("OTELQ_MACHINE_EXAMPLES", "10"))
EVERY_DAY = "OTELQ_MACHINE_EXAMPLES" not in os.environ
"""The few runs of every day are the same ones every time, so that they make every verb, or never do."""
ROUNDS = 4
"""One is nearly always enough for every verb; a rare one may be missing in it."""
FEW = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    derandomize=EVERY_DAY,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
COMPARABLE = [machine for machine in IN_LOCK_STEP if machine is not QueryMachine]  # pages may end elsewhere


@pytest.mark.timeout(120 + 12 * EXAMPLES)
def test_adapter_and_model_agree_on_every_verb(backend: str) -> None:
    seen: set[Verb] = set()
    for number in range(ROUNDS):
        for machine in IN_LOCK_STEP:
            bound = seed(number)(on(machine, _factory(backend))) if EVERY_DAY else on(machine, _factory(backend))
            run_state_machine_as_test(bound, settings=FEW)
            seen |= set(bound.seen)
        if seen == set(Verb):
            return
    pytest.fail(f"no rule of any machine made {set(Verb) - seen}")


@pytest.mark.parametrize("machine", COMPARABLE)
@pytest.mark.parametrize("backend", ["postgres18"], indirect=True)
@pytest.mark.timeout(120 + 12 * EXAMPLES)
def test_two_adapters_answer_alike(machine: type[Machine], backend: str) -> None:
    other = _factory(backend)
    run_state_machine_as_test(on(machine, lambda: pair(adapter("memory://"), other())), settings=FEW)


def _factory(url: str) -> Callable[[], StateAdapter]:
    scheme = url.split(":", 1)[0]
    make = import_module("otelq.postgres" if scheme.startswith("postgres") else f"otelq.{scheme}").adapter
    return lambda: make(url)
