"""
The process of handlers with ``executor="process"``: runs one attempt after the other for its worker.

A thread listens to the worker beside the handler. When the worker is gone, killed perhaps, the process ends at once
with all that the handler started, so that no two workers ever run one job.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from importlib import import_module
from queue import SimpleQueue
from typing import Any, BinaryIO, NoReturn, TypeAlias, TypeVar

from ..client import Client
from ..definitions import (
    Attempt,
    Continue,
    Fail,
    JobType,
    RetryAfter,
    Snooze,
    WaitFor,
    check_continuation,
    check_job_type,
    is_continue,
    is_job_type,
)
from ..errors import InvalidArgument
from ..model import CancelReason, ChainOutcome
from ..schedule import qualified
from ..telemetry.propagation import carried
from ..texts import TRACE, cut
from .outcomes import alone, failure_of
from .process_protocol import (
    PREFIX,
    Answer,
    Continued,
    Failed,
    Ping,
    Raised,
    Reply,
    RetryLater,
    Returned,
    RunRequest,
    Snoozed,
    Stop,
    Waiting,
    framed,
    read_order,
)

Out = TypeVar("Out")
X = TypeVar("X")


class ProcessScope:
    """What a handler reaches in a process of its own: what was sent along, and nothing of the worker's."""

    def __init__(self, order: RunRequest) -> None:
        self.cancel_reason: CancelReason | None = None
        """Always None: an attempt that is cancelled ends with its process."""
        self.stopping = asyncio.Event()
        self.stop_reason: CancelReason | None = None
        self._order = order
        self._ends_at = None if order.time_left is None else time.monotonic() + order.time_left
        if order.stop_reason is not None:
            self.stop(order.stop_reason)

    def stop(self, reason: CancelReason | None) -> None:
        """Ask for a good end; called from the thread that listens, while nobody awaits the event."""
        self.stop_reason = reason
        self.stopping.set()

    @property
    def time_left(self) -> float | None:
        """Seconds until the worker ends this process."""
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())

    @property
    def client(self) -> Client:
        """Not here."""
        _not_here("client")

    def provided(self, kind: type[X], /) -> X:
        """Not here."""
        _not_here("get()")

    def provide(self, kind: type, thing: object, /) -> None:
        """Not here."""
        _not_here("provide()")

    def blockers(self, job_type: JobType[Any, Out], /) -> list[Out]:
        """The outputs of the blockers of one type, in order."""
        check_job_type("job_type", job_type)
        decode = job_type.signature.output.decode
        mine = [chain.output for chain in self._order.blockers if chain.type == job_type.name]
        return [decode(output) for output in mine if output is not None]

    def blocker_outcomes(self) -> list[ChainOutcome]:
        """How all blockers stood, in order."""
        return list(self._order.blockers)

    def transaction(self, kind: type | None, /, *, attempt: Attempt[Any]) -> AbstractAsyncContextManager[Any]:
        """Not here."""
        _not_here("transaction()")

    def completion(self, kind: type | None, /, *, attempt: Attempt[Any]) -> Coroutine[Any, Any, Any]:
        """Not here."""
        _not_here("completion()")


def _not_here(what: str) -> NoReturn:
    raise InvalidArgument(
        "attempt", f'has no {what} in a handler with executor="process"; it belongs to the worker: use an async def'
    )


def find_handler(module: str, name: str) -> JobType[Any, Any] | None:
    """The decorated handler that is found by this name; None if there is none."""
    found: object = import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if is_job_type(found) and found.handler is not None else None


def attend(order: RunRequest, scope: ProcessScope) -> Reply:
    """Run the handler; what came of it. A process that the handler forked and that comes back from it ends here."""
    here = os.getpid()
    try:
        with carried(order.carrier):
            reply = _result_of(order, scope)
    except BaseException as error:
        if os.getpid() != here:
            raise
        return _described(error)
    if os.getpid() != here:
        sys.exit()
    return reply


def _described(error: BaseException) -> Reply:
    try:
        return _decision(error)
    except Exception:
        return _decision(RuntimeError(f"an exception of type {type(error).__qualname__} that cannot be described"))


