"""The machines find what the kit finds: planted faults, without a case that was written for them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from otelq.memory import adapter
from otelq.testing.machines import ChainMachine, LifeMachine, on

from ..conformance.faults import FAULTS

BY_NAME = {fault.name: fault for fault in FAULTS}
# Enough to find each of these; nothing is shrunk, for the way there does not matter.
ENOUGH = settings(
    max_examples=400,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
LIFE = [
    "checks_no_token",
    "claims_by_id_alone",
    "claims_early",
    "claims_every_suspect",
    "claims_without_a_limit",
    "counts_a_retry_for_a_crash",
    "counts_no_crash",
    "forgets_to_give_an_attempt_back",
    "forgives_spent_attempts",
    "keeps_everything",
    "knows_no_lost_reply",
    "reaps_what_lives",
    "renews_past_the_deadline",
    "reports_a_close_twice",
    "spares_nobody",
    "triggers_silently",
]
CHAINS = [
    "claims_what_is_blocked",
    "counts_two_blockers_of_a_batch_once",
    "deletes_what_others_wait_for",
    "fails_one_level_alone",
    "frees_no_key",
    "frees_the_key_with_the_first_job",
    "leaves_the_dependents_of_failures",
    "lets_go_twice",
    "lets_go_where_a_blocker_failed",
    "lets_go_with_a_continuation",
    "lets_go_with_the_first_blocker",
    "sorts_outputs_by_id",
    "waits_for_what_closed_before",
]


@pytest.mark.parametrize("name", LIFE)
def test_the_life_machine_finds_a_fault(name: str) -> None:
    _finds(LifeMachine, name)


@pytest.mark.parametrize("name", CHAINS)
def test_the_chain_machine_finds_a_fault(name: str) -> None:
    _finds(ChainMachine, name)


def _finds(machine: type[LifeMachine] | type[ChainMachine], name: str) -> None:
    with BY_NAME[name].planted(), pytest.raises(Exception):  # noqa: B017, PT011  # whatever it trips over
        run_state_machine_as_test(on(machine, lambda: adapter("memory://")), settings=ENOUGH)
