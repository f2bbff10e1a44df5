"""
Pages of jobs and chains, newest chain first.

Each statement of a query (see ``page_statements``) stops when the page is full, or after ``scan_limit`` rows. Then the
page ends at the newest key that every statement has reached. Records are read for the page only.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.json import Decoder

from ..model import ChainRecord, Count, JobKey, JobQuery, JobRecord, Page
from ..transitions.pages import RecordKind, cut_page, next_cursor
from .job_records import read_records
from .page_statements import page_statements, tokens, values
from .session import SqliteSession


class PageScan(Struct, frozen=True, array_like=True):
    """The keys that a scan found, and its end if it stopped before the end of the table with the page not full."""

    number: int
    keys: list[JobKey]
    end: JobKey | None


_SCANS = Decoder(list[PageScan])


async def jobs(db: SqliteSession, at: int, *, query: JobQuery) -> Page[JobRecord]:
    """Return a page of jobs."""
    keys, last = await _page(db, at, query, of="jobs")
    records = await read_records(db, at, keys)
    return Page([records[key] for key in keys if key in records], next_cursor(last, "jobs"))


async def chains(db: SqliteSession, at: int, *, query: JobQuery) -> Page[ChainRecord]:
    """Return a page of chains."""
    keys, last = await _page(db, at, query, of="chains")
    heads = [(chain_id, 0) for chain_id, position in keys if position]
    records = await read_records(db, at, [*keys, *heads])
    found = [key for key in keys if key in records and (key[0], 0) in records]
    return Page([_chain(records[key[0], 0], records[key]) for key in found], next_cursor(last, "chains"))


async def count(db: SqliteSession, at: int, *, query: JobQuery, of: RecordKind) -> Count:
    """Return how many jobs or chains pass the filters, up to the limit."""
    scans = await _scan(db, at, query, of=of, shows=False)
    number = sum(scan.number for scan in scans)
    is_exact = number <= query.limit and not any(scan.end for scan in scans)
    return Count(min(number, query.limit), is_exact)


def _chain(head: JobRecord, tail: JobRecord) -> ChainRecord:
    return ChainRecord(chain_id=head.chain_id, type=head.type, head=head, tail=tail)


async def _page(db: SqliteSession, at: int, query: JobQuery, *, of: RecordKind) -> tuple[list[JobKey], JobKey | None]:
    """Return the keys of a page, and the last key that was read if there may be more."""
    scans = await _scan(db, at, query, of=of, shows=True)
    found = (key for scan in scans for key in scan.keys)
    return cut_page(found, [scan.end for scan in scans if scan.end], of=of, limit=query.limit)


async def _scan(db: SqliteSession, at: int, query: JobQuery, *, of: RecordKind, shows: bool) -> list[PageScan]:
    scans: list[PageScan] = []
    for scan in page_statements(query, of):
        parameters = values(query, scan, of)
        scans += await db.read("page", _SCANS, tokens=tokens(query, scan, of), shows=shows, now=at, **parameters)
    return scans
