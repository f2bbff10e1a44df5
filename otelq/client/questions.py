"""What a client can be asked about jobs and chains; nothing here changes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Literal, Unpack, cast, overload

from msgspec.structs import replace

from ..errors import InvalidArgument, NotFound
from ..model import (
    LONGEST_LOOK,
    AttemptRecord,
    ChainOutcome,
    ChainRecord,
    Count,
    JobKey,
    JobQuery,
    JobRecord,
    Page,
    Status,
    job_id,
)
from .changes import Changing
from .explaining import MOST_BLOCKERS, Explanation, Known, explanation
from .queries import (
    LARGEST_PAGE,
    AnyChain,
    ChainFilters,
    JobFilters,
    asks_for_none,
    chain_id,
    chain_query,
    check_page,
    job_key,
    job_keys,
    job_query,
)


class Asking(Changing):
    """
    Jobs and chains as they stand, one by one and in pages.

    Pages come newest chain first. A page looks at a bounded number of rows, however much is stored: with filters it
    can hold fewer items than its limit, even none, and still have a ``next``; it is the last only if ``next`` is None.
    Filters look at payloads as they are stored: under a codec that encrypts them, ``input``, ``output`` and ``text``
    find nothing.
    """

    async def chain(self, chain: AnyChain) -> ChainRecord:
        """
        The chain as it stands: its first job and its tail.

        Raises:
            NotFound: it does not exist.
        """
        self._check_home()
        return await self._record(chain)

    async def job(self, job_id: str) -> JobRecord:
        """
        One job, by its id.

        Raises:
            NotFound: it does not exist.
        """
        self._check_home()
        job = await self._find(JobQuery(), job_key(job_id))
        if job is None:
            raise NotFound(f"job {job_id} does not exist")
        return job

    async def jobs(
        self, *, limit: int = 50, after: str | None = None, **filters: Unpack[JobFilters]
    ) -> Page[JobRecord]:
        """
        Jobs, those of the newest chains first, within a chain first to last.

        ``limit`` is 1 to 1,000; ``after`` is the ``next`` of the page before. The filters are those of
        ``otelq.JobFilters``. What is asked for by ``ids`` comes in one page.
        """
        check_page(limit)
        keys = job_keys(filters)
        asked = job_query(filters, limit=limit, after=after)
        self._check_home()
        if keys is None:
            return await self._ask(asked)
        if after is not None:
            raise InvalidArgument("after", "is given together with ids, which come in one page")
        found = [await self._find(asked, key) for key in keys]
        return Page([job for job in found if job is not None])

    async def iterate_jobs(self, **filters: Unpack[JobFilters]) -> AsyncGenerator[JobRecord]:
        """All jobs that pass the filters of ``jobs``, page by page as they are asked for."""
        after: str | None = None
        while True:
            page = await self.jobs(limit=LARGEST_PAGE, after=after, **filters)
            for job in page.items:
                yield job
            if (after := page.next) is None:
                return

    async def chain_jobs(self, chain: AnyChain, *, limit: int = 50, after: str | None = None) -> Page[JobRecord]:
        """
        The jobs of one chain, first to last; ``limit`` and ``after`` as of ``jobs``.

        Raises:
            NotFound: the chain does not exist.
        """
        page = await self.jobs(chain=chain, limit=limit, after=after)
        if not page.items and after is None:
            raise NotFound(f"chain {chain_id(chain)} does not exist")
        return page

    async def chains(
        self, *, limit: int = 50, after: str | None = None, **filters: Unpack[ChainFilters]
    ) -> Page[ChainRecord]:
        """Chains, newest first; ``limit`` and ``after`` as of ``jobs``, filters of ``otelq.ChainFilters``."""
        check_page(limit)
        asked = chain_query(filters, limit=limit, after=after)
        engine = self.engine
        if asks_for_none(filters, asked):
            return Page([])
        with engine.telemetry.silence():
            return await engine.state.chains(asked)

    async def iterate_chains(self, **filters: Unpack[ChainFilters]) -> AsyncGenerator[ChainRecord]:
        """All chains that pass the filters of ``chains``, page by page as they are asked for."""
        after: str | None = None
        while True:
            page = await self.chains(limit=LARGEST_PAGE, after=after, **filters)
            for chain in page.items:
                yield chain
            if (after := page.next) is None:
                return

    @overload
    async def count(
        self, *, of: Literal["jobs"] = "jobs", limit: int = 10_000, **filters: Unpack[JobFilters]
    ) -> Count: ...
    @overload
    async def count(self, *, of: Literal["chains"], limit: int = 10_000, **filters: Unpack[ChainFilters]) -> Count: ...
    async def count(self, *, of: Literal["jobs", "chains"] = "jobs", limit: int = 10_000, **filters: Any) -> Count:
        """
        How many jobs or chains pass the filters of ``jobs`` or ``chains``.

        It counts up to ``limit``, 1 to 100,000, and looks at a bounded number of rows; where it stopped at one of these
        bounds the answer is not ``exact``, and there may be more.
        """
        if of not in ("jobs", "chains"):
            raise InvalidArgument("of", f"is {of!r}; give jobs or chains")
        if of == "jobs" and filters.get("ids") is not None:
            raise InvalidArgument("ids", "cannot be counted; ask for the jobs")
        asked = (
            job_query(cast(JobFilters, filters), limit=limit)
            if of == "jobs"
            else chain_query(cast(ChainFilters, filters), limit=limit)
        )
        engine = self.engine
        if asks_for_none(cast(ChainFilters, filters), asked):
            return Count(0, exact=True)
        with engine.telemetry.silence():
            return await engine.state.count(replace(asked, look=max(limit, LONGEST_LOOK)), of=of)

    async def attempts(self, job_id: str) -> list[AttemptRecord]:
        """The finished attempts of a job, first to last."""
        chain, position = job_key(job_id)
        engine = self.engine
        with engine.telemetry.silence():
            return list(await engine.state.attempts(chain, position))

    async def blockers(self, job_id: str) -> list[ChainOutcome]:
        """How the chains stand that a job waits for, or waited for, in the order in which they were given."""
        key = job_key(job_id)
        engine = self.engine
        with engine.telemetry.silence():
            return list((await engine.state.blocker_outputs([key])).get(key, ()))

    async def explain(self, what: AnyChain) -> Explanation:
        """
        Why a job does not run just now, or that it does; ``print`` it, or read its reasons.

        ``what`` is the id of a job, or a chain, whose open or last job is meant.

        Raises:
            NotFound: it does not exist.
        """
        if isinstance(what, str) and "." in what:
            job = await self.job(what)
        else:
            job = (await self.chain(what)).tail
        blockers = await self.blockers(job.id) if job.status is Status.BLOCKED else []
        known = Known(
            attempts=await self.attempts(job.id) if job.status is Status.SCHEDULED else [],
            blockers=blockers,
            waited_for=await self._tails([one.chain_id for one in blockers if one.status.is_open]),
            served=frozenset(+self._engine.served),
        )
        return explanation(job, known)

    async def _tails(self, ids: list[str]) -> dict[str, JobRecord]:
        """The open jobs of the first few of these chains."""
        if not ids:
            return {}
        page = await self.chains(ids=ids[:MOST_BLOCKERS], limit=MOST_BLOCKERS)
        return {chain.chain_id: chain.tail for chain in page.items}

    async def _find(self, asked: JobQuery, key: JobKey) -> JobRecord | None:
        """The job, if it passes the filters: the first of its chain after the one before it."""
        chain, position = key
        before = job_id(chain, position - 1) if position else None
        page = await self._ask(replace(asked, chain_ids=(chain,), after=before, limit=1, look=1))
        return next((job for job in page.items if job.position == position), None)

    async def _ask(self, asked: JobQuery) -> Page[JobRecord]:
        with self._engine.telemetry.silence():
            return await self._engine.state.jobs(asked)
