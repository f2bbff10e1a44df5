"""Jobs for people, read by their keys."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import Decoder

from ..model import Failure, JobKey, JobRecord, Status
from .rows import to_datetime
from .session import SqliteSession, batch


class JobRow(Struct, frozen=True, array_like=True):
    """A job as ``read_records.sql`` selects it."""

    chain_id: str
    position: int
    type: str
    queue: str
    status: Status
    input: str
    created_at: int
    priority: int
    attempt: int
    crashes: int
    run_at: int | None
    leased_by: str | None
    leased_until: int | None
    closed_at: int | None
    closed_by: str | None
    output: str | None
    error_type: str | None
    error_text: str | None
    blocked_by: int
    amended_input: str | None
    expires_at: int | None
    trace: str | None
    meta: str | None


_JOBS = Decoder(list[JobRow])


async def read_records(db: SqliteSession, at: int, keys: Sequence[JobKey]) -> dict[JobKey, JobRecord]:
    """
    Return the jobs with these keys. Ids with a NUL are left out: nobody can ask for them, they were written by hand.
    """
    keys = [key for key in keys if "\0" not in key[0]]
    rows = await db.read("read_records", _JOBS, jobs=batch(keys), now=at) if keys else []
    return {(row.chain_id, row.position): _record(row) for row in rows}


def _record(row: JobRow) -> JobRecord:
    return JobRecord(
        chain_id=row.chain_id,
        position=row.position,
        type=row.type,
        queue=row.queue,
        status=row.status,
        input=row.input,
        created_at=to_datetime(row.created_at),
        priority=row.priority,
        attempt=row.attempt,
        crashes=row.crashes,
        run_at=None if row.run_at is None else to_datetime(row.run_at),
        leased_by=row.leased_by,
        leased_until=None if row.leased_until is None else to_datetime(row.leased_until),
        closed_at=None if row.closed_at is None else to_datetime(row.closed_at),
        closed_by=row.closed_by,
        output=row.output,
        failure=None if row.error_type is None else Failure(row.error_type, row.error_text or ""),
        blocked_by=row.blocked_by,
        amended_input=row.amended_input,
        expires_at=None if row.expires_at is None else to_datetime(row.expires_at),
        trace=row.trace,
        meta=row.meta,
    )
