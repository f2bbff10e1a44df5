"""The rules by which a job waits, for every rule and every way in which three blockers may stand."""

from __future__ import annotations

from itertools import product

import pytest

from otelq.model import BLOCKER_FAILED, Failure, OnFailure, Status, Until
from otelq.transitions.blockers import FREE, Rule, judge, stored_rule

RULES = [Rule(until, on_failure) for until in Until for on_failure in OnFailure]
WAYS = list(product((None, Status.READY, Status.COMPLETED, Status.FAILED, Status.CANCELLED), repeat=3))
BAD = (Status.FAILED, Status.CANCELLED)


def _is_done(rule: Rule, standing: Status | None) -> bool:
    return standing is Status.COMPLETED or (standing in BAD and rule.on_failure is OnFailure.IGNORE)


def _may_be_done(rule: Rule, standing: Status | None) -> bool:
    return standing not in BAD or rule.on_failure is not OnFailure.FAIL


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.until}-{rule.on_failure}")
def test_a_job_is_free_lost_or_blocked_by_its_rule(rule: Rule) -> None:
    enough, possible = (all, all) if rule.until is Until.ALL else (any, any)
    for way in WAYS:
        fate = judge(rule, dict(zip("abc", way, strict=True)))

        is_free = enough(_is_done(rule, standing) for standing in way)
        is_lost = not is_free and not possible(_may_be_done(rule, standing) for standing in way)
        assert (fate.is_blocked, fate.failure is not None) == (not is_free, is_lost), way


def test_a_lost_job_names_the_first_blocker_that_ended_badly() -> None:
    fate = judge(Rule(), {"a": None, "b": Status.CANCELLED, "c": Status.FAILED})

    assert fate.lost_by == "b"
    assert (fate.awaited, fate.edges_awaited) == (frozenset("a"), frozenset())
    assert fate.failure == Failure(BLOCKER_FAILED, "the blocker b ended cancelled")


def test_a_patient_job_awaits_a_blocker_that_failed() -> None:
    fate = judge(Rule(on_failure=OnFailure.WAIT), {"a": Status.COMPLETED, "b": Status.FAILED})

    assert fate.awaited == {"b"}


def test_a_job_without_blockers_is_free() -> None:
    assert judge(Rule(), {}) == FREE


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_read_back_from_its_columns(rule: Rule) -> None:
    assert stored_rule(*rule.columns) == rule
