"""The end of a job: its open row becomes an outcome."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..model import Status, Verb
from .rows import OpenJob
from .session import SqliteSession, batch


class ClosedJob(Struct, frozen=True, array_like=True, gc=False):
    """The end of an open job. ``by_holder`` is set if the worker that holds its lease closed it."""

    chain_id: str
    status: Status
    verb: Verb
    output: str | None = None
    error_type: str | None = None
    error_text: str | None = None
    trace: str | None = None
    by_holder: bool = False
    worker: str | None = None


async def close(db: SqliteSession, at: int, closed: Sequence[ClosedJob], *, with_dedup: bool) -> None:
    """Close chains: record their outcomes, delete their open rows, and free their dedup keys if they have any."""
    chains = batch([ended.chain_id for ended in closed])
    # The outcome copies the open row, so it is written before that is deleted.
    await db.write("record_outcomes", closed=batch(closed), now=at)
    await db.write("delete_open", chains=chains)
    if with_dedup:
        await db.write("free_keys", chains=chains)


async def end_attempts(db: SqliteSession, at: int, jobs: Sequence[OpenJob], verb: Verb) -> None:
    """Record the attempts of running jobs, whose workers lose them by this verb."""
    running = [(job.chain_id, verb, None, None, None) for job in jobs if job.token is not None]
    if running:
        await db.write("record_attempts", ended=batch(running), now=at)
