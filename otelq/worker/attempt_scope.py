"""What a handler reaches through its ``Attempt``: transactions, provided things, its blockers' outputs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, NoReturn, TypeVar

from msgspec.structs import replace

from ..client import Client
from ..definitions import Attempt, Definition, JobType, Middleware, check_job_type, overrides
from ..errors import InvalidArgument, OtelqError
from ..model import CancelReason, ChainOutcome
from ..ports.state import Transaction
from .context import Provided, WorkerContext
from .thread_pool import ThreadTask

Out = TypeVar("Out")
X = TypeVar("X")

PLAIN = JobType[Any, Any]("plain JSON")


class WorkerScope:
    """The scope of one attempt under a worker."""

    __slots__ = (
        "_crew", "_definition", "_ended", "_inside", "_late", "_opening", "_own_stopping", "_provided", "_since",
        "_stack", "abandoned", "cancel_reason", "completing", "errand", "fed_by",
    )  # fmt: skip

    def __init__(self, crew: WorkerContext, definition: Definition, *, since: float) -> None:
        self._crew = crew
        self._definition = definition
        self._since = since
        self._stack: AsyncExitStack | None = None
        self._inside: AsyncExitStack | None = None
        """What middleware put round the completion."""
        self._opening: asyncio.Lock | None = None
        self._provided: Provided | None = None
        self._ended = False
        self._late = False
        self._own_stopping: asyncio.Event | None = None
        self.cancel_reason: CancelReason | None = None
        self.completing: Transaction | None = None
        """The transaction of ``completion``, if the handler opened it."""
        self.fed_by: Sequence[ChainOutcome] = ()
        self.errand: ThreadTask | None = None
        """The handler's call in a thread."""
        self.abandoned = False
        if definition.soft_timeout is not None:
            self._own_stopping = asyncio.Event()
            if crew.stopping.is_set():
                self._own_stopping.set()

    @property
    def client(self) -> Client:
        """The worker's client."""
        return self._crew.client

    @property
    def stopping(self) -> asyncio.Event:
        """Set when the worker begins to stop, or the soft timeout is over."""
        return self._own_stopping or self._crew.stopping

    @property
    def stop_reason(self) -> CancelReason | None:
        """Why ``stopping`` is set."""
        if self._late:
            return CancelReason.TIMEOUT
        return CancelReason.SHUTDOWN if self._crew.stopping.is_set() else None

    @property
    def time_left(self) -> float | None:
        """Seconds until the timeout."""
        timeout = self._definition.timeout
        return None if timeout is None else max(0.0, self._since + timeout - time.monotonic())

    def soft_timeout(self) -> None:
        """The soft timeout is over."""
        if self._own_stopping is not None and not self._own_stopping.is_set():
            self._late = True
            self._own_stopping.set()

    def wind_up(self) -> None:
        """The worker begins to stop."""
        if self._own_stopping is not None:
            self._own_stopping.set()

    def provided(self, kind: type[X], /) -> X:
        """What was provided to the attempt, or to the worker, under this type."""
        return (self._provided or self._crew.provided).get(kind)

    def provide(self, kind: type, thing: object, /) -> None:
        """Provide a thing to this attempt."""
        self._provided = self._provided or Provided((), beyond=self._crew.provided)
        self._provided.put(kind, thing)

    def blockers(self, job_type: JobType[Any, Out], /) -> list[Out]:
        """The outputs of the blockers of one type, in order."""
        check_job_type("job_type", job_type)
        decode = self._crew.engine.decode_output
        mine = [chain for chain in self.fed_by if chain.type == job_type.name]
        return [decode(chain.output, job_type, chain_id=chain.chain_id) for chain in mine if chain.output is not None]

    def blocker_outcomes(self) -> list[ChainOutcome]:
        """How all blockers stood, in order, with their outputs as plain JSON."""
        return [chain if chain.output is None else self._plain(chain, chain.output) for chain in self.fed_by]

    def _plain(self, chain: ChainOutcome, stored: str) -> ChainOutcome:
        output = self._crew.engine.decode_output(stored, PLAIN, chain_id=chain.chain_id)
        return replace(chain, output=PLAIN.signature.output.encode(output, limit=None))

    @asynccontextmanager
    async def transaction(self, kind: type | None, /, *, attempt: Attempt[Any]) -> AsyncGenerator[Any]:
        """A transaction of its own."""
        self._check_alive()
        async with (
            self._crew.engine.transaction(kind) as transaction,
            _surrounded(self._definition.middleware, attempt=attempt, tx=transaction.handle),
        ):
            yield transaction.handle

    async def completion(self, kind: type | None, /, *, attempt: Attempt[Any]) -> Any:
        """The transaction that commits with the job's closing, opened at the first call."""
        self._check_alive()
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self.completing is None:
                await self._open_completion(kind, attempt)
        assert self.completing is not None
        handle = self.completing.handle
        if kind is not None and not isinstance(handle, kind):
            raise InvalidArgument("kind", f"the completion is open as {type(handle).__name__}; ask for that")
        return handle

    async def _open_completion(self, kind: type | None, attempt: Attempt[Any]) -> None:
        async with AsyncExitStack() as stack:
            completing = await stack.enter_async_context(self._crew.engine.transaction(kind))
            async with AsyncExitStack() as inside:
                surrounded = _surrounded(self._definition.middleware, attempt=attempt, tx=completing.handle)
                await inside.enter_async_context(surrounded)
                self._check_alive()  # a task that the handler left behind may have waited for it until now
                self._inside = inside.pop_all()
            self.completing, self._stack = completing, stack.pop_all()

    def end(self) -> None:
        """Refuse whatever the handler, or a task that it left behind, asks for from now on."""
        self._ended = True

    async def leave_completion(self) -> None:
        """Let middleware finish what it put round the completion, before that is closed."""
        inside, self._inside = self._inside, None
        if inside is not None:
            await inside.__aexit__(None, None, None)

    async def commit(self) -> None:
        """Commit what ``completion`` opened."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            await stack.aclose()

    async def roll_back(self, error: BaseException) -> None:
        """Undo what was written in ``completion``, whatever middleware says of it; another may be opened."""
        inside, self._inside = self._inside, None
        stack, self._stack = self._stack, None
        self.completing = None
        try:
            if inside is not None:
                await inside.__aexit__(type(error), error, error.__traceback__)
        except (SystemExit, KeyboardInterrupt) as trouble:  # they would end the event loop, out of a task of ours
            raise OtelqError(f"middleware raised {type(trouble).__name__}") from trouble
        finally:
            if stack is not None:
                await stack.__aexit__(type(error), error, error.__traceback__)

    def _check_alive(self) -> None:
        if self._ended:
            raise InvalidArgument("attempt", "has ended; open transactions before the handler returns")


class ThreadScope:
    """The scope of a handler in a thread: that of its attempt, without transactions."""

    def __init__(self, scope: WorkerScope) -> None:
        self._scope = scope
        self.provided = scope.provided
        self.provide = scope.provide
        self.blockers = scope.blockers
        self.blocker_outcomes = scope.blocker_outcomes

    @property
    def client(self) -> Client:
        """The worker's client."""
        return self._scope.client

    @property
    def cancel_reason(self) -> CancelReason | None:
        """Why the attempt was cancelled."""
        return self._scope.cancel_reason

    @property
    def stopping(self) -> asyncio.Event:
        """Set when it is time to finish."""
        return self._scope.stopping

    @property
    def stop_reason(self) -> CancelReason | None:
        """Why ``stopping`` is set."""
        return self._scope.stop_reason

    @property
    def time_left(self) -> float | None:
        """Seconds until the timeout."""
        return self._scope.time_left

    def transaction(self, kind: type | None, /, *, attempt: Attempt[Any]) -> AbstractAsyncContextManager[Any]:
        """Not in a thread."""
        _only_async("transaction()")

    def completion(self, kind: type | None, /, *, attempt: Attempt[Any]) -> Coroutine[Any, Any, Any]:
        """Not in a thread."""
        _only_async("completion()")


def _only_async(what: str) -> NoReturn:
    raise InvalidArgument("attempt", f"has no {what} in a handler that runs in a thread; declare it with async def")


@asynccontextmanager
async def _surrounded(middleware: Sequence[Middleware], *, attempt: Attempt[Any], tx: object) -> AsyncGenerator[None]:
    """What middleware puts round a transaction; it is told of an error, and cannot make it good."""
    stack = AsyncExitStack()
    try:
        for one in middleware:
            if overrides(one, "transaction"):
                await stack.enter_async_context(one.transaction(attempt, tx))
        yield
    except BaseException as error:
        await stack.__aexit__(type(error), error, error.__traceback__)
        raise
    else:
        await stack.aclose()
