"""Deletion of chains with all their history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..model import Transition, Verb
from ..transitions import build, refusals
from . import rows
from .database import WAIT, PostgresSession

CHUNK: Final = 1000
"""Chains that one statement removes."""


async def delete(session: PostgresSession, chain_ids: Sequence[str], *, cascade: bool) -> list[Transition]:
    """Remove chains; with ``cascade`` also the blockers of their jobs, and the blockers of those, and so on."""
    ids = list(dict.fromkeys(chain_ids))
    if cascade:  # lock all that are known already in one ascending pass
        ids += await _all_blockers(session, ids)
    await _lock(session, ids)
    while cascade and (more := await _all_blockers(session, ids)):
        await _lock(session, more)
        ids += more
    # With all rows locked, no start can add a dependent between this check and the delete.
    for row in await session.rows("find_dependent", ids):
        raise refusals.still_referenced(row["chain_id"], row["blocker_id"])
    parts = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    return [change for part in parts for change in await _delete(session, part)]


async def _all_blockers(session: PostgresSession, chain_ids: Sequence[str]) -> list[str]:
    """
    Return the blockers of all jobs of these chains, and theirs in turn, that are not among them.

    An open chain can get more blockers until its row is locked, so this is asked again after that.
    """
    known = set(chain_ids)
    found = await session.rows("find_all_blockers", list(chain_ids))
    return [row["chain_id"] for row in found if row["chain_id"] not in known]


async def _lock(session: PostgresSession, chain_ids: Sequence[str]) -> None:
    ids = sorted(chain_ids)
    # The hot row first, as every verb does; then the first job, for chains that are closed and have no hot row.
    await session.rows("lock_jobs", ids, lock=WAIT)
    found = {row["chain_id"] for row in await session.rows("lock_chains", ids)}
    if missing := next((id for id in chain_ids if id not in found), None):
        raise refusals.chain_not_found(missing)


async def _delete(session: PostgresSession, chain_ids: Sequence[str]) -> list[Transition]:
    await session.rows("free_keys", chain_ids)
    return [build.moved(rows.snapshot(row), Verb.DELETE, None) for row in await session.rows("delete", chain_ids)]
