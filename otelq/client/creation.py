"""The creation of chains: one, many, or a copy of another; through the middleware of the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from ..definitions import Chain, CopyOptions, Middleware, overrides, refuse_unknown
from ..errors import AlreadyExists, InvalidArgument
from ..model import Created, JobRecord, NewJob, read_meta
from ..ports.state import Transaction
from ..telemetry import CounterName, Enqueue
from .coalescer import Coalescer, create
from .engine import Engine
from .lookups import Lookups
from .results import check_chain, check_type
from .spans import end_after_commit, fail_on_error
from .start import InputName, Start, check_starts, read_starts, refuse_existing

Out = TypeVar("Out")
Each = TypeVar("Each")

Starts = Sequence[Start[Any]]
Write = Callable[[Starts], Awaitable[list[Chain[Any]]]]


class Creation:
    """Creates chains."""

    def __init__(self, engine: Engine, lookups: Lookups, *, middleware: Iterable[Middleware]) -> None:
        self._engine = engine
        self._lookups = lookups
        self._middleware = tuple(one for one in middleware if overrides(one, "start"))
        self._coalescer = Coalescer(engine)

    async def start(self, start: Start[Out], *, tx: object | None) -> Chain[Out]:
        """Create one chain."""
        [chain] = await self._run_middleware([start], tx=tx, input_name=_single_name)
        return chain

    async def start_many(self, what: object, inputs: object, *, tx: object | None) -> list[Chain[Any]]:
        """Create many chains, all or none of them, from one of the two forms of ``Client.start_many``."""
        starts, input_name = read_starts(what, inputs)
        return await self._run_middleware(starts, tx=tx, input_name=input_name) if starts else []

    async def copy(self, chain: Chain[Out], options: CopyOptions, *, tx: object | None) -> Chain[Out]:
        """Create a chain from the beginning of another."""
        refuse_unknown(options, CopyOptions)
        check_chain(chain)
        head = (await self._lookups.chain(chain, tx=self._engine.join(tx))).head
        check_type(chain, head.type)
        return await self.start(self._start_like(chain, head, options), tx=tx)

    async def close(self) -> None:
        """Wait for the starts that are under way."""
        await self._coalescer.close()

    def _start_like(self, chain: Chain[Out], head: JobRecord, options: CopyOptions) -> Start[Out]:
        text = head.input if head.amended_input is None else head.amended_input
        input = self._engine.decode_input(text, chain.job_type, chain_id=chain.id)
        if options.get("priority") is None:  # None counts as not given, for every option
            options["priority"] = head.priority
        meta = read_meta(head.meta)
        start = Start(
            chain.job_type,
            input,
            **options,
            tags=meta.tags,
            headers=meta.headers,
            tenant=meta.tenant,
            request_id=meta.request_id,
        )
        return start.in_queue(head.queue)  # middleware may have moved the other chain to another queue

    async def _run_middleware(self, starts: Starts, *, tx: object | None, input_name: InputName) -> list[Chain[Any]]:
        """Start these chains through the middleware, if there is any."""
        call = partial(self._write, tx=tx, input_name=input_name)
        if not self._middleware:
            return await call(starts)

        async def write(given: Starts) -> list[Chain[Any]]:
            return await call(_check_length(check_starts(given), starts, of="starts"))

        inner: Write = write
        for middleware in reversed(self._middleware):  # the first is the outermost, so it is wrapped last
            inner = partial(middleware.start, call=inner)
        return _check_length(await inner(starts), starts, of="chains")

    async def _write(self, starts: Starts, *, tx: object | None, input_name: InputName) -> list[Chain[Any]]:
        if tx is None and len(starts) > 1 and any(start.is_named for start in starts):
            async with self._engine.transaction() as transaction:  # one taken id must undo the others
                created = await self._create(starts, tx=transaction.handle, input_name=input_name)
        else:
            created = await self._create(starts, tx=tx, input_name=input_name)
        return [start.chain(result) for start, result in zip(starts, created, strict=True)]

    async def _create(self, starts: Starts, *, tx: object | None, input_name: InputName) -> Sequence[Created]:
        transaction = self._engine.join(tx)
        jobs, enqueue = self._prepare(starts, input_name)
        with fail_on_error(enqueue):
            if transaction is None:
                return await self._create_now(starts, jobs, enqueue)
            return await self._create_in_transaction(transaction, starts, jobs, enqueue)

    async def _create_now(self, starts: Starts, jobs: Sequence[NewJob], enqueue: Enqueue) -> Sequence[Created]:
        created = await self._store(jobs, is_plain=len(starts) == 1 and starts[0].is_plain)
        refuse_existing(created)
        enqueue.end(held_by=_holder(created))
        self._count_deduplicated(starts, created)
        return created

    async def _store(self, jobs: Sequence[NewJob], *, is_plain: bool) -> Sequence[Created]:
        if is_plain:  # others may wait for a lock, and would hold up every start in the same statement
            return [await self._coalescer.create(jobs[0])]
        with self._engine.telemetry.silence():
            return await create(self._engine, jobs)

    async def _create_in_transaction(
        self, transaction: Transaction, starts: Starts, jobs: Sequence[NewJob], enqueue: Enqueue
    ) -> Sequence[Created]:
        with self._engine.telemetry.silence():
            created, transitions = await self._engine.state.create(jobs, tx=transaction)
            await self._refuse_existing_in_transaction(transaction, created)
        end = end_after_commit(enqueue, held_by=_holder(created))

        # Nothing is reported of a start that the caller rolls back.
        def finish(committed: bool) -> None:
            end(committed)
            if committed:
                self._count_deduplicated(starts, created)

        self._engine.effects.follow(transitions, tx=transaction, on_known=finish)
        return created

    async def _refuse_existing_in_transaction(self, transaction: Transaction, created: Sequence[Created]) -> None:
        """Raise for a taken id, and delete the other chains: the caller may commit the transaction all the same."""
        try:
            refuse_existing(created)
        except AlreadyExists:
            if new_chains := [result.chain_id for result in created if result.is_new]:
                await self._engine.state.delete(new_chains, tx=transaction)
            raise

    def _prepare(self, starts: Starts, input_name: InputName) -> tuple[list[NewJob], Enqueue]:
        # Before the span: an input that does not fit its type starts nothing, so it leaves no span.
        payloads = [self._encode(start, input_name(n)) for n, start in enumerate(starts)]
        enqueue = self._enqueue(starts)
        pairs = zip(starts, payloads, strict=True)
        return [start.request(payload=payload, trace=enqueue.stored_context) for start, payload in pairs], enqueue

    def _count_deduplicated(self, starts: Starts, created: Sequence[Created]) -> None:
        for start, result in zip(starts, created, strict=True):
            if result.deduplicated:
                self._engine.telemetry.count(CounterName.DEDUPLICATED, type=start.job_type.name)

    def _encode(self, start: Start[Any], argument: str) -> str:
        return self._engine.encode_input(start.input, start.job_type, chain_id=start.id, argument=argument)

    def _enqueue(self, starts: Starts) -> Enqueue:
        first = starts[0]
        if len(starts) > 1:
            type = _common(start.job_type.name for start in starts)
            queue = _common(start.queue for start in starts)
            return self._engine.telemetry.enqueue(type=type, queue=queue, batch=len(starts))
        return self._engine.telemetry.enqueue(
            type=first.job_type.name, queue=first.queue, chain_id=first.id, position=0, delay=first.delay
        )


def _holder(created: Sequence[Created]) -> str | None:
    """Return the chain that holds the dedup key of a single start."""
    return created[0].chain_id if len(created) == 1 and created[0].deduplicated else None


def _common(names: Iterable[str]) -> str | None:
    """Return the name if all are the same."""
    distinct = set(names)
    return distinct.pop() if len(distinct) == 1 else None


def _single_name(_: int) -> str:
    return "input"


def _check_length(given: Sequence[Each], starts: Starts, *, of: str) -> list[Each]:
    """Refuse a middleware that returns more or fewer than it was given: results belong to starts by their index."""
    if not isinstance(given, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("middleware", f"gives {given!r}; return the {of}, as call(starts) does")
    if len(given) != len(starts):
        raise InvalidArgument("middleware", f"gives {len(given)} {of} for {len(starts)} starts; give as many")
    return list(given)