def _result_of(order: RunRequest, scope: ProcessScope) -> Reply:
    job_type = find_handler(order.module, order.name)
    if job_type is None or job_type.handler is None:
        raise InvalidArgument("handler", f"{order.name!r} is no decorated handler in module {order.module!r}")
    attempt: Attempt[Any] = Attempt(
        job_type.signature.input.decode(order.input),
        type=job_type.name,
        number=order.number,
        chain_id=order.chain_id,
        job_id=order.job_id,
        token=order.token,
        meta=order.meta,
        scope=scope,
    )
    result = job_type.handler(attempt)
    if is_continue(result):
        check_continuation(result.job_type, of=job_type, argument="continuation")
        return _continued(result, limit=order.largest)
    return Returned(job_type.signature.output.encode(result, argument="return value", limit=order.largest))


def _continued(continuation: Continue[Any], *, limit: int) -> Continued:
    target = continuation.job_type
    return Continued(
        type=target.name,
        queue=target.queue,
        input=target.signature.input.encode(continuation.input, argument="continuation", limit=limit),
        delay=continuation.delay,
        at=continuation.at,
        priority=continuation.priority,
        awaited=continuation.awaited,
    )


def _decision(error: BaseException) -> Reply:
    match error := alone(error):
        case Snooze():
            return Snoozed(error.delay)
        case WaitFor():
            return Waiting(error.awaited)
        case Fail():
            return Failed(cut(error.reason, TRACE))
        case RetryAfter():
            cause = error.__cause__
            return RetryLater(error.delay, None if cause is None else failure_of(cause))
        case _:
            return Raised(failure_of(error), tuple(qualified(kind) for kind in type(error).__mro__))


# The process


Given: TypeAlias = tuple[RunRequest, ProcessScope] | Ping
"""What the main thread has to do."""


class _Listener:
    """Reads what the worker says, beside the handler."""

    def __init__(self, pipe: BinaryIO) -> None:
        self.orders: SimpleQueue[Given | None] = SimpleQueue()
        self.busy = False
        self._pipe = pipe
        self._scope: ProcessScope | None = None

    def listen(self) -> None:
        """Until the worker hangs up, or cannot be understood: then end, in peace if there is nothing to do."""
        try:
            while (message := self._read()) is not None:
                self._heed(message)
        finally:
            if self.busy:
                _end_with_all()
            self.orders.put(None)

    def _heed(self, message: RunRequest | Stop | Ping) -> None:
        if isinstance(message, RunRequest):
            self.busy = True
            self._scope = ProcessScope(message)
            self.orders.put((message, self._scope))
        elif isinstance(message, Ping):
            self.orders.put(message)
        elif self._scope is not None:
            self._scope.stop(message.reason)

    def _read(self) -> RunRequest | Stop | Ping | None:
        """The next message; None if the worker has hung up, perhaps in the middle of one."""
        prefix = self._pipe.read(PREFIX)
        length = int.from_bytes(prefix)
        text = self._pipe.read(length) if len(prefix) == PREFIX else b""
        return read_order(text) if text and len(text) == length else None


def _end_with_all() -> NoReturn:
    if os.name == "posix" and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


_NOT_OURS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def _ignore(*_: object) -> None:
    """The worker decides when to end; a signal to everybody in the terminal or the unit is none of ours."""


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the pipes to the worker, so that a handler that reads, prints or forks does not get in between."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(_hang_up, source, sink, instead=nothing))
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")


def _hang_up(*pipes: int, instead: int) -> None:
    """A process that a handler forked must not speak to the worker, nor let it wait, and ends when it is told to."""
    for pipe in pipes:
        os.dup2(instead, pipe, inheritable=False)
    for number in _NOT_OURS:
        signal.signal(number, signal.SIG_DFL)


def main() -> None:
    """Serve until the worker hangs up."""
    for number in _NOT_OURS:
        signal.signal(number, _ignore)
    source, sink = _own_pipes()
    listener = _Listener(source)
    threading.Thread(target=listener.listen, name="otelq listener", daemon=True).start()
    serve(listener.orders.get, lambda answer: _send(sink, answer, listener))


def serve(next_given: Callable[[], Given | None], send: Callable[[Answer], None]) -> None:
    """Attend to one order after the other, each in an empty context, as in the event loop."""
    while (given := next_given()) is not None:
        if isinstance(given, Ping):
            send(Answer(given.token, None))
            continue
        order, scope = given
        send(Answer(order.token, contextvars.Context().run(attend, order, scope)))
        with suppress(Exception):  # a handler may have closed it, or whoever read it is gone
            sys.stdout.flush()


def _send(sink: BinaryIO, answer: Answer, listener: _Listener) -> None:
    listener.busy = False
    try:
        sink.write(framed(answer))
        sink.flush()
    except BrokenPipeError:
        _end_with_all()
