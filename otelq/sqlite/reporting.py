"""What settlements make of jobs, told as transitions; and what a worker is told that keeps a successor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from ..model import (
    Blocks,
    Claimed,
    Completes,
    Continues,
    Fails,
    Failure,
    Keep,
    Lease,
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
from .rows import claim, leased, span, when
from .rules import Condition
from .starting import continued_transition


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
    lease = item.job.lease
    until = at + span(keep.lease if keep.timeout is None else min(keep.lease, keep.timeout))
    return Claimed(
        lease=Lease(lease.chain_id, lease.position + 1, keep.token),
        type=successor.type,
        queue=successor.queue,
        chain_type=item.job.chain_type,
        input=successor.input,
        attempt=1,
        crashes=0,
        priority=priority(item, successor),
        due_at=when(at),
        created_at=when(at),
        chain_created_at=item.job.chain_created_at,
        claimed_at=when(at),
        leased_until=when(until),
        trace=successor.trace,
        meta=successor.meta,
    )


def transitions(item: Settlement, at: int, kept: Claimed | None = None, wait: Wait | None = None) -> list[Transition]:
    """The transitions of one settlement made at ``at``, those of other chains apart."""
    match item.outcome:
        case Completes():
            return [_ended(item, Status.COMPLETED, when(at))]
        case Fails(failure):
            return [_ended(item, Status.FAILED, when(at), failure=failure)]
        case Continues(successor):
            return list(_continued(item, successor, at, kept, wait))
        case Retries(delay, failure):
            return [_put_back(item, delay, at, failure=failure)]
        case Snoozes(delay):
            return [_put_back(item, delay, at)]
        case Releases():
            return [_put_back(item, 0, at)]
        case Blocks():
            return list(_blocked(item, at, wait or Wait(Condition.OPEN)))


def _continued(
    item: Settlement, successor: Successor, at: int, kept: Claimed | None, wait: Wait | None
) -> Iterator[Transition]:
    yield _ended(item, Status.CONTINUED, when(at))
    created = continued_transition(
        successor,
        at,
        chain_id=item.job.lease.chain_id,
        position=item.job.lease.position + 1,
        chain_type=item.job.chain_type,
        chain_created_at=item.job.chain_created_at,
        blocked=wait is not None and wait.condition is not Condition.MET,
    )
    yield created
    if wait and wait.error_type:
        yield lost(created, wait.error_type)
    if kept:
        yield claim(kept, worker=item.worker)


def _blocked(item: Settlement, at: int, wait: Wait) -> Iterator[Transition]:
    blocked = leased(item.job, Verb.BLOCK, Status.RUNNING, Status.BLOCKED, at=when(at), worker=item.worker)
    yield blocked
    attempt = item.job.attempt - 1
    after = replace(blocked, source=Status.BLOCKED, attempt=attempt, worker=None, last_trace=item.trace)
    if wait.condition is Condition.MET:
        yield replace(after, verb=Verb.UNBLOCK, target=Status.READY)
    elif wait.error_type:
        yield lost(after, wait.error_type)


def lost(blocked: Transition, error_type: str) -> Transition:
    """The end of a job whose blockers can never meet its condition, told from the transition that blocked it."""
    return replace(
        blocked,
        verb=Verb.FAIL_BY_BLOCKER,
        source=Status.BLOCKED,
        target=Status.FAILED,
        due_at=None,
        error_type=error_type,
    )


def _ended(item: Settlement, target: Status, moment: datetime, *, failure: Failure | None = None) -> Transition:
    return leased(item.job, verb(item), Status.RUNNING, target, at=moment, worker=item.worker, failure=failure)


def _put_back(item: Settlement, delay: float, at: int, *, failure: Failure | None = None) -> Transition:
    due = at + span(max(delay, 0.0))
    target, due_then = (Status.SCHEDULED, when(due)) if due > at else (Status.READY, None)
    return leased(
        item.job,
        verb(item),
        Status.RUNNING,
        target,
        at=when(at),
        worker=item.worker,
        due_at=due_then,
        failure=failure,
    )
