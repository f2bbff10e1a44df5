"""
Jobs and chains, page by page and counted.

A query walks keys, newest first, in one or more families: open jobs, closed jobs, or failed and cancelled ones by
their own index; or the jobs of given chains, or the dependents of one. Each family looks at so many rows at most and
says where it had to stop; the page ends at the newest of these places. The records are read for the page alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from ..model import ChainRecord, Count, JobKey, JobQuery, JobRecord, Page
from . import rows
from .database import Session
from .walking import LAST_POSITION, STATUS, Of, arguments, tokens, walks, wanted

TAIL: Final = -1
"""Instead of a position: that of a chain's tail."""


class Found(Struct, frozen=True):
    """Keys in order, and the place up to which every family was looked at, if one had to stop."""

    keys: list[JobKey]
    bound: JobKey | None


async def jobs(session: Session, query: JobQuery) -> Page[JobRecord]:
    """Jobs, newest chain first, within a chain first to last."""
    keys, last = _cut(await _find(session, query, of="jobs"), query.limit)
    records = await read_records(session, keys)
    page = [records[key] for key in keys if key in records]
    statuses = wanted(query, "jobs")
    return Page([record for record in page if record.status in statuses], f"{last[0]}.{last[1]}" if last else None)


async def chains(session: Session, query: JobQuery) -> Page[ChainRecord]:
    """Chains by the type of their first job and the status of their tail, newest first."""
    keys, last = _cut(await _find(session, query, of="chains"), query.limit)
    records = await _read_chains(session, [chain_id for chain_id, _ in keys])
    page = [records[chain_id] for chain_id, _ in keys if chain_id in records]
    statuses = wanted(query, "chains")
    return Page([chain for chain in page if chain.tail.status in statuses], last[0] if last else None)


async def count(session: Session, query: JobQuery, *, of: Of) -> Count:
    """How many jobs or chains pass, as far as a page of that size looks."""
    keys, last = _cut(await _find(session, query, of=of), query.limit)
    return Count(len(keys), exact=last is None)


async def read_records(session: Session, keys: Sequence[JobKey]) -> dict[JobKey, JobRecord]:
    """The jobs with these keys that exist."""
    if not keys:
        return {}
    columns = [chain_id for chain_id, _ in keys], [position for _, position in keys]
    found = await session.rows("read_records", *columns, status=STATUS)
    return {(row["chain_id"], row["position"]): rows.record(row) for row in found}


async def _read_chains(session: Session, chain_ids: Sequence[str]) -> dict[str, ChainRecord]:
    """
    The chains with these ids that exist.

    Each with the tail that it has now: it may have gone on since it was found.
    """
    keys = [(chain_id, position) for chain_id in chain_ids for position in (0, TAIL)]
    found = await read_records(session, keys)
    tails = {chain_id: found[chain_id, position] for chain_id, position in sorted(found)}
    heads = ((chain_id, found[chain_id, 0]) for chain_id in tails)
    return {id: ChainRecord(chain_id=id, type=head.type, head=head, tail=tails[id]) for id, head in heads}


def _cut(found: Found, limit: int) -> tuple[list[JobKey], JobKey | None]:
    """A page's keys, and the last that was looked at, if there may be more."""
    if len(found.keys) > limit:
        keys = found.keys[:limit]
        return keys, keys[-1] if keys else None
    return found.keys, found.bound


async def _find(session: Session, query: JobQuery, *, of: Of) -> Found:
    """
    The next keys, one more than a page.

    The open ones are read first: a job that closes meanwhile is then found twice, and not missed.
    """
    found: set[JobKey] = set()
    bounds: set[JobKey] = set()
    for walk in walks(query, of):
        filled = tokens(session.queries, query, walk, of)
        for row in await session.rows(walk.statement, *arguments(query, walk, of), **filled):
            (bounds if row["is_bound"] else found).add((row["chain_id"], row["position"]))
    bound = next(iter(_in_order(bounds)), None)
    keys = _in_order(found)
    return Found([*_up_to(keys, bound, of)] if bound else keys, bound)


def _in_order(keys: Iterable[JobKey]) -> list[JobKey]:
    first_to_last = sorted(keys, key=lambda key: key[1])
    return sorted(first_to_last, key=lambda key: key[0], reverse=True)


def _up_to(keys: Sequence[JobKey], bound: JobKey, of: Of) -> Iterator[JobKey]:
    """The keys that come before the place where looking ended, or stand there; of a chain its tail was seen first."""
    last = bound if of == "jobs" else (bound[0], LAST_POSITION)
    return (key for key in keys if key[0] > last[0] or (key[0] == last[0] and key[1] <= last[1]))
