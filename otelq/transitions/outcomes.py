"""The meaning of outcomes: verb, failure, delay, blockers, and the transitions of a settlement."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias

from ..model import (
    Blocks,
    Claimed,
    Completes,
    Continues,
    Fails,
    Failure,
    Outcome,
    Releases,
    Retries,
    Settlement,
    Snoozes,
    Status,
    Successor,
    Transition,
    Verb,
)
from . import build

VERBS: Final[Mapping[type[Outcome], Verb]] = {
    Completes: Verb.COMPLETE,
    Continues: Verb.CONTINUE,
    Retries: Verb.RETRY,
    Snoozes: Verb.SNOOZE,
    Blocks: Verb.BLOCK,
    Fails: Verb.FAIL,
    Releases: Verb.RELEASE,
}


def verb_of(outcome: Outcome) -> Verb:
    """Return the verb under which an outcome is stored."""
    return VERBS[type(outcome)]


def failure_of(outcome: Outcome) -> Failure | None:
    """Return the failure of an outcome, if it has one."""
    return outcome.failure if isinstance(outcome, (Fails, Retries, Snoozes)) else None


def delay_of(outcome: Outcome) -> float:
    """Return the seconds from now until the job runs again."""
    return max(outcome.delay, 0.0) if isinstance(outcome, (Retries, Snoozes)) else 0.0


BlockerSource: TypeAlias = Blocks | Successor
"""A list of blockers with its rule: for the job itself (``Blocks``), or for its successor."""


def blocker_source(outcome: Outcome) -> BlockerSource | None:
    """Return the part of an outcome that names blockers, if it names any."""
    match outcome:
        case Blocks():
            return outcome
        case Continues(successor) if successor.blockers:
            return successor
        case _:
            return None


def transitions_of(
    item: Settlement,
    *,
    at: datetime,
    run_at: datetime,
    claimed_successor: Claimed | None = None,
    is_blocked: bool = False,
    failed_with: str | None = None,
) -> list[Transition]:
    """
    Build the transitions of one settlement, without those of other chains.

    Args:
        item: the settlement that was written.
        at: the time of the statement that wrote it.
        run_at: when the job, or its successor, runs next.
        claimed_successor: the successor, if the same worker got it already leased.
        is_blocked: the job, or its successor, was stored blocked.
        failed_with: the error type, if a blocker failed it in the same commit.
    """
    match item.outcome:
        case Completes():
            return [build.settled(item, Verb.COMPLETE, Status.COMPLETED, at=at)]
        case Fails(failure):
            return [build.settled(item, Verb.FAIL, Status.FAILED, at=at, error_type=failure.type)]
        case Continues(successor):
            return build.continued(
                item,
                successor,
                at=at,
                run_at=run_at,
                claimed_successor=claimed_successor,
                is_blocked=is_blocked,
                failed_with=failed_with,
            )
        case Blocks():
            return build.blocked(item, at=at, is_free=not is_blocked, failed_with=failed_with)
        case outcome:
            target, why = build.due_status(run_at, at), failure_of(outcome)
            error_type = why.type if why else None
            return [build.settled(item, verb_of(outcome), target, at=at, due_at=run_at, error_type=error_type)]
