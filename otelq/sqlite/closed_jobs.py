"""The end of a job: its hot row becomes an outcome."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..model import Status, Verb
from .rows import OpenJob
from .session import SqliteSession, batch


class ClosedJob(Struct, frozen=True, array_like=True, gc=False):
    """How an open job ends. ``by_holder``: under its lease, by the worker that holds it."""

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
    """End chains: the hot row becomes an outcome, and the dedup key is free."""
    chains = batch([ended.chain_id for ended in closed])
    await db.write("record_outcomes", closed=batch(closed), now=at)
    await db.write("delete_open", chains=chains)
    if with_dedup:
        await db.write("free_keys", chains=chains)


async def end_attempts(db: SqliteSession, at: int, jobs: Sequence[OpenJob], verb: Verb) -> None:
    """Keep the attempts of those that run, which are fenced off."""
    running = [(job.chain_id, verb, None, None, None) for job in jobs if job.token is not None]
    if running:
        await db.write("record_attempts", ended=batch(running), now=at)
