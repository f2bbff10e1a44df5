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
from ..model import AttemptRecord, ChainOutcome, ChainRecord, Count, JobRecord, Page
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
    One application's access to its chains; made by ``otelq.connect``.

    Use it as an async context manager, or call ``open`` and ``aclose``. It belongs to the process and the event loop
    that opened it; elsewhere, or after a fork, every call raises ``WrongLoop``. It may be opened again.
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
        Connect, and bring the schema up to date if ``migrate`` was not switched off.

        Raises:
            Unavailable: the database was not reached within the connect timeout.
            InvalidArgument: the URL cannot be read, or the given pool is too small.
            OtelqError: the server refuses the login, or the database, the schema or a privilege is missing.
            WrongLoop: it is open already, elsewhere.
        """
        await self._lifecycle.open()
        return self

    async def aclose(self) -> None:
        """Close all connections that the client made. Closing twice is fine; what the caller made stays open."""
        await self._lifecycle.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def engine(self) -> Engine:
        """Return the adapters and settings that workers and commands share with the client; not for applications."""
        self._lifecycle.check()
        return self._engine

    # Transactions

    @asynccontextmanager
    async def transaction(self, kind: type[Any] | None = None, /) -> AsyncGenerator[Any]:
        """
        Yield a transaction of the client's database, to pass as ``tx``: committed when the block ends well.

        It is what the client's driver calls a connection, or a session where ``connect`` was given a factory of them;
        with ``kind``, one of that class, as ``AsyncSession`` of an engine. On SQLite it holds the only
        write lock until the block ends.

        Raises:
            InvalidArgument: there are none of that kind.
        """
        async with self.engine.transaction(kind) as transaction:
            yield transaction.handle

    def after_commit(self, callback: Callback, *, tx: object) -> None:
        """
        Run ``callback()`` after the commit of the caller's transaction ``tx``, and never after a rollback.

        It is as ``otelq.after_commit(callback)``, but for a transaction that the client did not begin.

        Raises:
            InvalidArgument: ``tx`` is no open transaction of this client's database, or its driver does not tell of
                its end and there is no ``async with otelq.after_commit():`` round it.
        """
        self._lifecycle.check()
        self._engine.effects.after_commit(callback, tx=tx)

    # Start chains, and wait for them

    async def start(
        self, job_type: JobType[In, Out], input: In, *, tx: object | None = None, **options: Unpack[StartOptions]
    ) -> Chain[Out]:
        """
        Start a chain.

        Args:
            job_type: the type of its first job.
            input: that job's input; checked against the type before anything is written.
            tx: the caller's own open transaction. The chain is there if and only if it commits.
            id: a UUIDv7 made with ``otelq.new_id()``, so that a start can be repeated safely.
            delay: seconds until the job is due, by the database's clock; or ``at``, a time with a zone. Past is now;
                more than ten years ahead is refused.
            priority: -100 to 100; lower runs first, within a type. The default is 0.
            dedup: at most one chain of the type holds the key. Where one does that matches, nothing is written and
                the handle returned is that chain's, as it is now, with ``deduplicated`` true; the input and all other
                options of this start are ignored.
            blockers: chains to wait for: several handles, which all must complete (the job fails if one of them fails
                or is cancelled), or ``AllOf(...)`` or ``AnyOf(...)``.
            expires: seconds from now; a job that was not started by then never is, and its chain ends cancelled, at the
                next look that a worker takes (every ``reap_interval``).
            tags: up to 32 pairs of text of up to 512 characters, without control characters or line breaks, inherited
                by all jobs of the chain, to search for.
            headers: likewise, for handlers and other systems.
            tenant: on whose behalf, 1 to 200 characters; inherited likewise.
            request_id: on account of which request, likewise; else what ``otelq.telemetry.request_id`` says here.

        Raises:
            InvalidArgument: something cannot be stored; the message names it. Nothing was written.
            AlreadyExists: a chain with ``id`` exists.
            NotFound: a blocker does not exist.
            Unavailable: the database could not be reached; without ``tx``, the chain may exist all the same.
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
        Start many chains in one transaction: many inputs for one type, or ``Start`` values of any types.

        The chains are returned in the order given. All or nothing.

        Raises:
            InvalidArgument: one of them cannot be stored; the message says which. Nothing was written.
            AlreadyExists: an id is taken. Nothing was written.
        """
        self._lifecycle.check()
        return await self._creation.start_many(what, inputs, tx=tx)

    async def copy(self, chain: Chain[Out], *, tx: object | None = None, **options: Unpack[CopyOptions]) -> Chain[Out]:
        """
        Start a new chain from the beginning of one that exists, open or closed.

        The new one has the type, queue, tags, headers, tenant and request id of the other, its priority unless another
        is given, and its first job's input: the amended one, if that was amended. Blockers, dedup key and times are
        not copied, and nothing ties the two together. It belongs to the caller's trace. The options are ``id``,
        ``delay``, ``at``, ``priority`` and ``dedup``, as of ``start``.

        Raises:
            NotFound: the chain does not exist.
            JobTypeMismatch: it began with another type than the handle says.
            UndecodablePayload: the stored input does not fit the type any more.
            AlreadyExists: a chain with ``id`` exists.
        """
        self._lifecycle.check()
        return await self._creation.copy(chain, options, tx=tx)

    async def result(self, chain: Chain[Out], *, timeout: float | None = None) -> Out:
        """
        Wait for the chain's output, and return it.

        Args:
            chain: a handle, from a start or made with ``Chain(id, job_type)``.
            timeout: seconds to wait at most; None waits for ever.

        Raises:
            TimeoutError: it is still open after ``timeout``; it goes on all the same.
            ChainFailed, ChainCancelled: it ended without an output.
            JobTypeMismatch: it began with another type than the handle says.
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

        ``step`` names the type of the job that is meant. It may be in any open status; a worker that runs it is
        fenced off and told.

        Raises:
            JobAlreadyClosed: that job is closed, and perhaps a later one open. Nothing was written.
            JobTypeMismatch: the open job is of another type. Nothing was written.
            NotFound: no such chain, or a blocker of the continuation does not exist.
            InvalidArgument: the outcome does not fit the type of ``step``, or a blocker waits for this very chain.
        """
        self._lifecycle.check()
        await self._commands.complete(chain, outcome, step=step, tx=tx)

    async def trigger(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Make the scheduled jobs of these chains due now; one that is due already stays as it is. All or nothing.

        Raises:
            NotFound, JobAlreadyClosed: no such chain, or a closed one.
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
        Change the open job of a chain before it runs; what is not given stays as it is.

        Args:
            chain: whose open job is meant.
            step: the type that job must have; needed with ``input``.
            input: what it is to run with from now on. What it was created with stays on record.
            delay: seconds from now until it is due; or ``at``, a time with a zone. A blocked job stays blocked.
            priority: -100 to 100; lower runs first, within a type.
            tx: the caller's own open transaction.

        Raises:
            InvalidArgument: nothing is given, the input does not fit ``step``, or the job is running.
            JobTypeMismatch: the open job is of another type than ``step``.
            NotFound, JobAlreadyClosed: no such chain, or a closed one, or a job past ``step`` is open.
        """
        self._lifecycle.check()
        await self._commands.amend(chain, options, step=step, input=input, tx=tx)

    async def take_over(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Take the running jobs of these chains from their workers at once, to be run by another. All or nothing.

        The attempt is spent, no crash is counted, and the worker that ran it is told; use it where you know that a
        worker is gone and the lease is long.

        Raises:
            NotFound, JobAlreadyClosed: no such chain, or a closed one.
            InvalidArgument: a job is not running.
        """
        self._lifecycle.check()
        await self._commands.take_over(chains, tx=tx)

    async def cancel(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Close these chains as cancelled; a worker that runs one of their jobs is fenced off and told. All or nothing.

        A worker of this client is told at once, another one when it renews the lease, within half of its length.
        Chains that wait for these fail, unless their ``on_failure`` says otherwise.

        Raises:
            NotFound, JobAlreadyClosed: no such chain, or a closed one.
        """
        self._lifecycle.check()
        await self._commands.cancel(chains, tx=tx)

    async def redrive(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Open failed or cancelled chains again, at the job that ended so. All or nothing.

        The job is due at once, with all its attempts before it; the earlier ones stay on record. Blockers are looked
        at anew: give a chain and the failed blocker of it together. Chains that failed for this one stay failed;
        those that wait for it (``on_failure="wait"``) go on when it completes.

        Raises:
            NotFound: no such chain.
            InvalidArgument: a chain is open or completed, or its blockers can never meet its condition.
            AlreadyExists: another chain holds its dedup key by now.
        """
        self._lifecycle.check()
        await self._commands.redrive(chains, tx=tx)

    async def delete(self, *chains: AnyChain, cascade: bool = False, tx: object | None = None) -> None:
        """
        Remove these chains with all their history; with ``cascade`` also all blockers of their jobs, and theirs.

        All or nothing.

        Raises:
            NotFound: no such chain.
            StillReferenced: a chain that is not among them has one of them as its blocker.
        """
        self._lifecycle.check()
        await self._commands.delete(chains, cascade=cascade, tx=tx)

    async def lock(self, chain: AnyChain, *, tx: object) -> JobRecord:
        """
        Return the open job of a chain, which nobody else moves until the transaction ends.

        Look at it, then ``complete``, ``amend`` or leave it, with the same ``tx``. A worker that runs the job goes on
        meanwhile; its outcome waits for the end of ``tx``.

        Raises:
            NotFound, JobAlreadyClosed: no such chain, or a closed one.
        """
        self._lifecycle.check()
        return await self._commands.lock(chain, tx=tx)

    # Look jobs and chains up. Pages come newest chain first, and look at a bounded number of rows: with filters a page
    # can hold fewer items than its limit, even none, and still have a ``next``.

    async def chain(self, chain: AnyChain) -> ChainRecord:
        """
        Return the chain as it stands: its first job and its tail.

        Raises:
            NotFound: it does not exist.
        """
        self._lifecycle.check()
        return await self._lookups.chain(chain)

    async def job(self, job_id: str) -> JobRecord:
        """
        Return one job, by its id.

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

        ``limit`` is 1 to 1,000; ``after`` is the ``next`` of the page before. The filters are those of
        ``otelq.JobFilters``. What is asked for by ``ids`` comes in one page. With filters a page may hold fewer jobs
        than ``limit``, even none: it is the last only if its ``next`` is None.
        """
        self._lifecycle.check()
        return await self._lookups.jobs(filters, limit=limit, after=after)

    def iterate_jobs(self, **filters: Unpack[JobFilters]) -> AsyncGenerator[JobRecord]:
        """Yield all jobs that pass the filters of ``jobs``, page by page as they are asked for."""
        return iterate(lambda after: self.jobs(limit=LARGEST_PAGE, after=after, **filters))

    async def chain_jobs(self, chain: AnyChain, *, limit: int = 50, after: str | None = None) -> Page[JobRecord]:
        """
        Return the jobs of one chain, first to last; ``limit`` and ``after`` as of ``jobs``.

        Raises:
            NotFound: the chain does not exist.
        """
        self._lifecycle.check()
        return await self._lookups.chain_jobs(chain, limit=limit, after=after)

    async def chains(
        self, *, limit: int = 50, after: str | None = None, **filters: Unpack[ChainFilters]
    ) -> Page[ChainRecord]:
        """Return a page of chains, newest first; as of ``jobs``, with the filters of ``otelq.ChainFilters``."""
        self._lifecycle.check()
        return await self._lookups.chains(filters, limit=limit, after=after)

    def iterate_chains(self, **filters: Unpack[ChainFilters]) -> AsyncGenerator[ChainRecord]:
        """Yield all chains that pass the filters of ``chains``, page by page as they are asked for."""
        return iterate(lambda after: self.chains(limit=LARGEST_PAGE, after=after, **filters))

    @overload
    async def count(
        self, *, of: Literal["jobs"] = "jobs", limit: int = 10_000, **filters: Unpack[JobFilters]
    ) -> Count: ...
    @overload
    async def count(self, *, of: Literal["chains"], limit: int = 10_000, **filters: Unpack[ChainFilters]) -> Count: ...
    async def count(self, *, of: Literal["jobs", "chains"] = "jobs", limit: int = 10_000, **filters: Any) -> Count:
        """
        Return how many jobs or chains pass the filters of ``jobs`` or ``chains``.

        It counts up to ``limit``, 1 to 100,000, and looks at a bounded number of rows; where it stopped at one of these
        bounds the answer is not ``exact``, and there may be more.
        """
        self._lifecycle.check()
        return await self._lookups.count(of, filters, limit=limit)

    async def attempts(self, job_id: str) -> list[AttemptRecord]:
        """Return the finished attempts of a job, first to last."""
        self._lifecycle.check()
        return await self._lookups.attempts(job_id)

    async def blockers(self, job_id: str) -> list[ChainOutcome]:
        """Return how the chains stand that a job waits for, or waited for, in the order in which they were given."""
        self._lifecycle.check()
        return await self._lookups.blockers(job_id)

    async def explain(self, what: AnyChain) -> Explanation:
        """
        Return why a job does not run just now, or that it does; ``print`` it, or read its reasons.

        ``what`` is the id of a job, or a chain, whose open or last job is meant.

        Raises:
            NotFound: it does not exist.
        """
        self._lifecycle.check()
        return await self._explainer.explain(what)
