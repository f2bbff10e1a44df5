"""
The client: every call of its public API, each handed to the part that does it.

It is longer than other files because its docstrings are the reference of the API; no method has more than a few lines.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, Unpack, overload

from ..definitions import Chain, Continue, CopyOptions, JobType, Middleware, StartOptions, WhenOptions
from ..effects import Callback
from ..model import AttemptRecord, ChainOutcome, ChainRecord, Count, JobRecord, Page, WorkerRecord
from .commands import Commands
from .creation import Creation
from .engine import Engine
from .explain import Explainer
from .filters import LARGEST_PAGE, AnyChain, ChainFilters, JobFilters
from .lifecycle import Lifecycle
from .lookups import Lookups, iterate
from .reasons import Explanation
from .results import Results
from .start import Start

In = TypeVar("In")
Out = TypeVar("Out")


class Client:
    """
    Start chains, wait for them, look them up and change them. ``otelq.connect`` returns one.

    Use it as an async context manager, or call ``open`` and ``aclose``. A client belongs to the process and the event
    loop that opened it: elsewhere, or after a fork, every call raises ``WrongLoop``. A closed client may be opened
    again. Many tasks may use one client at once.
    """

    def __init__(self, engine: Engine, *, migrate: bool = True, middleware: Sequence[Middleware] = ()) -> None:
        self._engine = engine
        self._lookups = Lookups(engine)
        self._explainer = Explainer(self._lookups, engine.served)
        self._creation = Creation(engine, self._lookups, middleware=middleware)
        self._commands = Commands(engine, self._lookups)
        self._results = Results(engine)
        self._lifecycle = Lifecycle(engine, migrate=migrate, parts=(self._results.close, self._creation.close))

    # Open and close

    async def open(self) -> Self:
        """
        Connect, and bring the schema up to date unless ``connect`` was given ``migrate=False``.

        Raises:
            Unavailable: the database was not reached within the connect timeout.
            InvalidArgument: the URL cannot be read, or the given pool is too small.
            OtelqError: the server refuses the login, or the database, the schema or a privilege is missing.
            WrongLoop: it is already open in another event loop or process.
        """
        await self._lifecycle.open()
        return self

    async def aclose(self) -> None:
        """
        Close all connections that the client opened. Closing twice is allowed; pools and engines of the caller stay
        open.
        """
        await self._lifecycle.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def is_open(self) -> bool:
        """Return whether it was opened, and not closed since."""
        return self._lifecycle.is_open

    @property
    def engine(self) -> Engine:
        """Return the adapters and settings that workers and commands share with the client; not for applications."""
        self._lifecycle.check()
        return self._engine

    # Transactions

    @asynccontextmanager
    async def transaction(self, kind: type[Any] | None = None, /) -> AsyncGenerator[Any]:
        """
        Yield a transaction of the client's database, to pass as ``tx``: committed when the block ends without an error.

        The value is a connection of the client's driver, or a session if ``connect`` was given ``session=``. On SQLite
        it holds the only write lock until the block ends.

        Args:
            kind: the class of connection or session to yield, such as ``AsyncSession``; None for the usual one.

        Raises:
            InvalidArgument: the driver has no transactions of that kind.
        """
        async with self.engine.transaction(kind) as transaction:
            yield transaction.handle

    def after_commit(self, callback: Callback, *, tx: object) -> None:
        """
        Run ``callback()`` after the commit of the caller's transaction ``tx``, and never after a rollback.

        It works like ``otelq.after_commit(callback)``, but for a transaction that the client did not begin.

        Args:
            callback: a function or a coroutine function without arguments.
            tx: the caller's own open transaction.

        Raises:
            InvalidArgument: ``tx`` is no open transaction of this client's database, or its driver does not report
                commits and there is no ``async with otelq.after_commit():`` around it.
        """
        self._lifecycle.check()
        self._engine.effects.after_commit(callback, tx=tx)

    # Start chains, and wait for them

    async def start(
        self, job_type: JobType[In, Out], input: In, *, tx: object | None = None, **options: Unpack[StartOptions]
    ) -> Chain[Out]:
        """
        Start a chain, and return its handle once it is stored.

        With ``tx`` the chain exists if and only if that transaction commits.

        Args:
            job_type: the type of the first job.
            input: the input of the first job; checked against the type before anything is written.
            tx: the caller's own open transaction; without it the start commits by itself.
            id: a UUIDv7 from ``otelq.new_id()``; repeating the start with it cannot start a second chain. Default: a
                new one.
            delay: seconds until the job is due, from 0 to ten years, by the database's clock. Default: due at once.
            at: when the job is due, instead of ``delay``: a ``datetime`` with a zone, at most ten years ahead. The past
                means now.
            priority: -100 to 100; lower numbers run first among the due jobs of a type. Default: 0.
            dedup: the key that at most one chain of the type holds. If a chain holds it and matches, nothing is written
                and the handle of that chain is returned, with ``deduplicated`` true; all other options are ignored.
            blockers: chains to wait for: a sequence of handles, which all must complete (the job fails if one fails or
                is cancelled), or ``AllOf(...)`` or ``AnyOf(...)``. Default: none.
            expires: seconds from now, more than ``delay``; a job that was not started by then never is, and its chain
                ends cancelled when a worker next looks (every ``reap_interval``). Default: never.
            tags: up to 32 pairs of text to search for, each text up to 512 characters without control characters or
                line breaks; all jobs of the chain inherit them.
            headers: pairs of text for handlers and other systems, with the limits of ``tags``.
            tenant: the tenant to which the chain belongs, 1 to 200 characters; all jobs inherit it.
            request_id: the id of the request that started the chain, 1 to 200 characters; all jobs inherit it. Default:
                the value of ``otelq.telemetry.request_id``.

        Raises:
            InvalidArgument: a value cannot be stored; the message names it. Nothing was written.
            AlreadyExists: a chain with ``id`` exists.
            NotFound: a blocker does not exist.
            Unavailable: the database could not be reached. Without ``tx`` the chain may exist all the same; with an
                ``id`` the start can be repeated safely.
        """
        self._lifecycle.check()
        return await self._creation.start(Start(job_type, input, **options), tx=tx)

    @overload
    async def start_many(
        self, job_type: JobType[In, Out], inputs: Iterable[In], /, *, tx: object | None = None
    ) -> list[Chain[Out]]: ...
    @overload
    async def start_many(self, starts: Iterable[Start[Out]], /, *, tx: object | None = None) -> list[Chain[Out]]: ...
    async def start_many(
        self, what: Any, inputs: Iterable[Any] | None = None, /, *, tx: object | None = None
    ) -> list[Chain[Any]]:
        """
        Start many chains in one transaction: many inputs for one type, or ``Start`` values of any types. All or
        nothing.

        Return their handles in the order given.

        Args:
            what: the type of the first jobs, together with ``inputs``; or an iterable of ``Start`` values.
            inputs: one input for each chain.
            tx: the caller's own open transaction; without it the starts commit together.

        Raises:
            InvalidArgument: one of them cannot be stored; the message names it. Nothing was written.
            AlreadyExists: an id is taken. Nothing was written.
        """
        self._lifecycle.check()
        return await self._creation.start_many(what, inputs, tx=tx)

    async def copy(self, chain: Chain[Out], *, tx: object | None = None, **options: Unpack[CopyOptions]) -> Chain[Out]:
        """
        Start a new chain with the type and input of the first job of another chain, open or closed.

        The new chain gets the queue, tags, headers, tenant and request id of the other, and its input as amended last.
        Blockers, dedup key and times are not copied, and the two chains are not linked. The new one joins the caller's
        trace.

        Args:
            chain: the chain to copy.
            tx: the caller's own open transaction; without it the copy commits by itself.
            id: the id of the new chain, as in ``Client.start``.
            delay: seconds until the job is due, as in ``Client.start``.
            at: when the job is due, instead of ``delay``.
            priority: -100 to 100. Default: that of the other chain.
            dedup: a dedup key, as in ``Client.start``.

        Raises:
            NotFound: the chain does not exist.
            JobTypeMismatch: its first job is not of the type that the handle names.
            UndecodablePayload: the stored input no longer fits the type.
            AlreadyExists: a chain with ``id`` exists.
        """
        self._lifecycle.check()
        return await self._creation.copy(chain, options, tx=tx)

    async def result(self, chain: Chain[Out], *, timeout: float | None = None) -> Out:
        """
        Wait for the output of a chain, and return it.

        Args:
            chain: a handle, from a start or from ``Chain(id, job_type)``.
            timeout: seconds to wait at most; None waits without limit.

        Raises:
            TimeoutError: the chain is still open after ``timeout``; it goes on.
            ChainFailed, ChainCancelled: it ended without an output.
            JobTypeMismatch: its first job is not of the type that the handle names.
            UndecodablePayload: the stored output does not fit the type.
            NotFound: it does not exist, or was deleted meanwhile.
        """
        self._lifecycle.check()
        return await self._results.result(chain, timeout=timeout)

    # Change chains from outside

    async def complete(
        self,
        chain: Chain[Out],
        outcome: Out | Continue[Out],
        *,
        step: JobType[Any, Out],
        tx: object | None = None,
    ) -> None:
        """
        Close the open job of a chain without a worker, with an output or a continuation.

        The job may have any open status. A worker that runs it loses its lease, and cancels its handler.

        Args:
            chain: the chain whose open job is closed.
            outcome: the output of the chain, or ``Continue(...)`` to go on with another job.
            step: the type of the job that is meant, so that a job which is closed already is not confused with a later
                one.
            tx: the caller's own open transaction; without it the call commits by itself.

        Raises:
            JobAlreadyClosed: that job is closed; a later one may be open. Nothing was written.
            JobTypeMismatch: the open job is of another type. Nothing was written.
            NotFound: the chain, or a blocker of the continuation, does not exist.
            InvalidArgument: the outcome does not fit the type of ``step``, or a blocker waits for this very chain.
        """
        self._lifecycle.check()
        await self._commands.complete(chain, outcome, step=step, tx=tx)

    async def trigger(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Make the scheduled jobs of these chains due now; a job that is due already stays as it is. All or nothing.

        Args:
            chains: handles or ids of chains.
            tx: the caller's own open transaction; without it the call commits by itself.

        Raises:
            NotFound, JobAlreadyClosed: a chain does not exist, or is closed.
            InvalidArgument: a job is blocked or running.
        """
        self._lifecycle.check()
        await self._commands.trigger(chains, tx=tx)

    @overload
    async def amend(
        self,
        chain: AnyChain,
        *,
        step: JobType[In, Any],
        input: In,
        tx: object | None = None,
        **options: Unpack[WhenOptions],
    ) -> None: ...
    @overload
    async def amend(
        self,
        chain: AnyChain,
        *,
        step: JobType[Any, Any] | None = None,
        tx: object | None = None,
        **options: Unpack[WhenOptions],
    ) -> None: ...
    async def amend(
        self,
        chain: AnyChain,
        *,
        step: JobType[Any, Any] | None = None,
        input: Any = ...,
        tx: object | None = None,
        **options: Unpack[WhenOptions],
    ) -> None:
        """
        Change the open job of a chain before it runs. Values that are not given stay as they are.

        Args:
            chain: the chain whose open job is changed.
            step: the type that the open job must have; required with ``input``.
            input: the new input. The first one stays on record.
            delay: seconds from now until the job is due, 0 to ten years. A blocked job stays blocked.
            at: when the job is due, instead of ``delay``: a ``datetime`` with a zone.
            priority: -100 to 100; lower numbers run first among the due jobs of a type.
            tx: the caller's own open transaction; without it the call commits by itself.

        Raises:
            InvalidArgument: nothing is given, the input does not fit ``step``, or the job is running.
            JobTypeMismatch: the open job is of another type than ``step``.
            NotFound, JobAlreadyClosed: the chain does not exist or is closed, or a job after ``step`` is open.
        """
        self._lifecycle.check()
        await self._commands.amend(chain, options, step=step, input=input, tx=tx)

    async def take_over(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        End the leases of these chains' running jobs at once, so that another worker can run them. All or nothing.

        The attempt is spent, but not counted as a crash; the worker that ran the job cancels its handler. Use it when a
        worker is known to be gone and its lease is long.

        Args:
            chains: handles or ids of chains.
            tx: the caller's own open transaction; without it the call commits by itself.

        Raises:
            NotFound, JobAlreadyClosed: a chain does not exist, or is closed.
            InvalidArgument: a job is not running.
        """
        self._lifecycle.check()
        await self._commands.take_over(chains, tx=tx)

    async def cancel(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Close these chains as cancelled. All or nothing.

        A worker that runs one of their jobs loses its lease and cancels the handler: at once if it belongs to this
        client, otherwise when it renews the lease, within half of the lease's length. Chains that wait for these fail,
        unless their ``on_failure`` says otherwise.

        Args:
            chains: handles or ids of chains.
            tx: the caller's own open transaction; without it the call commits by itself.

        Raises:
            NotFound, JobAlreadyClosed: a chain does not exist, or is closed.
        """
        self._lifecycle.check()
        await self._commands.cancel(chains, tx=tx)

    async def redrive(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Open failed or cancelled chains again, at the job that ended so. All or nothing.

        The job is due at once and has all its attempts again; the earlier ones stay on record. Its blockers are checked
        again: redrive a chain and its failed blocker in one call. Chains that failed because of this one stay failed;
        chains that still wait for it (``on_failure="wait"``) go on when it completes.

        Args:
            chains: handles or ids of chains.
            tx: the caller's own open transaction; without it the call commits by itself.

        Raises:
            NotFound: a chain does not exist.
            InvalidArgument: a chain is open or completed, or its blockers can never meet its condition.
            AlreadyExists: another chain holds its dedup key by now.
        """
        self._lifecycle.check()
        await self._commands.redrive(chains, tx=tx)

    async def delete(self, *chains: AnyChain, cascade: bool = False, tx: object | None = None) -> None:
        """
        Delete these chains, open or closed, with all their history. All or nothing.

        Args:
            chains: handles or ids of chains.
            cascade: also delete the blockers of their jobs, and the blockers of those.
            tx: the caller's own open transaction; without it the call commits by itself.

        Raises:
            NotFound: a chain does not exist.
            StillReferenced: a chain outside the deleted ones has one of them as its blocker.
        """
        self._lifecycle.check()
        await self._commands.delete(chains, cascade=cascade, tx=tx)

    async def lock(self, chain: AnyChain, *, tx: object) -> JobRecord:
        """
        Return the open job of a chain, and lock it until the transaction ends.

        Nothing else changes the job meanwhile: look at it, then ``complete`` or ``amend`` it with the same ``tx``, or
        do nothing. A worker that runs the job goes on; its outcome waits for the end of ``tx``.

        Args:
            chain: the handle or id of a chain.
            tx: the caller's own open transaction.

        Raises:
            NotFound, JobAlreadyClosed: the chain does not exist, or is closed.
        """
        self._lifecycle.check()
        return await self._commands.lock(chain, tx=tx)

    # Look jobs and chains up. Pages come newest chain first, and look at a bounded number of rows: with filters a page
    # can hold fewer items than its limit, even none, and still have a ``next``.

    async def chain(self, chain: AnyChain) -> ChainRecord:
        """
        Return the chain as it is stored: its first job and its last.

        Args:
            chain: the handle or id of a chain.

        Raises:
            NotFound: it does not exist.
        """
        self._lifecycle.check()
        return await self._lookups.chain(chain)

    async def job(self, job_id: str) -> JobRecord:
        """
        Return one job.

        Args:
            job_id: the id of the job: the id of its chain, a dot, and its position from 0.

        Raises:
            NotFound: it does not exist.
        """
        self._lifecycle.check()
        return await self._lookups.job(job_id)

    async def jobs(
        self, *, limit: int = 50, after: str | None = None, **filters: Unpack[JobFilters]
    ) -> Page[JobRecord]:
        """
        Return a page of jobs, those of the newest chains first, within a chain first to last.

        With filters a page may hold fewer jobs than ``limit``, even none: only a page whose ``next`` is None is the
        last. Jobs asked for by ``ids`` come in one page.

        Args:
            limit: the largest number of jobs, 1 to 1,000.
            after: the ``next`` of the page before; None for the first page.
            filters: the fields of ``JobFilters``.

        Raises:
            InvalidArgument: a filter is unknown or has a value that it cannot have.
        """
        self._lifecycle.check()
        return await self._lookups.jobs(filters, limit=limit, after=after)

    def iterate_jobs(self, **filters: Unpack[JobFilters]) -> AsyncGenerator[JobRecord]:
        """
        Yield all jobs that pass the filters, page by page as they are asked for.

        Args:
            filters: the fields of ``JobFilters``.
        """
        return iterate(lambda after: self.jobs(limit=LARGEST_PAGE, after=after, **filters))

    async def chain_jobs(self, chain: AnyChain, *, limit: int = 50, after: str | None = None) -> Page[JobRecord]:
        """
        Return a page of the jobs of one chain, first to last.

        Args:
            chain: the handle or id of a chain.
            limit: the largest number of jobs, 1 to 1,000.
            after: the ``next`` of the page before; None for the first page.

        Raises:
            NotFound: the chain does not exist.
        """
        self._lifecycle.check()
        return await self._lookups.chain_jobs(chain, limit=limit, after=after)

    async def chains(
        self, *, limit: int = 50, after: str | None = None, **filters: Unpack[ChainFilters]
    ) -> Page[ChainRecord]:
        """
        Return a page of chains, newest first; pages are like those of ``Client.jobs``.

        Args:
            limit: the largest number of chains, 1 to 1,000.
            after: the ``next`` of the page before; None for the first page.
            filters: the fields of ``ChainFilters``.

        Raises:
            InvalidArgument: a filter is unknown or has a value that it cannot have.
        """
        self._lifecycle.check()
        return await self._lookups.chains(filters, limit=limit, after=after)

    def iterate_chains(self, **filters: Unpack[ChainFilters]) -> AsyncGenerator[ChainRecord]:
        """
        Yield all chains that pass the filters, page by page as they are asked for.

        Args:
            filters: the fields of ``ChainFilters``.
        """
        return iterate(lambda after: self.chains(limit=LARGEST_PAGE, after=after, **filters))

    @overload
    async def count(
        self, *, of: Literal["jobs"] = "jobs", limit: int = 10_000, **filters: Unpack[JobFilters]
    ) -> Count: ...
    @overload
    async def count(self, *, of: Literal["chains"], limit: int = 10_000, **filters: Unpack[ChainFilters]) -> Count: ...
    async def count(self, *, of: Literal["jobs", "chains"] = "jobs", limit: int = 10_000, **filters: Any) -> Count:
        """
        Return how many jobs or chains pass the filters.

        It looks at a bounded number of rows. If it stopped at a bound, the answer is not ``exact`` and there may be
        more.

        Args:
            of: ``"jobs"`` or ``"chains"``.
            limit: where to stop counting, 1 to 100,000.
            filters: the fields of ``JobFilters`` or ``ChainFilters``.
        """
        self._lifecycle.check()
        return await self._lookups.count(of, filters, limit=limit)

    async def attempts(self, job_id: str) -> list[AttemptRecord]:
        """
        Return the finished attempts of a job, first to last; none for a job that does not exist.

        Args:
            job_id: the id of the job.
        """
        self._lifecycle.check()
        return await self._lookups.attempts(job_id)

    async def blockers(self, job_id: str) -> list[ChainOutcome]:
        """
        Return the state of each chain that a job waits for, or waited for, in the order in which they were given.

        Args:
            job_id: the id of the job; for one that does not exist, nothing is returned.
        """
        self._lifecycle.check()
        return await self._lookups.blockers(job_id)

    async def workers(self) -> list[WorkerRecord]:
        """
        Return the live workers of all processes, sorted by name and time of start.

        A worker reports that it is alive when it starts and every 30 seconds after that, and is removed when it stops.
        One that died is listed for up to 90 seconds. On SQLite an idle worker reports every 10 minutes; one that died
        is not listed on its own machine, and for up to 25 minutes on others.

        Raises:
            Unavailable: the database cannot be reached, or was not migrated since otelq was updated.
        """
        self._lifecycle.check()
        return await self._lookups.workers()

    async def explain(self, what: AnyChain) -> Explanation:
        """
        Return why a job does not run, or that it does. ``print`` the explanation, or read its ``reasons``.

        Args:
            what: the id of a job; or the handle or id of a chain, for its open or last job.

        Raises:
            NotFound: it does not exist.
        """
        self._lifecycle.check()
        return await self._explainer.explain(what)
