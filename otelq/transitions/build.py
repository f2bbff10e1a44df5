"""
Builders of transitions: the only place where a ``Transition`` is created.

A store passes plain values that say what its statement did. A builder returns the transition, or raises ``IllegalMove``
if the table does not have the move.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from ..model import Claimed, ClaimSuccessor, Lease, NewJob, Settlement, Status, Successor, Transition, Verb
from .table import MOVES, IllegalMove

_CREATE = MOVES[Verb.CREATE]  # looked up once: starts come in batches of thousands


class Snapshot(Struct, frozen=True, gc=False):
    """A job as one statement saw it, before it was changed. ``at`` is the time of that statement."""

    chain_id: str
    position: int
    token: int | None
    type: str
    queue: str
    chain_type: str
    status: Status
    attempt: int
    crashes: int
    leased_by: str | None
    created_at: datetime
    chain_created_at: datetime
    trace: str | None
    last_trace: str | None
    at: datetime
    run_at: datetime


def due_status(run_at: datetime, at: datetime) -> Status:
    """Return the status of a job that is neither blocked nor running: scheduled until ``run_at``, then ready."""
    return Status.SCHEDULED if run_at > at else Status.READY


# Chains that start


def created(job: NewJob, target: Status, *, at: datetime, run_at: datetime) -> Transition:
    """Build the transition for the first job of a chain."""
    if (None, target) not in _CREATE:
        raise IllegalMove(Verb.CREATE, None, target, chain_id=job.chain_id, position=0)
    return Transition(
        verb=Verb.CREATE,
        chain_id=job.chain_id,
        position=0,
        type=job.type,
        queue=job.queue,
        chain_type=job.type,
        source=None,
        target=target,
        at=at,
        attempt=0,
        created_at=at,
        chain_created_at=at,
        due_at=run_at if target is Status.SCHEDULED else None,
        trace=job.trace,
    )


def started(
    job: NewJob, *, at: datetime, run_at: datetime, is_blocked: bool, failed_with: str | None
) -> list[Transition]:
    """Build the transitions for a chain that starts: its creation, and its failure if a blocker failed before."""
    transitions = created(job, Status.BLOCKED if is_blocked else due_status(run_at, at), at=at, run_at=run_at)
    return [transitions, failed_by_blocker(transitions, failed_with)] if failed_with else [transitions]


def successor_created(
    before: Claimed | Snapshot, successor: Successor, *, at: datetime, run_at: datetime, is_blocked: bool = False
) -> Transition:
    """Build the creation of the next job of a chain."""
    key = before if isinstance(before, Snapshot) else before.lease
    target = Status.BLOCKED if is_blocked else due_status(run_at, at)
    if (None, target) not in _CREATE:
        raise IllegalMove(Verb.CREATE, None, target, chain_id=key.chain_id, position=key.position + 1)
    return Transition(
        verb=Verb.CREATE,
        chain_id=key.chain_id,
        position=key.position + 1,
        type=successor.type,
        queue=successor.queue,
        chain_type=before.chain_type,
        source=None,
        target=target,
        at=at,
        attempt=0,
        created_at=at,
        chain_created_at=before.chain_created_at,
        due_at=run_at if target is Status.SCHEDULED else None,
        trace=successor.trace,
    )


def failed_by_blocker(blocked: Transition, error_type: str) -> Transition:
    """Build the failure of a job in the commit that blocked it; ``blocked`` is the transition before it."""
    return _then(blocked, Verb.FAIL_BY_BLOCKER, Status.FAILED, error_type=error_type)


def unblocked_at_once(blocked: Transition) -> Transition:
    """Build the unblocking of a job in the commit that blocked it; ``blocked`` is the transition before it."""
    return _then(blocked, Verb.UNBLOCK, Status.READY)


def _then(before: Transition, verb: Verb, target: Status, *, error_type: str | None = None) -> Transition:
    source = before.target
    if (source, target) not in MOVES[verb]:
        raise IllegalMove(verb, source, target, chain_id=before.chain_id, position=before.position)
    return replace(before, verb=verb, source=source, target=target, due_at=None, error_type=error_type)


# Jobs under lease


def claimed(job: Claimed, *, worker: str) -> Transition:
    """Build the claim of a job."""
    return Transition(
        verb=Verb.CLAIM,
        chain_id=job.lease.chain_id,
        position=job.lease.position,
        type=job.type,
        queue=job.queue,
        chain_type=job.chain_type,
        source=Status.READY,  # with the target, the only move of this verb
        target=Status.RUNNING,
        at=job.claimed_at,
        attempt=job.attempt,
        created_at=job.created_at,
        chain_created_at=job.chain_created_at,
        due_at=job.due_at,
        worker=worker,
        trace=job.trace,
        last_trace=job.last_trace,
    )


def settled(
    item: Settlement,
    verb: Verb,
    target: Status,
    *,
    at: datetime,
    due_at: datetime | None = None,
    error_type: str | None = None,
) -> Transition:
    """Build the transition for the outcome of a job under its lease."""
    job = item.job
    if (Status.RUNNING, target) not in MOVES[verb]:
        raise IllegalMove(verb, Status.RUNNING, target, chain_id=job.lease.chain_id, position=job.lease.position)
    return Transition(
        verb=verb,
        chain_id=job.lease.chain_id,
        position=job.lease.position,
        type=job.type,
        queue=job.queue,
        chain_type=job.chain_type,
        source=Status.RUNNING,
        target=target,
        at=at,
        attempt=job.attempt,
        created_at=job.created_at,
        chain_created_at=job.chain_created_at,
        due_at=due_at if target is Status.SCHEDULED else None,
        error_type=error_type,
        worker=item.worker,
        trace=job.trace,
        last_trace=job.last_trace,
    )


def claimed_successor(
    item: Settlement,
    successor: Successor,
    claim: ClaimSuccessor,
    *,
    priority: int,
    at: datetime,
    due_at: datetime,
    leased_until: datetime,
) -> Claimed:
    """Build the successor that the same worker gets already leased."""
    job = item.job
    return Claimed(
        lease=Lease(job.lease.chain_id, job.lease.position + 1, claim.token),
        type=successor.type,
        queue=successor.queue,
        chain_type=job.chain_type,
        input=successor.input,
        attempt=1,
        crashes=0,
        priority=priority,
        due_at=due_at,
        created_at=at,
        chain_created_at=job.chain_created_at,
        claimed_at=at,
        leased_until=leased_until,
        trace=successor.trace,
        meta=successor.meta,
    )


# Jobs that are moved by request, by time, or by their blockers


def moved(
    job: Snapshot,
    verb: Verb,
    target: Status | None,
    *,
    at: datetime | None = None,
    due_at: datetime | None = None,
    error_type: str | None = None,
) -> Transition:
    """
    Build the transition of a job that was changed by request, by time or by its blockers.

    ``at`` is the time of the change, by default that of the statement that read the job. If the job was running, the
    transition names the worker that lost it.
    """
    if (job.status, target) not in MOVES[verb]:
        raise IllegalMove(verb, job.status, target, chain_id=job.chain_id, position=job.position)
    return Transition(
        verb=verb,
        chain_id=job.chain_id,
        position=job.position,
        type=job.type,
        queue=job.queue,
        chain_type=job.chain_type,
        source=job.status,
        target=target,
        at=at or job.at,
        attempt=job.attempt,
        created_at=job.created_at,
        chain_created_at=job.chain_created_at,
        due_at=due_at if target is Status.SCHEDULED else None,
        error_type=error_type,
        worker=job.leased_by,
        trace=job.trace,
        last_trace=job.last_trace,
    )


def put_back(job: Snapshot, verb: Verb, *, at: datetime, run_at: datetime, error_type: str | None = None) -> Transition:
    """Build the end of a lease without the end of its job, which is due again at ``run_at``."""
    return moved(job, verb, due_status(run_at, at), at=at, due_at=run_at, error_type=error_type)


def amended(job: Snapshot, *, at: datetime, run_at: datetime) -> Transition:
    """Build the change of a job that waits; it is due at ``run_at`` from now on."""
    target = Status.BLOCKED if job.status is Status.BLOCKED else due_status(run_at, at)
    return moved(job, Verb.AMEND, target, at=at, due_at=run_at)


def blockers_ended(job: Snapshot, *, failed_with: str | None) -> Transition:
    """Build the transition of a job whose blockers ended: unblocked, or failed by one of them."""
    if failed_with:
        return moved(job, Verb.FAIL_BY_BLOCKER, Status.FAILED, error_type=failed_with)
    return moved(job, Verb.UNBLOCK, due_status(job.run_at, job.at), due_at=job.run_at)


def redriven(job: Snapshot, *, at: datetime, is_blocked: bool) -> Transition:
    """Build the transition of a job that is opened again, with its attempts at 0."""
    return moved(job, Verb.REDRIVE, Status.BLOCKED if is_blocked else Status.READY, at=at)


def continued_externally(
    job: Snapshot,
    successor: Successor,
    *,
    at: datetime,
    run_at: datetime,
    is_blocked: bool = False,
    failed_with: str | None = None,
) -> list[Transition]:
    """Build the transitions of a continuation by request: the end of the job, and its successor."""
    ended = moved(job, Verb.COMPLETE_EXTERNALLY, Status.CONTINUED, at=at)
    return [
        ended,
        *_successor_created(job, successor, at=at, run_at=run_at, is_blocked=is_blocked, failed_with=failed_with),
    ]


def continued(
    item: Settlement,
    successor: Successor,
    *,
    at: datetime,
    run_at: datetime,
    is_blocked: bool = False,
    failed_with: str | None = None,
    claimed_successor: Claimed | None = None,
) -> list[Transition]:
    """Build the transitions of a worker's continuation, with the claim of the successor if it was granted."""
    transitions = [settled(item, Verb.CONTINUE, Status.CONTINUED, at=at)]
    transitions += _successor_created(
        item.job, successor, at=at, run_at=run_at, is_blocked=is_blocked, failed_with=failed_with
    )
    return [*transitions, claimed(claimed_successor, worker=item.worker)] if claimed_successor else transitions


def _successor_created(
    before: Claimed | Snapshot,
    successor: Successor,
    *,
    at: datetime,
    run_at: datetime,
    is_blocked: bool,
    failed_with: str | None,
) -> list[Transition]:
    transitions = successor_created(before, successor, at=at, run_at=run_at, is_blocked=is_blocked)
    return [transitions, failed_by_blocker(transitions, failed_with)] if failed_with else [transitions]


def blocked(item: Settlement, *, at: datetime, is_free: bool, failed_with: str | None) -> list[Transition]:
    """Build the transitions of a running job that gets blockers. Its attempt is given back."""
    transitions = settled(item, Verb.BLOCK, Status.BLOCKED, at=at)
    waits = replace(transitions, attempt=transitions.attempt - 1, worker=None, last_trace=item.trace)
    if failed_with:
        return [transitions, failed_by_blocker(waits, failed_with)]
    return [transitions, unblocked_at_once(waits)] if is_free else [transitions]
