"""Dedup keys: take them, or find the chain that holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..errors import Unavailable
from ..model import Dedup, NewJob
from ..transitions.dedup import DedupKey, dedup_keys, is_duplicate
from . import rows
from .database import PostgresSession

TRIES: Final = 100
"""Tries of a start for a key that changes hands; each failed try means that another transaction succeeded."""


class KeyRequest:
    """A start that asks for a key under each name of its type; of a batch, the first start with a key asks for all."""

    def __init__(self, job: NewJob, dedup: Dedup) -> None:
        self.chain_id = job.chain_id
        self.dedup = dedup
        self.keys = dedup_keys(job)

    def answer(self, holders: Mapping[DedupKey, rows.Row]) -> str | None:
        """Return the chain that the start gets instead of a new one; None if no holder matches."""
        found = (holders[key] for key in self.keys if key in holders)
        return next((holder["chain_id"] for holder in found if self._matches(holder)), None)

    def _matches(self, holder: rows.Row) -> bool:
        age = (holder["at"] - holder["created_at"]).total_seconds()
        return is_duplicate(self.dedup, holder=holder["chain_id"], age=age, is_open=holder["is_open"])


async def take(session: PostgresSession, jobs: Sequence[NewJob]) -> dict[str, str]:
    """
    Take the keys of these starts; return the holders of the other keys, by the id of the start that wanted one.

    Raises:
        Unavailable: a key changes hands too fast, or its holder cannot be seen.
    """
    firsts: dict[DedupKey, KeyRequest] = {}
    later: dict[str, str] = {}
    for request in [KeyRequest(job, job.dedup) for job in jobs if job.dedup]:
        first = next((firsts[key] for key in request.keys if key in firsts), request)
        if first is request:
            firsts |= dict.fromkeys(request.keys, request)
        elif first.chain_id != request.chain_id:
            later[request.chain_id] = first.chain_id
    # In the order of the keys, as in the other statements that lock several, so that two batches never deadlock.
    elsewhere = await _resolve(session, dict(sorted(firsts.items())))
    return {asked: elsewhere.get(first, first) for asked, first in later.items()} | elsewhere


async def _resolve(session: PostgresSession, wanted: dict[DedupKey, KeyRequest]) -> dict[str, str]:
    elsewhere: dict[str, str] = {}
    # The loser of a race reads the holder in a second statement: the first one's snapshot is older than the holder's
    # commit. By then the key may be free again, or have another holder; then the loop begins again.
    for _ in range(TRIES):
        if not wanted:
            return elsewhere
        lost = await insert(session, {key: request.chain_id for key, request in wanted.items()})
        answers = _answers(lost, wanted)
        elsewhere |= {request.chain_id: holder for request, holder in answers.items()}
        await _give_back(session, [request for request in answers if len(request.keys) > 1])
        rest = {key: row for key, row in lost.items() if wanted[key] not in answers}
        won = await _take_over(session, rest, wanted)
        wanted = {key: wanted[key] for key in rest if key not in won}
    raise Unavailable("a dedup key changes hands too fast, or the transaction cannot see its holder")


def _answers(lost: Mapping[DedupKey, rows.Row | None], wanted: Mapping[DedupKey, KeyRequest]) -> dict[KeyRequest, str]:
    """Return the chains that starts get instead of new ones."""
    holders = {key: row for key, row in lost.items() if row is not None}
    answers = {request: request.answer(holders) for request in {wanted[key]: None for key in lost}}
    return {request: holder for request, holder in answers.items() if holder is not None}


async def insert(session: PostgresSession, wanted: Mapping[DedupKey, str]) -> dict[DedupKey, rows.Row | None]:
    """Take the keys that are free; return the holders of the others, or None for a key that was just released."""
    taken = await session.rows("take_keys", *_columns(list(wanted)), list(wanted.values()))
    won = {(row["type"], row["key"]) for row in taken}
    lost = [key for key in wanted if key not in won]
    holders = await session.rows("read_keys", *_columns(lost)) if lost else []
    found = {lost[rows.index(row)]: row for row in holders}
    return {key: found.get(key) for key in lost}


async def _give_back(session: PostgresSession, requests: Sequence[KeyRequest]) -> None:
    """Give back the keys that starts have taken which get another chain by another name of their type."""
    owners = {key: request.chain_id for request in requests for key in request.keys}
    if owners:
        await session.rows("give_back_keys", *_columns(list(owners)), list(owners.values()))


async def locked_by_others(session: PostgresSession, chain_ids: Sequence[str]) -> set[str]:
    """
    Return the chains whose keys another transaction has locked, so that closing them would have to wait.

    The keys of the other chains stay locked until the commit.
    """
    return {row["chain_id"] for row in await session.rows("lock_keys", chain_ids)} if chain_ids else set()


async def _take_over(
    session: PostgresSession, lost: Mapping[DedupKey, rows.Row | None], wanted: Mapping[DedupKey, KeyRequest]
) -> set[DedupKey]:
    """Take keys from the chains that were seen to hold them, and return those that were taken."""
    # A start that waits for one of its keys to be free must hold no lock on another.
    waiting = {wanted[key] for key, row in lost.items() if row is None}
    theirs = {key: row["chain_id"] for key, row in lost.items() if row is not None and wanted[key] not in waiting}
    if not theirs:
        return set()
    ours = [wanted[key].chain_id for key in theirs]
    won = await session.rows("take_over_keys", *_columns(list(theirs)), list(theirs.values()), ours)
    return {(row["type"], row["key"]) for row in won}


def _columns(keys: Sequence[DedupKey]) -> tuple[list[str], list[str]]:
    return [type for type, _ in keys], [key for _, key in keys]
