"""Dependents of closed chains: release them, or fail them with their blocker."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from ..errors import Unavailable
from ..model import Transition
from . import rows
from .database import SKIP, WAIT, PostgresDatabase, PostgresSession
from .dedup_keys import locked_by_others

MAX_DEPENDENTS: Final = 1000
"""Dependents that one commit releases or fails; the rest is left to ``unblock_pending``."""

LOCK_TIMEOUT: Final = "100ms"
"""Time that the retry of locked dependents waits for their locks."""


async def release_dependents(
    session: PostgresSession, closed: Sequence[str], *, budget: int = MAX_DEPENDENTS, lock: str = SKIP
) -> tuple[list[Transition], list[str]]:
    """
    Release or fail the dependents of closed chains, and the dependents of those that fail, and so on.

    Return the transitions, and the closed chains that stay pending because they have too many dependents, or some
    that another transaction has locked.
    """
    transitions: list[Transition] = []
    skipped: list[str] = []
    frontier = list(closed)
    while frontier:
        changes, failed, is_done = await _release_round(session, frontier, budget, lock)
        if not is_done:
            skipped += frontier
        # A dependent that failed closed its chain: its own dependents are the next round.
        transitions += changes
        budget -= len(changes)
        frontier = failed
    if skipped:
        await session.rows("add_pending", sorted(skipped))
        session.left_pending = True
    return transitions, skipped


async def _release_round(
    session: PostgresSession, closed: Sequence[str], budget: int, lock: str
) -> tuple[list[Transition], list[str], bool]:
    """Release one round of dependents; return the transitions, failed chains with dependents, and if all are done."""
    if budget <= 0:
        return [], [], False
    # Two statements. With SKIP LOCKED, two open transactions that close two blockers of one job never wait for each
    # other. The second statement has a newer snapshot, so it sees the job as the transaction that had it left it.
    found = await session.row("lock_dependents", closed, budget, lock=lock)
    busy = await locked_by_others(session, found["failing"]) if lock == SKIP else set[str]()
    columns = _without_busy(busy, found["chain_ids"], found["positions"], found["blocker_ids"])
    if not columns:
        return [], [], found["is_done"] and not busy
    released = await session.rows("release_dependents", *columns)
    failed = [row for row in released if row["error_type"]]
    if keyed := [row["chain_id"] for row in failed if row["keyed"]]:
        await session.rows("free_keys", keyed)
    further = [row["chain_id"] for row in failed if row["waited_on"]]
    return [rows.released(row) for row in released], further, found["is_done"] and not busy


def _without_busy(busy: Collection[str], *columns: Sequence[Any]) -> list[list[Any]]:
    """Return the columns of blocker rows without the dependents whose dedup keys others have locked."""
    free = [row for row in zip(*columns, strict=True) if row[0] not in busy]
    return [list(column) for column in zip(*free, strict=True)]


async def unblock_pending(session: PostgresSession, *, limit: int, lock: str = SKIP) -> list[Transition]:
    """Release some of the dependents that were left pending."""
    pending = [row["blocker_id"] for row in await session.rows("take_pending", limit)]
    transitions, _ = await release_dependents(session, pending, budget=limit, lock=lock)
    return transitions


async def unblock_locked(database: PostgresDatabase, now: datetime | None) -> list[Transition]:
    """
    Release dependents that others had locked, waiting a moment for the locks.

    The lock is most often that of another blocker of the same job, which closes at the same time. A job that is still
    locked is left to the next ``unblock_pending``, since the close itself is committed already.
    """

    async def wait_and_unblock(session: PostgresSession) -> list[Transition]:
        await session.rows("set_lock_timeout", LOCK_TIMEOUT)
        return await unblock_pending(session, limit=MAX_DEPENDENTS, lock=WAIT)

    try:
        return await database.run(wait_and_unblock, now=now, atomic=True)
    except Unavailable:
        return []
