"""Dedup keys: take them, or find the chain that holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..errors import Unavailable
from ..model import Dedup, NewJob
from ..transitions.dedup import is_duplicate
from . import rows
from .database import PostgresSession

TRIES: Final = 100
"""Tries of a start for a key that changes hands; each failed try means that another transaction succeeded."""

Key = tuple[str, str]
"""A job type and a key."""


class KeyRequest:
    """A start that asks for a key, and its terms; of a batch, the first start with the key asks for all."""

    def __init__(self, job: NewJob, dedup: Dedup) -> None:
        self.chain_id = job.chain_id
        self.dedup = dedup

    def is_answered_by(self, holder: rows.Row) -> bool:
        """Return whether the start gets the chain that holds the key instead of a new one."""
        age = (holder["at"] - holder["created_at"]).total_seconds()
        return is_duplicate(self.dedup, holder=holder["chain_id"], age=age, is_open=holder["is_open"])


async def take(session: PostgresSession, jobs: Sequence[NewJob]) -> dict[str, str]:
    """
    Take the keys of these starts; return the holders of the other keys, by the id of the start that wanted one.

    Raises:
        Unavailable: a key changes hands too fast, or its holder cannot be seen.
    """
    firsts: dict[Key, KeyRequest] = {}
    later: dict[str, str] = {}
    for job in jobs:
        if job.dedup:
            first = firsts.setdefault((job.type, job.dedup.key), KeyRequest(job, job.dedup))
            if first.chain_id != job.chain_id:
                later[job.chain_id] = first.chain_id
    # In the order of the keys, as in the other statements that lock several, so that two batches never deadlock.
    elsewhere = await _resolve(session, dict(sorted(firsts.items())))
    return {asked: elsewhere.get(first, first) for asked, first in later.items()} | elsewhere


async def _resolve(session: PostgresSession, wanted: dict[Key, KeyRequest]) -> dict[str, str]:
    holders: dict[str, str] = {}
    # The loser of a race reads the holder in a second statement: the first one's snapshot is older than the holder's
    # commit. By then the key may be free again, or have another holder; then the loop begins again.
    for _ in range(TRIES):
        if not wanted:
            return holders
        lost = await insert(session, {key: asked.chain_id for key, asked in wanted.items()})
        found = {key: row for key, row in lost.items() if row is not None}
        answered = {key: row["chain_id"] for key, row in found.items() if wanted[key].is_answered_by(row)}
        holders |= {wanted[key].chain_id: holder for key, holder in answered.items()}
        theirs = {key: row["chain_id"] for key, row in found.items() if key not in answered}
        won = await _take_over(session, theirs, wanted) if theirs else set[str]()
        wanted = {key: wanted[key] for key in lost if key not in answered and wanted[key].chain_id not in won}
    raise Unavailable("a dedup key changes hands too fast, or the transaction cannot see its holder")


async def insert(session: PostgresSession, wanted: Mapping[Key, str]) -> dict[Key, rows.Row | None]:
    """Take the keys that are free; return the holders of the others, or None for a key that was just released."""
    taken = await session.rows("take_keys", *_columns(list(wanted)), list(wanted.values()))
    won = {row["chain_id"] for row in taken}
    lost = [key for key, chain_id in wanted.items() if chain_id not in won]
    holders = await session.rows("read_keys", *_columns(lost)) if lost else []
    found = {lost[rows.index(row)]: row for row in holders}
    return {key: found.get(key) for key in lost}


async def locked_by_others(session: PostgresSession, chain_ids: Sequence[str]) -> set[str]:
    """
    Return the chains whose keys another transaction has locked, so that closing them would have to wait.

    The keys of the other chains stay locked until the commit.
    """
    return {row["chain_id"] for row in await session.rows("lock_keys", chain_ids)} if chain_ids else set()


async def _take_over(session: PostgresSession, theirs: Mapping[Key, str], wanted: Mapping[Key, KeyRequest]) -> set[str]:
    """Take keys from the chains that were seen to hold them, and return the chains that got one."""
    ours = [wanted[key].chain_id for key in theirs]
    won = await session.rows("take_over_keys", *_columns(list(theirs)), list(theirs.values()), ours)
    return {row["chain_id"] for row in won}


def _columns(keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    return [type for type, _ in keys], [key for _, key in keys]
