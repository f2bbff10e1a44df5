"""
Pages and counts of jobs and chains.

A query walks keys, newest first, in one or more families: open jobs, closed jobs, or failed and cancelled ones by
their own index; or the jobs of given chains, or the dependents of one. Each family looks at a limited number of rows
and returns its last key, if there are more. The page ends at the newest of these keys. Records are read only for the
keys on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..model import ChainRecord, Count, JobKey, JobQuery, JobRecord, Page
from ..transitions.pages import RecordKind, cut_page, next_cursor, statuses_of
from . import rows
from .database import PostgresSession
from .page_statements import STATUS, arguments, tokens, walks

TAIL: Final = -1
"""A position that means the last job of a chain."""


async def jobs(session: PostgresSession, query: JobQuery) -> Page[JobRecord]:
    """Return a page of jobs: newest chain first, within a chain first to last."""
    keys, last = await _find(session, query, of="jobs")
    records = await read_records(session, keys)
    page = [records[key] for key in keys if key in records]
    # Checked again: a job may have changed between the walk and the read.
    statuses = statuses_of(query, "jobs")
    return Page([record for record in page if record.status in statuses], next_cursor(last, "jobs"))


async def chains(session: PostgresSession, query: JobQuery) -> Page[ChainRecord]:
    """Return a page of chains, newest first, by the type of the first job and the status of the last."""
    keys, last = await _find(session, query, of="chains")
    records = await _read_chains(session, [chain_id for chain_id, _ in keys])
    page = [records[chain_id] for chain_id, _ in keys if chain_id in records]
    statuses = statuses_of(query, "chains")
    return Page([chain for chain in page if chain.tail.status in statuses], next_cursor(last, "chains"))


async def count(session: PostgresSession, query: JobQuery, *, of: RecordKind) -> Count:
    """Count the jobs or chains that pass the filters, among the rows that a page of that size looks at."""
    keys, last = await _find(session, query, of=of)
    return Count(len(keys), exact=last is None)


async def read_records(session: PostgresSession, keys: Sequence[JobKey]) -> dict[JobKey, JobRecord]:
    """Return the records of those keys that exist."""
    if not keys:
        return {}
    columns = [chain_id for chain_id, _ in keys], [position for _, position in keys]
    found = await session.rows("read_records", *columns, status=STATUS)
    return {(row["chain_id"], row["position"]): rows.record(row) for row in found}


async def _read_chains(session: PostgresSession, chain_ids: Sequence[str]) -> dict[str, ChainRecord]:
    """
    Return the records of those chains that exist.

    The last job of each is read anew, since the chain may have continued after its key was found.
    """
    keys = [(chain_id, position) for chain_id in chain_ids for position in (0, TAIL)]
    found = await read_records(session, keys)
    tails = {chain_id: found[chain_id, position] for chain_id, position in sorted(found)}
    heads = ((chain_id, found[chain_id, 0]) for chain_id in tails)
    return {id: ChainRecord(chain_id=id, type=head.type, head=head, tail=tails[id]) for id, head in heads}


async def _find(session: PostgresSession, query: JobQuery, *, of: RecordKind) -> tuple[list[JobKey], JobKey | None]:
    """
    Return the keys of a page, and the last key that was looked at, if there may be more.

    Open jobs are read first: a job that closes meanwhile is then found twice, and not missed.
    """
    found: set[JobKey] = set()
    bounds: set[JobKey] = set()
    for walk in walks(query, of):
        filled = tokens(session.queries, query, walk, of)
        for row in await session.rows(walk.statement, *arguments(query, walk, of), **filled):
            (bounds if row["is_bound"] else found).add((row["chain_id"], row["position"]))
    return cut_page(found, bounds, of=of, limit=query.limit)
