"""What an outcome means: its verb, what it carries, and the transitions of its settlement."""

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
    """Return the verb by which an outcome is stored."""
    return VERBS[type(outcome)]


def failure_of(outcome: Outcome) -> Failure | None:
    """Return the failure that an outcome tells of."""
    return outcome.failure if isinstance(outcome, (Fails, Retries)) else None


def delay_of(outcome: Outcome) -> float:
    """Return the seconds, from now on, for which an outcome sends the job away."""
    return max(outcome.delay, 0.0) if isinstance(outcome, (Retries, Snoozes)) else 0.0


Given: TypeAlias = Blocks | Successor
"""What names blockers: for the job itself, or for the one that follows."""


def given_by(outcome: Outcome) -> Given | None:
    """Return what of an outcome names blockers, if any are named."""
    match outcome:
        case Blocks():
            return outcome
        case Continues(successor) if successor.blockers:
            return successor
        case _:
            return None


def transitions(
    item: Settlement,
    *,
    at: datetime,
    run_at: datetime,
    kept: Claimed | None = None,
    is_blocked: bool = False,
    failed_with: str | None = None,
) -> list[Transition]:
    """
    Build the transitions of one settlement, those of other chains apart.

    ``run_at`` is when the job, or its successor, runs next; ``kept`` the successor that the worker has already;
    ``is_blocked`` and ``failed_with`` say what blockers mean to the job that waits.
    """
    match item.outcome:
        case Completes():
            return [build.settled(item, Verb.COMPLETE, Status.COMPLETED, at=at)]
        case Fails(failure):
            return [build.settled(item, Verb.FAIL, Status.FAILED, at=at, error_type=failure.type)]
        case Continues(successor):
            return build.continued(
                item, successor, at=at, run_at=run_at, kept=kept, is_blocked=is_blocked, failed_with=failed_with
            )
        case Blocks():
            return build.blocked(item, at=at, is_free=not is_blocked, failed_with=failed_with)
        case outcome:
            target, why = build.waiting(run_at, at), failure_of(outcome)
            error_type = why.type if why else None
            return [build.settled(item, verb_of(outcome), target, at=at, due_at=run_at, error_type=error_type)]
