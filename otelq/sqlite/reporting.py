"""What settlements make of jobs, told as transitions; and what a worker is told that keeps a successor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ..model import (
    Blocks,
    Claimed,
    Completes,
    Continues,
    Fails,
    Keep,
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
from ..transitions import build
from .rows import span, when
from .rules import Condition
from .starting import due_at


class Wait(Struct, frozen=True):
    """How a job that was given blockers fared in the same commit; ``error_type`` tells why it was lost."""

    condition: Condition
    error_type: str | None = None


def blockers_of(outcome: Outcome) -> Sequence[str]:
    """The chains that a job is to wait for by this outcome: the job itself, or its successor."""
    match outcome:
        case Blocks(blockers):
            return blockers
        case Continues(successor):
            return successor.blockers
        case _:
            return ()


_VERBS: Mapping[type[Outcome], Verb] = {
    Completes: Verb.COMPLETE,
    Continues: Verb.CONTINUE,
    Retries: Verb.RETRY,
    Snoozes: Verb.SNOOZE,
    Fails: Verb.FAIL,
    Releases: Verb.RELEASE,
    Blocks: Verb.BLOCK,
}


def verb(item: Settlement) -> Verb:
    """What a worker does with such an outcome."""
    return _VERBS[type(item.outcome)]


def priority(item: Settlement, successor: Successor) -> int:
    """The successor's priority: its own, or that of the job before it."""
    return item.job.priority if successor.priority is None else successor.priority


def kept_successor(item: Settlement, successor: Successor, keep: Keep, at: int) -> Claimed:
    """The successor as its worker gets it at ``at``."""
    until = at + span(keep.lease if keep.timeout is None else min(keep.lease, keep.timeout))
    return build.kept(
        item,
        successor,
        keep,
        priority=priority(item, successor),
        at=when(at),
        due_at=when(at),
        leased_until=when(until),
    )


def transitions(item: Settlement, at: int, kept: Claimed | None = None, wait: Wait | None = None) -> list[Transition]:
    """The transitions of one settlement made at ``at``, those of other chains apart."""
    match item.outcome:
        case Completes():
            return [build.settled(item, Verb.COMPLETE, Status.COMPLETED, at=when(at))]
        case Fails(failure):
            return [build.settled(item, Verb.FAIL, Status.FAILED, at=when(at), error_type=failure.type)]
        case Continues(successor):
            return _continued(item, successor, at, kept, wait or Wait(Condition.MET))
        case Retries(delay, failure):
            return [_put_back(item, delay, at, error_type=failure.type)]
        case Snoozes(delay):
            return [_put_back(item, delay, at)]
        case Releases():
            return [_put_back(item, 0, at)]
        case Blocks():
            wait = wait or Wait(Condition.OPEN)
            is_free = wait.condition is Condition.MET
            return build.blocked(item, at=when(at), is_free=is_free, failed_with=wait.error_type)


def _continued(item: Settlement, successor: Successor, at: int, kept: Claimed | None, wait: Wait) -> list[Transition]:
    return build.continued(
        item,
        successor,
        at=when(at),
        run_at=when(due_at(successor, at)),
        is_blocked=wait.condition is not Condition.MET,
        failed_with=wait.error_type,
        kept=kept,
    )


def _put_back(item: Settlement, delay: float, at: int, *, error_type: str | None = None) -> Transition:
    due, moment = when(at + span(max(delay, 0.0))), when(at)
    target = build.waiting(due, moment)
    return build.settled(item, verb(item), target, at=moment, due_at=due, error_type=error_type)
