"""What the end of a chain does to those that wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..model import Transition
from . import rows
from .database import Session

MOST_DEPENDENTS: Final = 1000
"""How many waiting chains one commit lets go or fails; the others are left to ``mop_up``."""


async def let_go(
    session: Session, closed: Sequence[str], *, budget: int = MOST_DEPENDENTS
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
        changes, further, is_done = await _release(session, frontier, budget)
        if not is_done:
            passed_over += frontier
        made += changes
        budget -= len(changes)
        frontier = further
    if passed_over:
        await session.rows("leave_pending", sorted(passed_over))
    return made, passed_over


async def _release(session: Session, closed: Sequence[str], budget: int) -> tuple[list[Transition], list[str], bool]:
    """One ring of dependents: what was made, which of them are waited for in turn, and whether none is left."""
    if budget <= 0:
        return [], [], False
    found = await session.row("hold_dependents", closed, budget)
    is_done = found["waiting"] == len(found["held"]) < budget
    if not found["held"]:
        return [], [], is_done
    released = await session.rows("release_dependents", found["held"], closed)
    failed = [row for row in released if row["error_type"]]
    if keyed := [row["chain_id"] for row in failed if row["keyed"]]:
        await session.rows("free_keys", keyed)
    return [rows.let_go(row) for row in released], [row["chain_id"] for row in failed if row["waited_on"]], is_done


async def mop_up(session: Session, *, limit: int) -> list[Transition]:
    """Work off some of what is left pending."""
    pending = [row["blocker_id"] for row in await session.rows("take_pending", limit)]
    made, _ = await let_go(session, pending, budget=limit)
    return made
