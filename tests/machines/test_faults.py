"""The machines find what the kit finds: planted faults, without a case that was written for them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import run_state_machine_as_test

from otelq.sqlite import adapter
from otelq_verify.machines import ChainMachine, DedupMachine, LifeMachine, Machine, QueryMachine, on

from ..conformance.faults import FAULTS

BY_NAME = {fault.name: fault for fault in FAULTS}
# Enough to find each of these; nothing is shrunk, for the way there does not matter.
ENOUGH = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
FOUND: dict[type[Machine], list[str]] = {
    LifeMachine: [
        "checks_no_token",
        "claims_before_the_due_time",
        "claims_what_runs",
        "counts_whatever_is_put_back_for_a_crash",
        "gives_no_attempt_back",
        "grants_every_successor",
        "knows_no_lost_reply_that_closed",
        "knows_no_priority",
        "records_no_attempt",
        "redrives_completed_chains",
        "renews_past_the_deadline",
        "reports_an_external_completion_twice",
        "takes_over_nothing",
        "triggers_silently",
    ],
    ChainMachine: [
        "goes_with_the_first_blocker",
        "ignores_every_bad_end",
        "unblocks_with_the_first_blocker",
        "sorts_outputs_by_id",
        "leaves_the_dependents_of_failures",
        "ignores_the_rule_to_wait",
        "waits_for_any_that_is_open",
        "waits_for_what_closed_before",
    ],
    DedupMachine: [
        "gives_closed_holders_to_all",
        "keeps_no_key_after_the_end",
        "knows_no_exclusion",
        "knows_no_window",
        "decides_each_start_of_a_batch_alone",
        "shares_keys_among_types",
        "takes_no_key_back",
        "takes_the_key_from_others",
    ],
    QueryMachine: [
        "ends_for_good_where_it_looked_enough",
        "filters_no_status",
        "filters_no_tag",
        "filters_no_tenant",
    ],
}
"""Which machine finds which faults soon."""

FOUND_LATER: dict[type[Machine], list[str]] = {
    LifeMachine: [
        "amends_no_priority",
        "amends_no_time",
        "amends_what_runs",
        "cancels_nothing",
        "deletes_nothing",
        "hands_the_time_to_expire_on",
        "keeps_the_attempts",
        "keeps_the_plan",
    ],
    ChainMachine: [
        "claims_what_is_blocked",
        "continues_without_blockers",
        "deletes_what_others_wait_for",
        "fails_with_every_bad_blocker",
        "forgets_the_rule",
        "looks_at_the_next_chain_alone",
        "redrives_one_after_the_other",
        "refuses_only_itself",
        "waits_for_no_blockers_again",
        "waits_for_the_last_blocker",
        "waits_for_what_can_never_be",
    ],
    DedupMachine: [
        "frees_no_key",
    ],
    QueryMachine: [
        "filters_no_payload",
        "filters_no_text",
        "filters_no_type",
        "forgets_the_ids",
        "takes_the_first_tag_for_all",
    ],
}
"""Those that it takes longer to find."""


def _finds(machine: type[Machine], name: str) -> None:
    with BY_NAME[name].planted(), pytest.raises(Exception) as found:  # noqa: PT011  # whatever it trips over
        run_state_machine_as_test(on(machine, lambda: adapter("memory://")), settings=ENOUGH)
    assert not isinstance(found.value, FlakyStrategyDefinition), "the search was interrupted"


@pytest.mark.parametrize("machine, name", [(machine, name) for machine, names in FOUND.items() for name in names])
def test_a_machine_finds_a_fault(machine: type[Machine], name: str) -> None:
    _finds(machine, name)


@pytest.mark.verify
@pytest.mark.parametrize("machine, name", [(machine, name) for machine, names in FOUND_LATER.items() for name in names])
def test_a_machine_finds_a_fault_in_the_end(machine: type[Machine], name: str) -> None:
    _finds(machine, name)
