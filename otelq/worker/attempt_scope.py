"""The worker's side of an ``Attempt``: transactions, provided objects and the outputs of blockers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, NoReturn, TypeVar

from msgspec.structs import replace

from ..client import Client
from ..definitions import Attempt, Definition, JobType, Middleware, check_job_type, overrides
from ..errors import InvalidArgument, OtelqError, UndecodablePayload
from ..model import CancelReason, ChainOutcome
from ..ports.state import Transaction
from .context import Provided, WorkerContext
from .refusals import refuse_type
from .thread_pool import ThreadTask

Out = TypeVar("Out")
X = TypeVar("X")

PLAIN_JSON = JobType[Any, Any]("plain JSON")


class WorkerScope:
    """The scope of one attempt under a worker."""

    __slots__ = (
        "_context", "_definition", "_ended", "_is_soft_timeout_over", "_middleware", "_opening_lock", "_own_stopping",
        "_provided", "_started_at", "_transaction", "abandoned", "blocker_chains", "cancel_reason", "completion_tx",
        "refusal", "thread_task", "undecodable",
    )  # fmt: skip

    def __init__(self, context: WorkerContext, definition: Definition, *, started_at: float) -> None:
        self._context = context
        self._definition = definition
        self._started_at = started_at
        self._transaction: AsyncExitStack | None = None
        self._middleware: AsyncExitStack | None = None
        """The middleware that was entered around the completion transaction."""
        self._opening_lock: asyncio.Lock | None = None
        self._provided: Provided | None = None
        self._ended = False
        self._is_soft_timeout_over = False
        self._own_stopping: asyncio.Event | None = None
        self.cancel_reason: CancelReason | None = None
        self.completion_tx: Transaction | None = None
        """The transaction of ``attempt.completion()``, if the handler opened it."""
        self.refusal: InvalidArgument | None = None
        """The error of a transaction of a kind that the client does not have. The attempt then does not count."""
        self.undecodable: UndecodablePayload | None = None
        """The error of an output of a blocker that does not decode."""
        self.blocker_chains: Sequence[ChainOutcome] = ()
        self.thread_task: ThreadTask | None = None
        """The call of a handler that runs in a thread."""
        self.abandoned = False
        if definition.soft_timeout is not None:
            self._own_stopping = asyncio.Event()
            if context.stopping.is_set():
                self._own_stopping.set()

    @property
    def client(self) -> Client:
        """Return the worker's client."""
        return self._context.client

    @property
    def stopping(self) -> asyncio.Event:
        """Return the event that is set when the worker begins to stop or the soft timeout is over."""
        return self._own_stopping or self._context.stopping

    @property
    def stop_reason(self) -> CancelReason | None:
        """Return why ``stopping`` is set; None if it is not."""
        if self._is_soft_timeout_over:
            return CancelReason.TIMEOUT
        return CancelReason.SHUTDOWN if self._context.stopping.is_set() else None

    @property
    def time_left(self) -> float | None:
        """Return the seconds until the timeout; None without one."""
        timeout = self._definition.timeout
        return None if timeout is None else max(0.0, self._started_at + timeout - time.monotonic())

    def soft_timeout(self) -> None:
        """Ask the handler to finish because the soft timeout is over."""
        if self._own_stopping is not None and not self._own_stopping.is_set():
            self._is_soft_timeout_over = True
            self._own_stopping.set()

    def begin_stop(self) -> None:
        """Ask the handler to finish because the worker is stopping."""
        if self._own_stopping is not None:
            self._own_stopping.set()

    def provided(self, kind: type[X], /) -> X:
        """Return the object of this type that was provided to the attempt or to the worker."""
        return (self._provided or self._context.provided).get(kind)

    def provide(self, kind: type, value: object, /) -> None:
        """Provide an object to this attempt."""
        self._provided = self._provided or Provided((), outer=self._context.provided)
        self._provided.put(kind, value)

    def blockers(self, job_type: JobType[Any, Out], /) -> list[Out]:
        """Return the outputs of the blockers of one type, in order."""
        check_job_type("job_type", job_type)
        chains = [chain for chain in self.blocker_chains if chain.type in job_type.names]
        return [self._decode(chain.output, job_type, chain.chain_id) for chain in chains if chain.output is not None]

    def blocker_outcomes(self) -> list[ChainOutcome]:
        """Return the state of all blockers, in order, with their outputs as plain JSON."""
        return [chain if chain.output is None else self._plain(chain, chain.output) for chain in self.blocker_chains]

    def _plain(self, chain: ChainOutcome, stored: str) -> ChainOutcome:
        output = self._decode(stored, PLAIN_JSON, chain.chain_id)
        return replace(chain, output=PLAIN_JSON.signature.output.encode(output, limit=None))

    def _decode(self, stored: str, job_type: JobType[Any, Out], chain_id: str) -> Out:
        try:
            output: Out = self._context.engine.decode_output(stored, job_type, chain_id=chain_id)
        except UndecodablePayload as error:
            self.undecodable = error
            raise
        return output

    @asynccontextmanager
    async def transaction(self, kind: type | None, /, *, attempt: Attempt[Any]) -> AsyncGenerator[Any]:
        """Yield the handle of a new transaction."""
        self._check_alive()
        async with (
            self._begin(kind) as transaction,
            _in_middleware(self._definition.middleware, attempt=attempt, tx=transaction.handle),
        ):
            yield transaction.handle

    async def completion(self, kind: type | None, /, *, attempt: Attempt[Any]) -> Any:
        """Return the handle of the completion transaction; open it at the first call."""
        self._check_alive()
        # Two tasks of one handler may ask at once; there must be one transaction.
        self._opening_lock = self._opening_lock or asyncio.Lock()
        async with self._opening_lock:
            if self.completion_tx is None:
                await self._open_completion(kind, attempt)
        assert self.completion_tx is not None
        handle = self.completion_tx.handle
        if kind is not None and not isinstance(handle, kind):
            raise InvalidArgument("kind", f"the completion is open as {type(handle).__name__}; ask for that")
        return handle

    async def _open_completion(self, kind: type | None, attempt: Attempt[Any]) -> None:
        # `pop_all` keeps the stacks open for `commit`; an error before it closes them, which rolls back.
        async with AsyncExitStack() as stack:
            completion_tx = await stack.enter_async_context(self._begin(kind))
            async with AsyncExitStack() as middleware:
                entered = _in_middleware(self._definition.middleware, attempt=attempt, tx=completion_tx.handle)
                await middleware.enter_async_context(entered)
                # Checked again: the handler may have ended while one of its tasks waited for a connection. Nobody would
                # close the transaction then.
                self._check_alive()
                self._middleware = middleware.pop_all()
            self.completion_tx, self._transaction = completion_tx, stack.pop_all()

    @asynccontextmanager
    async def _begin(self, kind: type | None) -> AsyncGenerator[Transaction]:
        async with AsyncExitStack() as stack:
            try:
                transaction = await stack.enter_async_context(self._context.engine.transaction(kind))
            except InvalidArgument as error:
                if error.argument == "kind":
                    self.refusal = error
                    refuse_type(self._context, self._definition, error)
                raise
            yield transaction

    def end(self) -> None:
        """Refuse further transactions, also to tasks that the handler left running."""
        self._ended = True

    async def leave_completion(self) -> None:
        """Leave the middleware around the completion transaction, before the job is closed in it."""
        middleware, self._middleware = self._middleware, None
        if middleware is not None:
            await middleware.__aexit__(None, None, None)

    async def commit(self) -> None:
        """Commit the completion transaction, if there is one."""
        if self._transaction is not None:
            stack, self._transaction = self._transaction, None
            await stack.aclose()

    async def roll_back(self, error: BaseException) -> None:
        """Roll the completion transaction back, also if middleware fails; a new one may be opened afterwards."""
        # Cleared before the first await: a rollback of the runner may follow one around the handler, and finds nothing
        # then.
        middleware, self._middleware = self._middleware, None
        stack, self._transaction = self._transaction, None
        self.completion_tx = None
        try:
            if middleware is not None:
                await middleware.__aexit__(type(error), error, error.__traceback__)
        except (SystemExit, KeyboardInterrupt) as failure:  # in a task these would end the event loop
            raise OtelqError(f"middleware raised {type(failure).__name__}") from failure
        finally:
            if stack is not None:
                await stack.__aexit__(type(error), error, error.__traceback__)

    def _check_alive(self) -> None:
        if self._ended:
            raise InvalidArgument("attempt", "has ended; open transactions before the handler returns")


