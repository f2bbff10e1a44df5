"""Reads of jobs, chains and attempts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Literal, TypeVar, cast

from msgspec.structs import replace

from ..errors import InvalidArgument, NotFound
from ..model import (
    MAX_SCAN,
    AttemptRecord,
    ChainOutcome,
    ChainRecord,
    Count,
    JobKey,
    JobQuery,
    JobRecord,
    Page,
    WorkerRecord,
    job_id,
)
from ..ports.state import Transaction
from .engine import Engine
from .filters import (
    AnyChain,
    ChainFilters,
    JobFilters,
    chain_id,
    chain_query,
    check_page,
    job_key,
    job_keys,
    job_query,
    selects_nothing,
)

X = TypeVar("X")


class Lookups:
    """Looks up jobs, chains and their attempts, and the live workers."""

    def __init__(self, engine: Engine) -> None:
        self._state = engine.state
        self._telemetry = engine.telemetry

    async def chain(self, chain: AnyChain, *, tx: Transaction | None = None) -> ChainRecord:
        """
        Return a chain, seen from within the transaction if there is one.

        Raises:
            NotFound: it does not exist.
        """
        id = chain_id(chain)
        with self._telemetry.silence():
            page = await self._state.chains(JobQuery(chain_ids=(id,), limit=1), tx=tx)
        if not page.items:
            raise NotFound(f"chain {id} does not exist")
        return page.items[0]

    async def job(self, job_id: str) -> JobRecord:
        """
        Return a job.

        Raises:
            NotFound: it does not exist.
        """
        job = await self._find(JobQuery(), job_key(job_id))
        if job is None:
            raise NotFound(f"job {job_id} does not exist")
        return job

    async def jobs(self, filters: JobFilters, *, limit: int, after: str | None) -> Page[JobRecord]:
        """Return a page of jobs; all jobs of ``ids`` are in one page."""
        check_page(limit)
        keys = job_keys(filters)
        query = job_query(filters, limit=limit, after=after)
        if keys is None:
            return await self._page(query)
        if after is not None:
            raise InvalidArgument("after", "is given together with ids, which come in one page")
        found = [await self._find(query, key) for key in keys]
        return Page([job for job in found if job is not None])

    async def chain_jobs(self, chain: AnyChain, *, limit: int, after: str | None) -> Page[JobRecord]:
        """
        Return a page of the jobs of one chain.

        Raises:
            NotFound: the chain does not exist.
        """
        page = await self.jobs({"chain": chain}, limit=limit, after=after)
        if not page.items and after is None:
            raise NotFound(f"chain {chain_id(chain)} does not exist")
        return page

    async def chains(self, filters: ChainFilters, *, limit: int, after: str | None = None) -> Page[ChainRecord]:
        """Return a page of chains."""
        check_page(limit)
        query = chain_query(filters, limit=limit, after=after)
        if selects_nothing(filters, query):
            return Page([])
        with self._telemetry.silence():
            return await self._state.chains(query)

    async def count(self, of: Literal["jobs", "chains"], filters: dict[str, Any], *, limit: int) -> Count:
        """Return how many jobs or chains pass the filters, up to ``limit``."""
        if of == "jobs":
            return await self._count_jobs(cast(JobFilters, filters), limit=limit)
        if of == "chains":
            return await self._count_chains(cast(ChainFilters, filters), limit=limit)
        raise InvalidArgument("of", f"is {of!r}; give jobs or chains")

    async def attempts(self, job_id: str) -> list[AttemptRecord]:
        """Return the finished attempts of a job, first to last."""
        chain, position = job_key(job_id)
        with self._telemetry.silence():
            return list(await self._state.attempts(chain, position))

    async def blockers(self, job_id: str) -> list[ChainOutcome]:
        """Return the state of the blockers of a job, in the order in which they were given."""
        key = job_key(job_id)
        with self._telemetry.silence():
            return list((await self._state.blocker_outputs([key])).get(key, ()))

    async def workers(self) -> list[WorkerRecord]:
        """Return the live workers, sorted by name and time of start."""
        with self._telemetry.silence():
            found = await self._state.workers()
        return sorted(found, key=lambda worker: (worker.name, worker.started_at, worker.id))

    async def _count_jobs(self, filters: JobFilters, *, limit: int) -> Count:
        if filters.get("ids") is not None:
            raise InvalidArgument("ids", "cannot be counted; ask for the jobs")
        return await self._count("jobs", job_query(filters, limit=limit))

    async def _count_chains(self, filters: ChainFilters, *, limit: int) -> Count:
        query = chain_query(filters, limit=limit)
        return Count(0, exact=True) if selects_nothing(filters, query) else await self._count("chains", query)

    async def _count(self, of: Literal["jobs", "chains"], query: JobQuery) -> Count:
        with self._telemetry.silence():
            return await self._state.count(replace(query, scan_limit=max(query.limit, MAX_SCAN)), of=of)

    async def _find(self, query: JobQuery, key: JobKey) -> JobRecord | None:
        """Return the job if it passes the filters: the next one of its chain after the position before."""
        chain, position = key
        before = job_id(chain, position - 1) if position else None
        # The port has no verb for one job: a page of one row, right after the position before, costs as little.
        page = await self._page(replace(query, chain_ids=(chain,), after=before, limit=1, scan_limit=1))
        return next((job for job in page.items if job.position == position), None)

    async def _page(self, query: JobQuery) -> Page[JobRecord]:
        with self._telemetry.silence():
            return await self._state.jobs(query)


async def iterate(ask: Callable[[str | None], Awaitable[Page[X]]]) -> AsyncGenerator[X]:
    """Yield the items of all pages; ``ask`` returns a page, given the ``next`` of the page before."""
    after: str | None = None
    while True:
        page = await ask(after)
        for item in page.items:
            yield item
        if (after := page.next) is None:
            return
