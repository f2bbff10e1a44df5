"""Starting chains: one, many, or another one like one that was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, overload

from ..definitions import Blockers, Chain, JobType
from ..effects import Told
from ..errors import AlreadyExists, InvalidArgument, JobTypeMismatch, NotFound
from ..model import ChainRecord, Created, Dedup, JobQuery, NewJob, read_meta
from ..ports.state import Transaction
from ..telemetry import Count, Enqueue
from .coalescer import create
from .home import Home
from .queries import AnyChain, chain_id
from .starting import Naming, Start, check_starts, read_starts, refuse_existing

In = TypeVar("In")
Out = TypeVar("Out")
Each = TypeVar("Each")

Starts = Sequence[Start[Any]]
Write = Callable[[Starts], Awaitable[list[Chain[Any]]]]


class Starting(Home):
    """The verbs that make chains."""

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
        expires: float | None = None,
        tags: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        tenant: str | None = None,
        request_id: str | None = None,
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
            priority: -100 to 100; lower runs first, within a type.
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
        start = Start(
            job_type,
            input,
            id=id,
            delay=delay,
            at=at,
            priority=priority,
            dedup=dedup,
            blockers=blockers,
            expires=expires,
            tags=tags,
            headers=headers,
            tenant=tenant,
            request_id=request_id,
        )
        self._check_home()
        [chain] = await self._start([start], tx=tx, naming=_input)
        return chain

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
        starts, naming = read_starts(what, inputs)
        return await self._start(starts, tx=tx, naming=naming) if starts else []

    async def copy(
        self,
        chain: Chain[Out],
        *,
        tx: object | None = None,
        id: str | None = None,
        delay: float | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        dedup: Dedup | None = None,
    ) -> Chain[Out]:
        """
        Start a new chain from the beginning of one that exists, open or closed.

        The new one has the type, queue, tags, headers, tenant and request id of the other, its priority unless another
        is given, and its first job's input: the amended one, if that was amended. Blockers, dedup key and times are
        not copied, and nothing ties the two together. It belongs to the caller's trace.

        Raises:
            NotFound: the chain does not exist.
            JobTypeMismatch: it began with another type than the handle says.
            UndecodablePayload: the stored input does not fit the type any more.
            AlreadyExists: a chain with ``id`` exists.
        """
        if not isinstance(chain, Chain):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("chain", f"is {chain!r}; give a Chain, or make one with Chain(id, job_type)")
        self._check_home()
        head = (await self._record(chain, self._join(tx))).head
        if head.type != chain.job_type.name:
            raise JobTypeMismatch(f"chain {chain.id} began with {head.type!r}, not with {chain.job_type.name!r}")
        text = head.input if head.amended_input is None else head.amended_input
        meta = read_meta(head.meta)
        start = Start(
            chain.job_type,
            self._engine.decode_input(text, chain.job_type, chain_id=chain.id),
            id=id,
            delay=delay,
            at=at,
            priority=head.priority if priority is None else priority,
            dedup=dedup,
            tags=meta.tags,
            headers=meta.headers,
            tenant=meta.tenant,
            request_id=meta.request_id,
        )
        [copied] = await self._start([start.in_queue(head.queue)], tx=tx, naming=_input)
        return copied

    async def _record(self, chain: AnyChain, transaction: Transaction | None = None) -> ChainRecord:
        """
        A chain as it stands, seen from within the transaction if there is one.

        Raises:
            NotFound: it does not exist.
        """
        id = chain_id(chain)
        with self._engine.telemetry.silence():
            page = await self._engine.state.chains(JobQuery(chain_ids=(id,), limit=1), tx=transaction)
        if not page.items:
            raise NotFound(f"chain {id} does not exist")
        return page.items[0]

    async def _start(self, starts: Starts, *, tx: object | None, naming: Naming) -> list[Chain[Any]]:
        """Start these chains, through the middleware if there is any."""
        call = partial(self._write, tx=tx, naming=naming)
        if not self._middleware:
            return await call(starts)

        async def write(given: Starts) -> list[Chain[Any]]:
            return await call(_as_many(check_starts(given), starts, of="starts"))

        through: Write = write
        for middleware in reversed(self._middleware):
            through = partial(middleware.start, call=through)
        return _as_many(await through(starts), starts, of="chains")

    async def _write(self, starts: Starts, *, tx: object | None, naming: Naming) -> list[Chain[Any]]:
        if tx is None and len(starts) > 1 and any(start.is_named for start in starts):
            async with self._engine.transaction() as own:  # one taken id must undo the others
                created = await self._create(starts, tx=own.handle, naming=naming)
        else:
            created = await self._create(starts, tx=tx, naming=naming)
        return [start.chain(result) for start, result in zip(starts, created, strict=True)]

    async def _create(self, starts: Starts, *, tx: object | None, naming: Naming) -> Sequence[Created]:
        transaction = self._join(tx)
        payloads = [self._encode(start, naming(n)) for n, start in enumerate(starts)]
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
        enqueue.end(held_by=_holder(created))
        self._count_deduplicated(starts, created)
        return created

    async def _create_in(
        self, transaction: Transaction, starts: Starts, jobs: Sequence[NewJob], enqueue: Enqueue
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
        tell = told(enqueue, held_by=_holder(created))

        def ended(committed: bool) -> None:
            tell(committed)
            if committed:
                self._count_deduplicated(starts, created)

        self._engine.effects.follow(transitions, tx=transaction, told=ended)
        return created

    def _count_deduplicated(self, starts: Starts, created: Sequence[Created]) -> None:
        for start, result in zip(starts, created, strict=True):
            if result.deduplicated:
                self._engine.telemetry.count(Count.DEDUPLICATED, type=start.job_type.name)

    def _encode(self, start: Start[Any], argument: str) -> str:
        return self._engine.encode_input(start.input, start.job_type, chain_id=start.id, argument=argument)

    def _enqueue(self, starts: Starts) -> Enqueue:
        first = starts[0]
        if len(starts) > 1:
            types = {start.job_type.name for start in starts}
            return self._engine.telemetry.enqueue(type=types.pop() if len(types) == 1 else None, batch=len(starts))
        return self._engine.telemetry.enqueue(
            type=first.job_type.name, chain_id=first.id, position=0, delay=first.delay
        )


def told(enqueue: Enqueue, *, held_by: str | None = None) -> Told:
    """Ends the span of a start once its commit is known; one that was rolled back is never seen."""

    def tell(committed: bool) -> None:
        if committed:
            enqueue.end(held_by=held_by)
        else:
            enqueue.drop()

    return tell


def _holder(created: Sequence[Created]) -> str | None:
    """The chain that holds the dedup key of a single start."""
    return created[0].chain_id if len(created) == 1 and created[0].deduplicated else None


def _input(_: int) -> str:
    return "input"


def _as_many(given: Sequence[Each], starts: Starts, *, of: str) -> list[Each]:
    """Refuse a middleware that gives more or fewer than it was given: nobody could tell which is which."""
    if not isinstance(given, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("middleware", f"gives {given!r}; return the {of}, as call(starts) does")
    if len(given) != len(starts):
        raise InvalidArgument("middleware", f"gives {len(given)} {of} for {len(starts)} starts; give as many")
    return list(given)