class ThreadScope:
    """The scope of a handler in a thread: like that of its attempt, without transactions."""

    def __init__(self, scope: WorkerScope) -> None:
        self._scope = scope
        self.provided = scope.provided
        self.provide = scope.provide
        self.blockers = scope.blockers
        self.blocker_outcomes = scope.blocker_outcomes

    @property
    def client(self) -> Client:
        """Return the worker's client."""
        return self._scope.client

    @property
    def cancel_reason(self) -> CancelReason | None:
        """Return why the attempt was cancelled; None if it was not."""
        return self._scope.cancel_reason

    @property
    def stopping(self) -> asyncio.Event:
        """Return the event that is set when it is time to finish."""
        return self._scope.stopping

    @property
    def stop_reason(self) -> CancelReason | None:
        """Return why ``stopping`` is set; None if it is not."""
        return self._scope.stop_reason

    @property
    def time_left(self) -> float | None:
        """Return the seconds until the timeout; None without one."""
        return self._scope.time_left

    def transaction(self, kind: type | None, /, *, attempt: Attempt[Any]) -> AbstractAsyncContextManager[Any]:
        """Raise ``InvalidArgument``: connections belong to the event loop."""
        _only_async("transaction()")

    def completion(self, kind: type | None, /, *, attempt: Attempt[Any]) -> Coroutine[Any, Any, Any]:
        """Raise ``InvalidArgument``: connections belong to the event loop."""
        _only_async("completion()")


def _only_async(what: str) -> NoReturn:
    raise InvalidArgument("attempt", f"has no {what} in a handler that runs in a thread; declare it with async def")


@asynccontextmanager
async def _in_middleware(
    middleware: Sequence[Middleware], *, attempt: Attempt[Any], tx: object
) -> AsyncGenerator[None]:
    """Run a block inside the middleware's ``transaction``; middleware sees an error and cannot suppress it."""
    stack = AsyncExitStack()
    try:
        for one in middleware:
            if overrides(one, "transaction"):
                await stack.enter_async_context(one.transaction(attempt, tx))
        yield
    except BaseException as error:
        # Raised again whatever `__aexit__` returns: a suppressed error would commit half of a transaction.
        await stack.__aexit__(type(error), error, error.__traceback__)
        raise
    else:
        await stack.aclose()
