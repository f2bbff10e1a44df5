"""Dedup keys: taken, kept, or lost to another chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..errors import Unavailable
from ..model import Dedup, NewJob
from ..transitions.dedup import is_duplicate
from . import rows
from .database import PostgresSession

TRIES: Final = 100
"""How often a start looks again at a key that changed hands meanwhile; each time, somebody else got on."""

Key = tuple[str, str]
"""A job type and a key."""


class KeyRequest:
    """Who asks for a key, and on what terms; the first of a batch asks for all."""

    def __init__(self, job: NewJob, dedup: Dedup) -> None:
        self.chain_id = job.chain_id
        self.dedup = dedup

    def is_answered_by(self, holder: rows.Row) -> bool:
        """Whether the chain that holds the key is given in the place of a new one."""
        age = (holder["at"] - holder["created_at"]).total_seconds()
        return is_duplicate(self.dedup, holder=holder["chain_id"], age=age, is_open=holder["is_open"])


async def take(session: PostgresSession, jobs: Sequence[NewJob]) -> dict[str, str]:
    """
    Take the keys of these starts; the chains that hold the others, by the id that asked in vain.

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
    elsewhere = await _settle(session, dict(sorted(firsts.items())))
    return {asked: elsewhere.get(first, first) for asked, first in later.items()} | elsewhere


async def _settle(session: PostgresSession, wanted: dict[Key, KeyRequest]) -> dict[str, str]:
    holders: dict[str, str] = {}
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
    raise Unavailable("a dedup key changes hands too fast, or the transaction cannot see who holds it")


async def insert(session: PostgresSession, wanted: Mapping[Key, str]) -> dict[Key, rows.Row | None]:
    """Take the keys that are free; the holders of the others, or None for one that just let go."""
    taken = await session.rows("take_keys", *_columns(list(wanted)), list(wanted.values()))
    won = {row["chain_id"] for row in taken}
    lost = [key for key, chain_id in wanted.items() if chain_id not in won]
    held = await session.rows("read_keys", *_columns(lost)) if lost else []
    found = {lost[rows.place(row)]: row for row in held}
    return {key: found.get(key) for key in lost}


async def held_elsewhere(session: PostgresSession, chain_ids: Sequence[str]) -> set[str]:
    """
    Those of the chains whose keys somebody else has locked, so that closing them would have to wait.

    The keys of the others stay locked until the commit.
    """
    return {row["chain_id"] for row in await session.rows("hold_keys", chain_ids)} if chain_ids else set()


async def _take_over(session: PostgresSession, theirs: Mapping[Key, str], wanted: Mapping[Key, KeyRequest]) -> set[str]:
    """Take keys from the chains that were seen to hold them; the chains that got theirs."""
    ours = [wanted[key].chain_id for key in theirs]
    won = await session.rows("take_over_keys", *_columns(list(theirs)), list(theirs.values()), ours)
    return {row["chain_id"] for row in won}


def _columns(keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    return [type for type, _ in keys], [key for _, key in keys]
