"""Rows of other chains, held so that they stay as they are until the commit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from ..errors import JobAlreadyClosed, NotFound
from ..model import Status
from ..transitions import refusals
from ..transitions.build import Snapshot
from . import rows
from .database import WAIT, PostgresSession

STAY: Final = "FOR NO KEY UPDATE"
"""Locks a hot row of somebody else's job, which must not close meanwhile."""

PASS: Final = "SKIP LOCKED"
"""Added to a lock: rows that others hold are passed over."""


async def hold(
    session: PostgresSession, chain_ids: Sequence[str], *, beside: Collection[str] = ()
) -> dict[str, Snapshot]:
    """
    Lock the hot rows of these chains; in the same ascending order, those of the open ones ``beside``.

    Raises:
        NotFound: no such chain.
        JobAlreadyClosed: a chain is closed.
    """
    ids = sorted({*chain_ids, *beside})
    held = {row["chain_id"]: rows.snapshot(row) for row in await session.rows("hold", ids, lock=WAIT)}
    if closed := next((id for id in chain_ids if id not in held), None):
        raise await not_open(session, closed)
    return {id: held[id] for id in chain_ids}


async def not_open(session: PostgresSession, chain_id: str) -> NotFound | JobAlreadyClosed:
    """Why a chain has no hot row."""
    for row in await session.rows("read_tails", [chain_id]):
        return refusals.chain_closed(chain_id, row["status"])
    return refusals.chain_not_found(chain_id)


async def hold_blockers(session: PostgresSession, blockers: Collection[str], *, lock: str = WAIT) -> dict[str, Status]:
    """
    How chains stand, until the commit: as ``blocked`` if open, and then marked as waited on.

    Rows that others have locked are left out, unless ``lock`` waits for them. A chain that has no hot row is closed,
    does not exist, or was redriven this very moment: it is kept from that, and then looked at by another statement.

    Raises:
        NotFound: there is no such chain.
    """
    standing: dict[str, Status] = {}
    rest = sorted(blockers)
    skip = "" if lock == WAIT else PASS
    while rest:
        found = await session.rows("hold_blockers", rest, lock=f"{STAY} {skip}")
        standing |= {row["chain_id"]: Status.BLOCKED for row in found}
        rest = [blocker for blocker in rest if blocker not in standing]
        standing |= await _hold_closed(session, rest, skip) if rest else {}
        rest = [] if skip else [blocker for blocker in rest if blocker not in standing]
    return {blocker: standing[blocker] for blocker in blockers if blocker in standing}


async def _hold_closed(session: PostgresSession, chain_ids: Sequence[str], skip: str) -> dict[str, Status]:
    kept = {row["chain_id"] for row in await session.rows("keep_chains", chain_ids, skip=skip)}
    found = {row["chain_id"]: row["status"] for row in await session.rows("read_ends", chain_ids)}
    if missing := next((id for id in chain_ids if id not in found), None):
        raise refusals.blocker_not_found(missing)
    return {id: Status(status) for id, status in found.items() if status and id in kept}
