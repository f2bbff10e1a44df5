"""The client: starts chains, awaits and closes them, and answers questions about them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, cast, overload

from ..definitions import Blockers, Chain, Continue, JobType, check_chain_id, check_job_type, check_seconds, is_continue
from ..effects import Told
from ..errors import AlreadyExists, ChainCancelled, ChainFailed, InvalidArgument, NotFound, WrongLoop
from ..model import (
    AttemptRecord,
    ChainRecord,
    Closure,
    Completes,
    Continues,
    Created,
    Dedup,
    JobQuery,
    JobRecord,
    NewJob,
    Page,
    Status,
    Transition,
)
from ..ports.state import Transaction
from ..telemetry import Count, Enqueue
from .engine import Engine
from .queries import StatusFilter, TypeFilter, chain_id, job_key, query
from .starting import Coalescer, Start, create, read_starts, refuse_existing, successor
from .waiting import Waiter
from .watching import Watcher

In = TypeVar("In")
Out = TypeVar("Out")


class Client:
    """
    One application's access to its chains; made by ``otelq.connect``.

    Use it as an async context manager, or call ``open`` and ``close``. It belongs to the process and the event loop
    that opened it; elsewhere, or after a fork, every call raises ``WrongLoop``. It may be opened again.
    """

    def __init__(self, engine: Engine, *, migrate: bool = True) -> None:
        self._engine = engine
        self._migrate = migrate
        self._home: tuple[asyncio.AbstractEventLoop, int] | None = None
        self._opening: asyncio.Lock | None = None
        self._coalescer = Coalescer(engine)
        self._waiter: Waiter | None = None
        self._watcher: Watcher | None = None

    async def open(self) -> Self:
        """
        Connect, and bring the schema up to date if ``migrate`` was not switched off.

        Raises:
            Unavailable: the database was not reached within the connect timeout.
            WrongLoop: it is open already, elsewhere.
        """
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:  # whoever opens it meanwhile would connect a second time
            if self._home is None:
                await self._open()
        self._check_home()
        return self

    async def _open(self) -> None:
        with self._engine.telemetry.silence():
            await self._engine.state.open(migrate=self._migrate)
            try:
                await self._engine.notify.open()
            except BaseException:
                await self._engine.state.close()
                raise
        self._engine.telemetry.open()
        self._home = (asyncio.get_running_loop(), os.getpid())
        self._waiter = Waiter(self._engine)
        if self._engine.state.watch_interval is not None:
            self._watcher = Watcher(self._engine, interval=self._engine.state.watch_interval)
            self._watcher.start()

    async def aclose(self) -> None:
        """Let go of all connections that the client made. Closing twice is fine; what the caller made stays open."""
        if self._home is None:
            return
        self._check_home()
        self._home = self._opening = None
        engine = self._engine
        async with AsyncExitStack() as rooms:  # left from the last to the first, whatever one of them raises
            rooms.callback(engine.telemetry.close)
            rooms.enter_context(engine.telemetry.silence())
            for close in (engine.state.close, engine.notify.close, engine.effects.close, self._coalescer.close):
                rooms.push_async_callback(close)
            if self._waiter is not None:
                rooms.push_async_callback(self._waiter.close)
            if self._watcher is not None:
                rooms.push_async_callback(self._watcher.stop)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def engine(self) -> Engine:
        """What workers and commands share with the client; not for applications."""
        self._check_home()
        return self._engine

    # Starting

    async def start(
        self,
        job_type: JobType[In, Out],
        input: In,
        *,
        tx: object | None = None,
        id: str | None = None,
        delay: float | None = None,
        at: datetime | None = None,
        priority: int = 0,
        dedup: Dedup | None = None,
        blockers: Blockers = (),
        tags: Mapping[str, str] | None = None,
    ) -> Chain[Out]:
        """
        Start a chain.

        Args:
            job_type: the type of its first job.
            input: that job's input; checked against the type before anything is written.
            tx: the caller's own open transaction. The chain is there if and only if it commits.
            id: a UUIDv7 made with ``otelq.new_id()``, so that a start can be repeated safely.
            delay: seconds until the job is due, by the database's clock; or ``at``, a time with a zone. Past is now.
            priority: -32768 to 32767; lower runs first.
            dedup: at most one open chain of the type holds the key; the start then returns that chain.
            blockers: chains that must complete first; the job fails if one of them fails or is cancelled.
            tags: up to 32 pairs of text, inherited by all jobs of the chain.

        Raises:
            InvalidArgument: something cannot be stored; the message names it. Nothing was written.
            AlreadyExists: a chain with ``id`` exists.
            NotFound: a blocker does not exist.
            Unavailable: the database could not be reached; without ``tx``, the chain may exist all the same.
        """
        start = Start(
            job_type,
            input,
            id=id,
            delay=delay,
            at=at,
            priority=priority,
            dedup=dedup,
            blockers=blockers,
            tags=tags,
        )
        self._check_home()
        [created] = await self._create([start], tx=tx, arguments=["input"])
        return start.chain(created)

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
        self._check_home()
        starts, arguments = read_starts(what, inputs)
        if not starts:
            return []
        if tx is None and any(start.is_named for start in starts):
            async with self._engine.transaction() as own:  # one taken id must undo the others
                created = await self._create(starts, tx=own.handle, arguments=arguments)
        else:
            created = await self._create(starts, tx=tx, arguments=arguments)
        return [start.chain(result) for start, result in zip(starts, created, strict=True)]

    @asynccontextmanager
    async def transaction(self, kind: type[Any] | None = None, /) -> AsyncGenerator[Any]:
        """
        A transaction of the client's database, to pass as ``tx``: committed when the block ends well.

        It yields what the driver calls a connection.
        """
        async with self.engine.transaction(kind) as transaction:
            yield transaction.handle

    # Closing from outside

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
            NotFound: no such chain.
            InvalidArgument: the outcome does not fit the type of ``step``.
        """
        check_job_type("step", step)
        self._check_home()
        transaction = self._join(tx)
        id = chain_id(chain)
        enqueue: Enqueue | None = None
        ends: Completes | Continues
        if is_continue(outcome):
            ends, enqueue = await self._continuation(id, outcome, transaction)
        else:
            ends = Completes(self._engine.encode_output(outcome, step, chain_id=id, argument="outcome"))
        try:
            with self._engine.telemetry.silence():
                transitions = await self._engine.state.finish(
                    [Closure(chain_id=id, step=step.name, outcome=ends)], tx=transaction
                )
        except BaseException as error:
            if enqueue is not None:
                enqueue.fail(error)
            raise
        self._engine.effects.follow(transitions, tx=transaction, told=None if enqueue is None else told(enqueue))

    async def trigger(self, *chains: Chain[Any] | str, tx: object | None = None) -> None:
        """
        Make the scheduled jobs of these chains due now; one that is due already stays as it is. All or nothing.

        Raises:
            NotFound, JobAlreadyClosed: no such chain, or a closed one.
            InvalidArgument: a job is blocked or running.
        """
        await self._change(self.engine.state.trigger, chains, tx)

    async def cancel(self, *chains: Chain[Any] | str, tx: object | None = None) -> None:
        """
        Close these chains as cancelled; a worker that runs one of their jobs is fenced off and told. All or nothing.

        Raises:
            NotFound, JobAlreadyClosed: no such chain, or a closed one.
        """
        await self._change(self.engine.state.cancel, chains, tx)

    async def delete(self, *chains: Chain[Any] | str, tx: object | None = None) -> None:
        """
        Remove these chains with all their history. All or nothing.

        Raises:
            NotFound: no such chain.
            StillReferenced: a chain that is not among them has one of them as its blocker.
        """
        await self._change(self.engine.state.delete, chains, tx)

    # Waiting and asking

    async def result(self, chain: Chain[Out], *, timeout: float | None = None) -> Out:
        """
        Wait for the chain's output.

        Args:
            chain: a handle, from a start or made with ``Chain(id, job_type)``.
            timeout: seconds to wait at most; None waits for ever.

        Raises:
            TimeoutError: it is still open after ``timeout``; it goes on all the same.
            ChainFailed, ChainCancelled: it ended without an output.
            NotFound: it does not exist, or was deleted meanwhile.
        """
        if not isinstance(chain, Chain):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("chain", f"is {chain!r}; give a Chain, or make one with Chain(id, job_type)")
        if timeout is not None:
            check_seconds("timeout", timeout)
        self._check_home()
        assert self._waiter is not None
        outcome = await self._waiter.wait(chain.id, timeout=timeout)
        if outcome.status is Status.COMPLETED and outcome.output is not None:
            return cast(Out, self._engine.decode_output(outcome.output, chain.job_type, chain_id=chain.id))
        if outcome.status is Status.CANCELLED:
            raise ChainCancelled(f"chain {chain.id} was cancelled")
        raise ChainFailed(chain.id, outcome.failure.text if outcome.failure else "no reason was stored")

    async def chain(self, chain: Chain[Any] | str) -> ChainRecord:
        """
        The chain as it stands: its first job and its tail.

        Raises:
            NotFound: it does not exist.
        """
        page = await self.chains(chain=chain, limit=1)
        if not page.items:
            raise NotFound(f"chain {chain_id(chain)} does not exist")
        return page.items[0]

    async def job(self, job_id: str) -> JobRecord:
        """
        One job, by its id.

        Raises:
            NotFound: it does not exist.
        """
        chain, position = job_key(job_id)
        after: str | None = None
        while True:
            page = await self._ask_jobs(query(type=None, status=None, chain=chain, limit=1000, after=after))
            for job in page.items:
                if job.position == position:
                    return job
            if page.next is None:
                raise NotFound(f"job {job_id} does not exist")
            after = page.next

    async def jobs(
        self,
        *,
        type: TypeFilter = None,
        chain: Chain[Any] | str | None = None,
        status: StatusFilter = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[JobRecord]:
        """
        Jobs, those of the newest chains first.

        ``status`` is one or several statuses, ``"open"`` for any open one. ``limit`` is 1 to 1,000; ``after`` is the
        ``next`` of the page before.
        """
        if after is not None:
            job_key(after, argument="after")
        return await self._ask_jobs(query(type=type, status=status, chain=chain, limit=limit, after=after))

    async def chains(
        self,
        *,
        type: TypeFilter = None,
        chain: Chain[Any] | str | None = None,
        status: StatusFilter = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[ChainRecord]:
        """Chains, newest first: by the type of their first job and the status of their tail; else as ``jobs``."""
        if after is not None:
            check_chain_id("after", after)
        asked = query(type=type, status=status, chain=chain, limit=limit, after=after)
        engine = self.engine
        with engine.telemetry.silence():
            return await engine.state.chains(asked)

    async def attempts(self, job_id: str) -> list[AttemptRecord]:
        """The finished attempts of a job, first to last."""
        chain, position = job_key(job_id)
        engine = self.engine
        with engine.telemetry.silence():
            return list(await engine.state.attempts(chain, position))

    # Within

    def _check_home(self) -> None:
        if self._home is None:
            raise WrongLoop("the client is not open; use `async with otelq.connect(...)`, or await client.open()")
        loop, pid = self._home
        if pid != os.getpid():
            raise WrongLoop("the client was opened before a fork; connect anew in the child process")
        if loop is not asyncio.get_running_loop():
            raise WrongLoop("the client was opened in another event loop; connect anew in this one")

    def _join(self, tx: object | None) -> Transaction | None:
        return None if tx is None else self._engine.state.join(tx)

    async def _create(
        self, starts: Sequence[Start[Any]], *, tx: object | None, arguments: Iterable[str]
    ) -> Sequence[Created]:
        """``arguments`` are the names under which the caller gave the inputs."""
        transaction = self._join(tx)
        payloads = [self._encode(start, argument) for start, argument in zip(starts, arguments, strict=False)]
        enqueue = self._enqueue(starts)
        jobs = [
            start.request(payload=payload, trace=enqueue.note) for start, payload in zip(starts, payloads, strict=True)
        ]
        try:
            if transaction is not None:
                return await self._create_in(transaction, starts, jobs, enqueue)
            if len(starts) == 1 and starts[0].is_plain:
                created: Sequence[Created] = [await self._coalescer.create(jobs[0])]
            else:
                with self._engine.telemetry.silence():
                    created = await create(self._engine, jobs)
            refuse_existing(created)
        except BaseException as error:
            enqueue.fail(error)
            raise
        enqueue.end(held_by=holder(created))
        self._count_deduplicated(starts, created)
        return created

    async def _create_in(
        self, transaction: Transaction, starts: Sequence[Start[Any]], jobs: Sequence[NewJob], enqueue: Enqueue
    ) -> Sequence[Created]:
        state = self._engine.state
        with self._engine.telemetry.silence():
            created, transitions = await state.create(jobs, tx=transaction)
            try:
                refuse_existing(created)
            except AlreadyExists:  # the caller's transaction may go on: take back what the others wrote
                if made := [result.chain_id for result in created if result.is_new]:
                    await state.delete(made, tx=transaction)
                raise
        tell = told(enqueue, held_by=holder(created))

        def ended(committed: bool) -> None:
            tell(committed)
            if committed:
                self._count_deduplicated(starts, created)

        self._engine.effects.follow(transitions, tx=transaction, told=ended)
        return created

    async def _continuation(
        self, id: str, continuation: Continue[Any], transaction: Transaction | None
    ) -> tuple[Continues, Enqueue]:
        payload = self._engine.encode_input(continuation.input, continuation.job_type, chain_id=id, argument="outcome")
        with self._engine.telemetry.silence():
            page = await self._engine.state.chains(JobQuery(chain_ids=(id,), limit=1), tx=transaction)
        if not page.items:
            raise NotFound(f"chain {id} does not exist")
        head, tail = page.items[0].head, page.items[0].tail
        enqueue = self._engine.telemetry.enqueue(
            type=continuation.job_type.name,
            chain_id=id,
            position=tail.position + 1,
            delay=continuation.delay,
            parent=self._engine.telemetry.note(head.trace),
        )
        return Continues(successor(continuation, payload=payload, trace=enqueue.note, meta=head.meta)), enqueue

    def _count_deduplicated(self, starts: Sequence[Start[Any]], created: Sequence[Created]) -> None:
        for start, result in zip(starts, created, strict=True):
            if result.deduplicated:
                self._engine.telemetry.count(Count.DEDUPLICATED, type=start.job_type.name)

    def _encode(self, start: Start[Any], argument: str) -> str:
        return self._engine.encode_input(start.input, start.job_type, chain_id=start.id, argument=argument)

    def _enqueue(self, starts: Sequence[Start[Any]]) -> Enqueue:
        first = starts[0]
        if len(starts) > 1:
            types = {start.job_type.name for start in starts}
            return self._engine.telemetry.enqueue(type=types.pop() if len(types) == 1 else None, batch=len(starts))
        return self._engine.telemetry.enqueue(
            type=first.job_type.name, chain_id=first.id, position=0, delay=first.delay
        )

    async def _change(self, verb: Any, chains: Sequence[Chain[Any] | str], tx: object | None) -> None:
        transaction = self._join(tx)
        ids = [chain_id(chain) for chain in chains]
        if not ids:
            return
        with self._engine.telemetry.silence():
            transitions: Sequence[Transition] = await verb(ids, tx=transaction)
        self._engine.effects.follow(transitions, tx=transaction)

    async def _ask_jobs(self, asked: JobQuery) -> Page[JobRecord]:
        engine = self.engine
        with engine.telemetry.silence():
            return await engine.state.jobs(asked)


def told(enqueue: Enqueue, *, held_by: str | None = None) -> Told:
    """Ends the span of a start once its commit is known; one that was rolled back is never seen."""

    def tell(committed: bool) -> None:
        if committed:
            enqueue.end(held_by=held_by)
        else:
            enqueue.drop()

    return tell


def holder(created: Sequence[Created]) -> str | None:
    """The chain that holds the dedup key of a single start."""
    return created[0].chain_id if len(created) == 1 and created[0].deduplicated else None
