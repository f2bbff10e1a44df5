"""Chains, removed with all their history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..model import Transition, Verb
from ..transitions import build, refusals
from . import rows
from .database import WAIT, PostgresSession

CHUNK: Final = 1000
"""How many chains one statement removes."""


async def delete(session: PostgresSession, chain_ids: Sequence[str], *, cascade: bool) -> list[Transition]:
    """Remove chains; with ``cascade`` also those that fed any job of theirs, and so on."""
    ids = list(dict.fromkeys(chain_ids))
    if cascade:  # all that is known already is locked in one ascending round
        ids += await _feeding(session, ids)
    await _hold(session, ids)
    while cascade and (more := await _feeding(session, ids)):
        await _hold(session, more)
        ids += more
    for row in await session.rows("find_dependent", ids):
        raise refusals.still_referenced(row["chain_id"], row["blocker_id"])
    parts = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    return [change for part in parts for change in await _delete(session, part)]


async def _feeding(session: PostgresSession, chain_ids: Sequence[str]) -> list[str]:
    """
    The blockers of any job of these chains, and theirs in turn, that are not among them.

    An open one can be given more until its row is held: therefore it is asked again after that.
    """
    known = set(chain_ids)
    found = await session.rows("find_feeds", list(chain_ids))
    return [row["chain_id"] for row in found if row["chain_id"] not in known]


async def _hold(session: PostgresSession, chain_ids: Sequence[str]) -> None:
    ids = sorted(chain_ids)
    await session.rows("hold", ids, lock=WAIT)
    found = {row["chain_id"] for row in await session.rows("hold_chains", ids)}
    if missing := next((id for id in chain_ids if id not in found), None):
        raise refusals.chain_not_found(missing)


async def _delete(session: PostgresSession, chain_ids: Sequence[str]) -> list[Transition]:
    await session.rows("free_keys", chain_ids)
    return [build.moved(rows.snapshot(row), Verb.DELETE, None) for row in await session.rows("delete", chain_ids)]
