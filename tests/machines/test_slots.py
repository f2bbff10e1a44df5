"""A worker and its places, on real stores. OTELQ_MACHINE_EXAMPLES asks for more runs than the few of every day."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from otelq.model import Verb
from otelq.sqlite import adapter
from otelq.worker.fetcher import Fetcher
from otelq_verify.machines import SlotMachine, on

from .test_machines import EVERY_DAY, EXAMPLES, ROUNDS, _factory

# Nothing is shrunk: what does not happen is waited for, at each step again.
FEW = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    derandomize=EVERY_DAY,
    database=None,
    report_multiple_bugs=False,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
VERBS = {Verb.CLAIM, Verb.COMPLETE, Verb.CONTINUE, Verb.FAIL, Verb.RETRY, Verb.SNOOZE, Verb.BLOCK, Verb.RELEASE}
"""All that a worker makes of its attempts."""


@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
@pytest.mark.timeout(60 + 4 * EXAMPLES)
def test_a_worker_fills_its_places_as_the_model_allows(backend: str) -> None:
    seen: set[Verb] = set()
    for number in range(ROUNDS):
        bound = on(SlotMachine, _factory(backend))
        run_state_machine_as_test(seed(number)(bound) if EVERY_DAY else bound, settings=FEW)
        seen |= set(bound.seen)
        if seen >= VERBS:
            return
    pytest.fail(f"no attempt came to {VERBS - seen}")


def _never_starts(_: Fetcher) -> None:
    pass


def test_a_worker_that_does_not_look_for_work_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelq_verify.machines.slots.PATIENCE", 0.2)
    monkeypatch.setattr(Fetcher, "start", _never_starts)

    with pytest.raises(AssertionError, match="work and free slots do not meet"):
        run_state_machine_as_test(on(SlotMachine, lambda: adapter("memory://")), settings=FEW)
