"""Requests on open jobs: make them due, change them, take them from their worker, or lock them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..model import Amendment, JobRecord, Status, Transition, Verb
from ..transitions import build, refusals
from . import closed_jobs, rows
from .close import check_step
from .database import WAIT, PostgresSession
from .locks import lock_jobs
from .pages import read_records


async def trigger(session: PostgresSession, chain_ids: Sequence[str]) -> list[Transition]:
    """Make scheduled jobs due."""
    locked = await lock_jobs(session, chain_ids)
    for job in locked.values():
        refusals.check_trigger(job.chain_id, job.status)
    scheduled = [job for job in locked.values() if job.status is Status.SCHEDULED]
    # One statement locked and read all rows, so one time is right for all.
    if scheduled:
        await session.rows("trigger", [job.chain_id for job in scheduled], scheduled[0].at)
    return [build.moved(job, Verb.TRIGGER, Status.READY) for job in scheduled]


async def amend(session: PostgresSession, amendments: Sequence[Amendment]) -> list[Transition]:
    """Change jobs that do not run, in the order given."""
    # Lock all before the first part, or the parts would lock out of order.
    await lock_jobs(session, [amendment.chain_id for amendment in amendments])
    return [change for part in _apart(amendments) for change in await _amend(session, part)]


def _apart(amendments: Sequence[Amendment]) -> Iterator[list[Amendment]]:
    """Yield parts of the batch that name each chain once, as one statement changes a row once."""
    part: dict[str, Amendment] = {}
    for amendment in amendments:
        if amendment.chain_id in part:
            yield [*part.values()]
            part = {}
        part[amendment.chain_id] = amendment
    if part:
        yield [*part.values()]


async def _amend(session: PostgresSession, amendments: Sequence[Amendment]) -> list[Transition]:
    # Read again under the lock, as an earlier part may have changed the jobs.
    locked = await lock_jobs(session, [amendment.chain_id for amendment in amendments])
    for amendment in amendments:
        job = locked[amendment.chain_id]
        await check_step(session, job, amendment.steps)
        refusals.check_amend(job.chain_id, job.status)
    found = await session.rows(
        "amend",
        [amendment.chain_id for amendment in amendments],
        [locked[amendment.chain_id].position for amendment in amendments],
        rows.column([amendment.priority for amendment in amendments]),
        rows.column([amendment.at for amendment in amendments]),
        rows.column([amendment.delay for amendment in amendments]),
        rows.column([amendment.input for amendment in amendments]),
    )
    return [build.amended(locked[row["chain_id"]], at=row["at"], run_at=row["run_at"]) for row in found]


async def take_over(session: PostgresSession, chain_ids: Sequence[str]) -> list[Transition]:
    """End the leases of running jobs."""
    locked = await lock_jobs(session, chain_ids)
    for job in locked.values():
        refusals.check_take_over(job.chain_id, job.status)
    jobs = [*locked.values()]
    found = await session.rows(
        "put_back",
        *closed_jobs.token_columns(jobs),
        None,
        [Verb.TAKE_OVER] * len(jobs),
        None,
        None,
        [0.0] * len(jobs),
        lock=WAIT,
    )
    return [build.moved(jobs[rows.index(row)], Verb.TAKE_OVER, Status.READY, at=row["at"]) for row in found]


async def lock(session: PostgresSession, chain_ids: Sequence[str]) -> list[JobRecord]:
    """Lock the open jobs of these chains until the transaction ends, and return their records."""
    locked = await lock_jobs(session, chain_ids)
    records = await read_records(session, [(job.chain_id, job.position) for job in locked.values()])
    return [records[job.chain_id, job.position] for job in locked.values()]
