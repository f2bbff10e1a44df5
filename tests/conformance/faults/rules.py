"""Rules of waiting that are mistaken for each other: when blockers are given, and when they end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from otelq.model import Until
from otelq.transitions.blockers import BlockerRule, WaitDecision, decide_wait

from .adapter import unblock
from .planting import Faults

faults = Faults()
faults.statements(
    waits_for_the_last_blocker=("open_job_columns", "open.until", "NULL"),
    goes_with_the_first_blocker=("open_job_columns", "open.until", "'any'"),
    fails_with_every_bad_blocker=("open_job_columns", "open.on_failure", "NULL"),
    ignores_every_bad_end=("open_job_columns", "open.on_failure", "'ignore'"),
)


@faults.instead_of(decide_wait)
def waits_for_all_that_are_open(real: Any, rule: BlockerRule, statuses: object) -> Any:
    return real(replace(rule, until=Until.ALL), statuses)


@faults.instead_of(decide_wait)
def waits_for_any_that_is_open(real: Any, rule: BlockerRule, statuses: object) -> Any:
    return real(replace(rule, until=Until.ANY), statuses)


@faults.instead_of(decide_wait)
def waits_for_any_of_none(real: Any, rule: BlockerRule, statuses: Mapping[str, object]) -> Any:
    return real(rule, statuses) if statuses or rule.until is Until.ALL else WaitDecision(frozenset({"nobody"}))


@faults.instead_of(unblock._failing_blocker)
def fails_by_the_first_bad_end(real: Any, job: Any, ends: Any) -> Any:
    return next((edge for edge in ends if job.rule.is_failed_by(edge.status)), None)
