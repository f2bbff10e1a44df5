"""Requests that change open jobs: trigger, amend, take over."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Amendment, Status, Transition, Verb
from ..transitions import build, refusals
from .closed_jobs import end_attempts
from .open_jobs import open_jobs, open_step
from .rows import to_datetime
from .session import SqliteSession, batch
from .start import due_at
from .value_checks import check_json


async def trigger(db: SqliteSession, at: int, *, chain_ids: Sequence[str]) -> list[Transition]:
    """Make scheduled jobs due now."""
    jobs = await open_jobs(db, chain_ids)
    for job in jobs:
        refusals.check_trigger(job.chain_id, job.status(at))
    scheduled = [job for job in jobs if job.status(at) is Status.SCHEDULED]
    if scheduled:
        await db.write("trigger", chains=batch([job.chain_id for job in scheduled]), now=at)
    return [build.moved(job.snapshot(at), Verb.TRIGGER, Status.READY) for job in scheduled]


async def amend(db: SqliteSession, at: int, *, amendments: Sequence[Amendment]) -> list[Transition]:
    """Change jobs that wait, one after the other. A chain may be in the batch twice."""
    return [await _amend(db, at, amendment) for amendment in amendments]


async def _amend(db: SqliteSession, at: int, amendment: Amendment) -> Transition:
    job = await open_step(db, amendment.chain_id, amendment.steps)
    refusals.check_amend(job.chain_id, job.status(at))
    stays = amendment.at is None and amendment.delay is None
    run_at = job.run_at if stays else due_at(amendment, at)
    await db.write("amend_jobs", chain=job.chain_id, priority=amendment.priority, run_at=run_at)
    if amendment.input is not None:
        check_json(amendment.input)
        await db.write("amend_input", amended=batch([(*job.key, amendment.input)]))
    return build.amended(job.snapshot(at), at=to_datetime(at), run_at=to_datetime(run_at))


async def take_over(db: SqliteSession, at: int, *, chain_ids: Sequence[str]) -> list[Transition]:
    """End the leases of running jobs. Their attempts are spent."""
    jobs = await open_jobs(db, chain_ids)
    for job in jobs:
        refusals.check_take_over(job.chain_id, job.status(at))
    await end_attempts(db, at, jobs, Verb.TAKE_OVER)
    back = [(job.chain_id, at, 0, 0, job.last_trace) for job in jobs]
    await db.write("put_back", back=batch(back))
    return [build.moved(job.snapshot(at), Verb.TAKE_OVER, Status.READY) for job in jobs]
