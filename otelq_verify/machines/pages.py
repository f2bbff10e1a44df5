"""All answers to a query, page by page, and the demands on every page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from msgspec.structs import replace

from otelq.model import JobKey, JobQuery, Page
from otelq.ports.state import StateAdapter

T = TypeVar("T")
MANY = 1000
"""More pages than any run can fill."""


async def all_jobs(adapter: StateAdapter, query: JobQuery) -> list[JobKey]:
    """Return the keys of all jobs that a query finds."""
    return [(job.chain_id, job.position) for job in await _all(adapter.jobs, query)]


async def all_chains(adapter: StateAdapter, query: JobQuery) -> list[str]:
    """Return the ids of all chains that a query finds."""
    return [chain.chain_id for chain in await _all(adapter.chains, query)]


async def _all(ask: Callable[[JobQuery], Awaitable[Page[T]]], query: JobQuery) -> list[T]:
    found: list[T] = []
    for _ in range(MANY):
        page = await ask(query)
        assert len(page.items) <= query.limit, f"{len(page.items)} items on a page of {query.limit}"
        found += page.items
        if page.next is None:
            return found
        assert page.next != query.after, f"the page after {query.after} leads to itself"
        query = replace(query, after=page.next)
    raise AssertionError(f"the pages of {query} do not end")


async def counted(
    adapter: StateAdapter, query: JobQuery, of: Literal["jobs", "chains"], *, number: int, rows: int
) -> None:
    """Check that a count is exact where the bounds allow; elsewhere it is the number found within them."""
    count = await adapter.count(query, of=of)
    if number < query.limit and rows < query.scan_limit:
        assert (count.number, count.exact) == (number, True), f"{count} of {query}, expected {number}"
    assert count.number <= min(number, query.limit), f"{count} of {query}, of {number}"
    assert not count.exact or count.number == number, f"{count} of {query}, expected {number}"
