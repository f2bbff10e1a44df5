"""The rules by which a job waits, for every rule and every way in which three blockers may stand."""

from __future__ import annotations

from itertools import product

import pytest

from otelq.model import BLOCKER_FAILED, Failure, OnFailure, Status, Until
from otelq.transitions.blockers import NO_WAIT, BlockerRule, decide_wait, rule_from_columns

RULES = [BlockerRule(until, on_failure) for until in Until for on_failure in OnFailure]
WAYS = list(product((None, Status.READY, Status.COMPLETED, Status.FAILED, Status.CANCELLED), repeat=3))
BAD = (Status.FAILED, Status.CANCELLED)


def _is_done(rule: BlockerRule, standing: Status | None) -> bool:
    return standing is Status.COMPLETED or (standing in BAD and rule.on_failure is OnFailure.IGNORE)


def _may_be_done(rule: BlockerRule, standing: Status | None) -> bool:
    return standing not in BAD or rule.on_failure is not OnFailure.FAIL


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.until}-{rule.on_failure}")
def test_a_job_is_free_lost_or_blocked_by_its_rule(rule: BlockerRule) -> None:
    enough, possible = (all, all) if rule.until is Until.ALL else (any, any)
    for way in WAYS:
        decision = decide_wait(rule, dict(zip("abc", way, strict=True)))

        is_free = enough(_is_done(rule, standing) for standing in way)
        is_lost = not is_free and not possible(_may_be_done(rule, standing) for standing in way)
        assert (decision.is_blocked, decision.failure is not None) == (not is_free, is_lost), way


def test_a_lost_job_names_the_first_blocker_that_ended_badly() -> None:
    decision = decide_wait(BlockerRule(), {"a": None, "b": Status.CANCELLED, "c": Status.FAILED})

    assert decision.failed_blocker == "b"
    assert (decision.awaited, decision.still_awaited) == (frozenset("a"), frozenset())
    assert decision.failure == Failure(BLOCKER_FAILED, "the blocker b ended cancelled")


def test_a_patient_job_awaits_a_blocker_that_failed() -> None:
    decision = decide_wait(BlockerRule(on_failure=OnFailure.WAIT), {"a": Status.COMPLETED, "b": Status.FAILED})

    assert decision.awaited == {"b"}


def test_a_job_without_blockers_is_free() -> None:
    assert decide_wait(BlockerRule(), {}) == NO_WAIT


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_read_back_from_its_columns(rule: BlockerRule) -> None:
    assert rule_from_columns(*rule.columns) == rule
