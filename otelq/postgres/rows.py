"""From rows to values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ..errors import OtelqError
from ..model import (
    Claimed,
    Continues,
    Failure,
    JobRecord,
    Keep,
    Lease,
    NewJob,
    Settlement,
    Status,
    Successor,
    Transition,
    Verb,
)

Row = Any
"""A row of the driver: by name, or in the order of the columns."""

Moment = datetime


def created(job: NewJob, *, at: datetime, run_at: datetime, target: Status) -> Transition:
    """The start of a chain."""
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


def claimed(row: Sequence[Any], token: int) -> Claimed:
    """A row of ``claim.sql``."""
    (
        chain_id,
        position,
        type_,
        priority,
        run_at,
        attempt,
        crashes,
        leased_until,
        last_trace,
        queue,
        input_,
        created_at,
        trace,
        meta,
        blockers,
        chain_type,
        chain_created_at,
        claimed_at,
    ) = row
    return Claimed(
        lease=Lease(chain_id, position, token),
        type=type_,
        queue=queue,
        chain_type=chain_type or type_,
        input=input_,
        attempt=attempt,
        crashes=crashes,
        priority=priority,
        due_at=run_at,
        created_at=created_at,
        chain_created_at=chain_created_at or created_at,
        claimed_at=claimed_at,
        leased_until=leased_until,
        blockers=blockers or 0,
        trace=trace,
        last_trace=last_trace,
        meta=meta,
    )


class Held(Struct, frozen=True, gc=False):
    """An open job whose hot row is locked, as the ``hold`` statements tell it."""

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


def held(row: Sequence[Any]) -> Held:
    """The first columns of a row of a ``hold`` statement."""
    chain_id, position, token, type_, queue, chain_type, status, *rest = row[: len(Held.__struct_fields__)]
    return Held(chain_id, position, token, type_, queue, chain_type, Status(status), *rest)


def moved(
    job: Held,
    verb: Verb,
    target: Status | None,
    *,
    at: datetime | None = None,
    due_at: datetime | None = None,
    error_type: str | None = None,
    worker: str | None = None,
) -> Transition:
    """What became of a job whose row was held: by the statement that held it, or by another at ``at``."""
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
        worker=worker,
        trace=job.trace,
        last_trace=job.last_trace,
    )


def claim(job: Claimed, *, worker: str) -> Transition:
    """That a job was claimed."""
    return Transition(
        verb=Verb.CLAIM,
        chain_id=job.lease.chain_id,
        position=job.lease.position,
        type=job.type,
        queue=job.queue,
        chain_type=job.chain_type,
        source=Status.READY,
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
    """What became of a job under its lease."""
    job = item.job
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


def succeeded(
    before: Claimed | Held, successor: Successor, *, at: datetime, run_at: datetime, born_blocked: bool = False
) -> Transition:
    """The start of the job that continues a chain."""
    chain_id, position = (
        (before.chain_id, before.position)
        if isinstance(before, Held)
        else (before.lease.chain_id, before.lease.position)
    )
    target = Status.BLOCKED if born_blocked else waiting(run_at, at)
    return Transition(
        verb=Verb.CREATE,
        chain_id=chain_id,
        position=position + 1,
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


def continued(
    item: Settlement, successor: Successor, keep: Keep | None, *, row: Row, kept: dict[str, Claimed]
) -> list[Transition]:
    """What a continuation made; a successor that the worker got already leased is put into ``kept``."""
    at = row["at"]
    made = [
        settled(item, Verb.CONTINUE, Status.CONTINUED, at=at),
        succeeded(item.job, successor, at=at, run_at=row["run_at"]),
    ]
    if keep and row["kept"]:
        job = kept[item.job.lease.chain_id] = _kept(item, successor, keep, row=row)
        made.append(claim(job, worker=item.worker))
    return made


def joined(
    item: Settlement, successor: Successor, *, row: Row, born_blocked: bool, failed_with: str | None
) -> list[Transition]:
    """What a continuation with blockers made."""
    at = row["at"]
    created = succeeded(item.job, successor, at=at, run_at=row["run_at"], born_blocked=born_blocked)
    ends = [failed_at_once(created, failed_with)] if failed_with else []
    return [settled(item, Verb.CONTINUE, Status.CONTINUED, at=at), created, *ends]


def waits(item: Settlement, *, at: datetime, is_free: bool, failed_with: str | None) -> list[Transition]:
    """What became of a running job that is given blockers."""
    block = settled(item, Verb.BLOCK, Status.BLOCKED, at=at)
    blocked = replace(block, source=Status.BLOCKED, attempt=block.attempt - 1, worker=None, last_trace=item.trace)
    if failed_with:
        return [block, replace(blocked, verb=Verb.FAIL_BY_BLOCKER, target=Status.FAILED, error_type=failed_with)]
    return [block, replace(blocked, verb=Verb.UNBLOCK, target=Status.READY)] if is_free else [block]


def _kept(item: Settlement, successor: Successor, keep: Keep, *, row: Any) -> Claimed:
    job, at = item.job, row["at"]
    return Claimed(
        lease=Lease(job.lease.chain_id, job.lease.position + 1, keep.token),
        type=successor.type,
        queue=successor.queue,
        chain_type=job.chain_type,
        input=successor.input,
        attempt=1,
        crashes=0,
        priority=row["priority"],
        due_at=row["run_at"],
        created_at=at,
        chain_created_at=job.chain_created_at,
        claimed_at=at,
        leased_until=row["leased_until"],
        trace=successor.trace,
        meta=successor.meta,
    )


def lease_columns(leases: Sequence[Lease]) -> tuple[list[str], list[int], list[int]]:
    """Leases, as fenced statements take them."""
    return (
        [lease.chain_id for lease in leases],
        [lease.position for lease in leases],
        [lease.token for lease in leases],
    )


def successor_columns(outcomes: Sequence[Continues]) -> tuple[list[Any] | None, ...]:
    """The successors, as the ``continue`` statements take them."""
    successors = [outcome.successor for outcome in outcomes]
    return (
        [successor.type for successor in successors],
        [successor.queue for successor in successors],
        [successor.input for successor in successors],
        column([successor.priority for successor in successors]),
        column([successor.at for successor in successors]),
        column([successor.delay for successor in successors]),
        column([successor.trace for successor in successors]),
        column([successor.meta for successor in successors]),
    )


def column(values: list[Any]) -> list[Any] | None:
    """
    A column of a batch as a parameter; nothing, if it is all nulls.

    ``unnest`` fills an array that is too short with nulls, and the driver takes its time over every element.
    """
    return values if any(value is not None for value in values) else None


def place(row: Row) -> int:
    """Which item of the batch a row is about."""
    n: int = row["n"]
    return n


def places(row: Row) -> list[int]:
    """Which items of the batch a statement wrote."""
    written: list[int] = row["written"]
    return written


def failure(error_type: str | None, error_text: str | None) -> Failure | None:
    """A stored failure, if there is one."""
    return None if error_type is None else Failure(error_type, error_text or "")


def verb(row: Row) -> Verb:
    """How an attempt ended."""
    try:
        return Verb(row["verb"])
    except ValueError as error:
        raise OtelqError(f"a stored attempt cannot be read: {error}") from None


def waiting(run_at: datetime, at: datetime) -> Status:
    """The status of a job that waits for nothing but the clock."""
    return Status.SCHEDULED if run_at > at else Status.READY


def let_go(row: Row) -> Transition:
    """What the end of a blocker did to a job that waited for it."""
    job = held(row)
    if row["error_type"]:
        return moved(job, Verb.FAIL_BY_BLOCKER, Status.FAILED, error_type=row["error_type"])
    return moved(job, Verb.UNBLOCK, waiting(job.run_at, job.at), due_at=job.run_at)


def failed_at_once(created: Transition, error_type: str) -> Transition:
    """The end of a chain that was created with a blocker that had ended badly."""
    return replace(
        created,
        verb=Verb.FAIL_BY_BLOCKER,
        source=Status.BLOCKED,
        target=Status.FAILED,
        due_at=None,
        error_type=error_type,
    )


def record(row: Row) -> JobRecord:
    """A row of a ``list`` statement."""
    return JobRecord(
        chain_id=row["chain_id"],
        position=row["position"],
        type=row["type"],
        queue=row["queue"],
        status=Status(row["status"]),
        input=row["input"],
        created_at=row["created_at"],
        priority=row["priority"],
        attempt=row["attempt"],
        crashes=row["crashes"],
        run_at=row["run_at"],
        leased_by=row["leased_by"],
        leased_until=row["leased_until"],
        closed_at=row["closed_at"],
        output=row["output"],
        failure=failure(row["error_type"], row["error_text"]),
        blocked_by=row["blocked_by"],
        amended_input=row["amended_input"],
        expires_at=row["expires_at"],
        trace=row["trace"],
        meta=row["meta"],
    )
