"""What the end of a chain does to those that wait for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from ..errors import Unavailable
from ..model import Transition
from . import rows
from .database import SKIP, WAIT, PostgresDatabase, PostgresSession
from .dedup_keys import held_elsewhere

MOST_DEPENDENTS: Final = 1000
"""How many waiting chains one commit lets go or fails; the others are left to ``unblock_pending``."""

PATIENCE: Final = "100ms"
"""How long a second look waits for those who hold dependents."""


async def let_go(
    session: PostgresSession, closed: Sequence[str], *, budget: int = MOST_DEPENDENTS, lock: str = SKIP
) -> tuple[list[Transition], list[str]]:
    """
    Let go or fail the chains that wait for closed ones, and those that wait for these in turn.

    Returns what was made, and the closed chains that are left pending, because their dependents are too many or
    locked by somebody else.
    """
    made: list[Transition] = []
    passed_over: list[str] = []
    frontier = list(closed)
    while frontier:
        changes, further, is_done = await _release(session, frontier, budget, lock)
        if not is_done:
            passed_over += frontier
        made += changes
        budget -= len(changes)
        frontier = further
    if passed_over:
        await session.rows("leave_pending", sorted(passed_over))
        session.left_pending = True
    return made, passed_over


async def _release(
    session: PostgresSession, closed: Sequence[str], budget: int, lock: str
) -> tuple[list[Transition], list[str], bool]:
    """One ring of dependents: what was made, which of them are waited for in turn, and whether none is left."""
    if budget <= 0:
        return [], [], False
    found = await session.row("hold_dependents", closed, budget, lock=lock)
    busy = await held_elsewhere(session, found["doomed"]) if lock == SKIP else set[str]()
    edges = _without(busy, found["chain_ids"], found["positions"], found["blocker_ids"])
    if not edges:
        return [], [], found["is_done"] and not busy
    released = await session.rows("release_dependents", *edges)
    failed = [row for row in released if row["error_type"]]
    if keyed := [row["chain_id"] for row in failed if row["keyed"]]:
        await session.rows("free_keys", keyed)
    further = [row["chain_id"] for row in failed if row["waited_on"]]
    return [rows.released(row) for row in released], further, found["is_done"] and not busy


def _without(busy: Collection[str], *columns: Sequence[Any]) -> list[list[Any]]:
    """The columns of edges, without those of dependents whose keys somebody else has locked."""
    edges = [edge for edge in zip(*columns, strict=True) if edge[0] not in busy]
    return [list(column) for column in zip(*edges, strict=True)]


async def unblock_pending(session: PostgresSession, *, limit: int, lock: str = SKIP) -> list[Transition]:
    """Work off some of what is left pending."""
    pending = [row["blocker_id"] for row in await session.rows("take_pending", limit)]
    made, _ = await let_go(session, pending, budget=limit, lock=lock)
    return made


async def look_again(database: PostgresDatabase, now: datetime | None) -> list[Transition]:
    """
    Let go the dependents that somebody had locked: most often another of their blockers, which is done in a moment.

    What does not succeed is left to the next ``unblock_pending``: what was closed is committed.
    """

    async def wait_and_unblock(session: PostgresSession) -> list[Transition]:
        await session.rows("lock_patience", PATIENCE)
        return await unblock_pending(session, limit=MOST_DEPENDENTS, lock=WAIT)

    try:
        return await database.run(wait_and_unblock, now=now, atomic=True)
    except Unavailable:
        return []
