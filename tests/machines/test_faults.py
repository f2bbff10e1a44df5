"""The machines find what the kit finds: planted faults, without a case that was written for them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from otelq_verify.machines import ChainMachine, DedupMachine, LifeMachine, Machine, QueryMachine, on
from tests.conformance.specimen import adapter

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
        "amends_any_step",
        "amends_no_priority",
        "amends_no_time",
        "amends_nothing",
        "amends_what_runs",
        "checks_no_token",
        "claims_by_id_alone",
        "claims_early",
        "claims_the_first_input",
        "claims_without_a_limit",
        "counts_a_retry_for_a_crash",
        "counts_a_take_over_for_a_crash",
        "forgets_the_first_input",
        "forgets_to_give_an_attempt_back",
        "gives_the_attempt_back_when_taken_over",
        "keeps_everything",
        "keeps_the_attempts",
        "keeps_the_time_to_expire",
        "knows_no_lost_reply",
        "redrives_completed_chains",
        "renews_past_the_deadline",
        "reports_a_close_twice",
        "takes_over_nothing",
        "triggers_silently",
    ],
    ChainMachine: [
        "closes_any_circle",
        "continues_without_blockers",
        "deletes_what_others_wait_for",
        "fails_with_every_bad_blocker",
        "forgets_the_rule",
        "goes_with_the_first_blocker",
        "ignores_every_bad_end",
        "leaves_the_dependents_of_failures",
        "lets_go_twice",
        "lets_go_with_a_continuation",
        "looks_at_the_next_chain_alone",
        "redrives_one_after_the_other",
        "sorts_outputs_by_id",
        "spends_an_attempt_on_waiting",
        "tells_those_that_wait_on",
        "waits_by_the_rule_of_the_start",
        "waits_for_any_that_is_open",
        "waits_for_no_blockers_again",
        "waits_for_the_last_blocker",
        "waits_for_what_can_never_be",
        "waits_for_what_closed_before",
    ],
    DedupMachine: [
        "frees_no_key",
        "gives_closed_holders_to_all",
        "gives_the_key_back_to_the_loser",
        "keeps_no_key_after_the_end",
        "knows_no_exclusion",
        "knows_no_window",
        "lets_each_start_of_a_batch_decide",
        "shares_keys_among_types",
        "takes_no_key_back",
        "takes_the_key_from_others",
    ],
    QueryMachine: [
        "ends_for_good_where_it_looked_enough",
        "filters_no_chain_type",
        "filters_no_payload",
        "filters_no_status",
        "filters_no_tag",
        "filters_no_tenant",
        "filters_no_text",
        "filters_no_type",
        "finds_chains_by_their_tail",
        "forgets_the_blocker_of_chains",
        "forgets_the_blocker_of_jobs",
        "knows_those_that_still_wait",
        "leaves_the_bounds_out",
        "looks_at_the_first_input",
        "never_says_that_a_page_is_the_last",
        "takes_any_tag_for_all",
        "takes_what_is_not_there_for_null",
    ],
}
"""Which machine finds which faults."""


@pytest.mark.parametrize("machine, name", [(machine, name) for machine, names in FOUND.items() for name in names])
def test_a_machine_finds_a_fault(machine: type[Machine], name: str) -> None:
    with BY_NAME[name].planted(), pytest.raises(Exception):  # noqa: B017, PT011  # whatever it trips over
        run_state_machine_as_test(on(machine, lambda: adapter("memory://")), settings=ENOUGH)
