"""
Row locks that last until the commit.

Everything that otelq locks itself is locked in ascending order of chain ids, so that two of its transactions never
deadlock. The order cannot hold across statements of a caller's transaction; there deadlocks are retried.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from ..errors import JobAlreadyClosed, NotFound, Unavailable
from ..model import Status
from ..transitions import refusals
from ..transitions.build import Snapshot
from . import rows
from .database import WAIT, PostgresSession

BLOCKER_LOCK: Final = "FOR NO KEY UPDATE"
"""Locks the hot row of another chain, which must not close until a job's blocker rows are committed."""

SKIP_LOCKED: Final = "SKIP LOCKED"
"""Added to a lock, it leaves out the rows that others have locked."""


async def lock_jobs(
    session: PostgresSession, chain_ids: Sequence[str], *, also: Collection[str] = ()
) -> dict[str, Snapshot]:
    """
    Lock the hot rows of these chains and, in the same ascending order, those of ``also`` that are open.

    Raises:
        NotFound: no such chain.
        JobAlreadyClosed: a chain is closed.
    """
    # In one statement, as two would lock in two ascending runs.
    ids = sorted({*chain_ids, *also})
    locked = {row["chain_id"]: rows.snapshot(row) for row in await session.rows("lock_jobs", ids, lock=WAIT)}
    if closed := next((id for id in chain_ids if id not in locked), None):
        raise await not_open_error(session, closed)
    return {id: locked[id] for id in chain_ids}


async def not_open_error(session: PostgresSession, chain_id: str) -> NotFound | JobAlreadyClosed:
    """Return the error for a chain that has no hot row."""
    for row in await session.rows("read_tails", [chain_id]):
        return refusals.chain_closed(chain_id, row["status"])
    return refusals.chain_not_found(chain_id)


async def lock_blockers(session: PostgresSession, blockers: Collection[str], *, lock: str = WAIT) -> dict[str, Status]:
    """
    Lock blockers until the commit, and return their statuses: ``blocked`` for any that is open.

    Open ones are marked as waited on, so that their close looks for dependents. Rows that others have locked are left
    out, unless ``lock`` is WAIT.

    Raises:
        NotFound: there is no such chain.
    """
    statuses: dict[str, Status] = {}
    rest = sorted(blockers)
    skip = "" if lock == WAIT else SKIP_LOCKED
    # A chain without a hot row is closed, does not exist, or was redriven a moment ago. It is locked against a redrive
    # first and read by the next statement; if it turns out to be open, the loop begins again.
    while rest:
        found = await session.rows("lock_blockers", rest, lock=f"{BLOCKER_LOCK} {skip}")
        statuses |= {row["chain_id"]: Status.BLOCKED for row in found}
        rest = [blocker for blocker in rest if blocker not in statuses]
        statuses |= await _lock_closed(session, rest, skip) if rest else {}
        rest = [] if skip else [blocker for blocker in rest if blocker not in statuses]
    return {blocker: statuses[blocker] for blocker in blockers if blocker in statuses}


async def _lock_closed(session: PostgresSession, chain_ids: Sequence[str], skip: str) -> dict[str, Status]:
    locked = {row["chain_id"] for row in await session.rows("lock_chains_shared", chain_ids, skip=skip)}
    # A newer snapshot than that of the lock: a redrive or delete that held it has committed by now, and is seen.
    found = {row["chain_id"]: row["status"] for row in await session.rows("read_outcomes", chain_ids)}
    if missing := next((id for id in chain_ids if id not in found), None):
        raise refusals.blocker_not_found(missing)
    return {id: Status(status) for id, status in found.items() if status and id in locked}


async def lock_cycle_check(session: PostgresSession, *, lock: str = WAIT) -> bool:
    """
    Take the lock for the search for cycles until the commit.

    Return False if another transaction has it; if ``lock`` is WAIT, wait for that one instead.

    Raises:
        Unavailable: the row that is locked is missing, so that nothing would exclude others.
    """
    row = await session.row("lock_cycle_check" if lock == WAIT else "try_lock_cycle_check")
    if not row["is_there"]:
        table = session.queries.fill("{schema}.cycle_check")
        raise Unavailable(f"the one row of {table} is missing; restore it: INSERT INTO {table} DEFAULT VALUES")
    is_ours: bool = row["is_ours"]
    return is_ours
