"""
The main program of a handler process (``executor="process"``): runs one attempt after another for its worker.

A thread reads the worker's messages while the handler runs. When the worker ends, even by SIGKILL, the process kills
itself and everything that the handler started. Otherwise it would work on while another worker runs the same job.
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
from ..telemetry.propagation import use_carrier
from ..texts import LONGEST_TRACEBACK, class_name, cut
from .outcomes import failure_of, unwrap_group
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
    frame,
    read_message,
)

Out = TypeVar("Out")
X = TypeVar("X")


class ProcessScope:
    """The process's side of an ``Attempt``: data that the worker sent, and none of the worker's resources."""

    def __init__(self, request: RunRequest) -> None:
        self.cancel_reason: CancelReason | None = None
        """Always None: a cancel kills the process."""
        self.stopping = asyncio.Event()
        self.stop_reason: CancelReason | None = None
        self._request = request
        self._ends_at = None if request.time_left is None else time.monotonic() + request.time_left
        if request.stop_reason is not None:
            self.stop(request.stop_reason)

    def stop(self, reason: CancelReason | None) -> None:
        """Ask the handler to finish; called from the reader thread, so nothing may await the event."""
        self.stop_reason = reason
        self.stopping.set()

    @property
    def time_left(self) -> float | None:
        """Return the seconds until the worker kills this process; None without a timeout."""
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())

    @property
    def client(self) -> Client:
        """Raise ``InvalidArgument``: the client belongs to the worker."""
        _unavailable("client")

    def provided(self, kind: type[X], /) -> X:
        """Raise ``InvalidArgument``: provided objects belong to the worker."""
        _unavailable("get()")

    def provide(self, kind: type, value: object, /) -> None:
        """Raise ``InvalidArgument``: middleware runs in the worker."""
        _unavailable("provide()")

    def blockers(self, job_type: JobType[Any, Out], /) -> list[Out]:
        """Return the outputs of the blockers of one type, in order."""
        check_job_type("job_type", job_type)
        decode = job_type.signature.output.decode
        outputs = [chain.output for chain in self._request.blockers if chain.type in job_type.names]
        return [decode(output) for output in outputs if output is not None]

    def blocker_outcomes(self) -> list[ChainOutcome]:
        """Return the state of all blockers, in order."""
        return list(self._request.blockers)

    def transaction(self, kind: type | None, /, *, attempt: Attempt[Any]) -> AbstractAsyncContextManager[Any]:
        """Raise ``InvalidArgument``: connections belong to the worker."""
        _unavailable("transaction()")

    def completion(self, kind: type | None, /, *, attempt: Attempt[Any]) -> Coroutine[Any, Any, Any]:
        """Raise ``InvalidArgument``: connections belong to the worker."""
        _unavailable("completion()")


def _unavailable(what: str) -> NoReturn:
    raise InvalidArgument(
        "attempt", f'has no {what} in a handler with executor="process"; it belongs to the worker: use an async def'
    )


def find_handler(module: str, name: str) -> JobType[Any, Any] | None:
    """Return the decorated handler with this module and name; None if there is none."""
    found: object = import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if is_job_type(found) and found.handler is not None else None


def run_attempt(request: RunRequest, scope: ProcessScope) -> Reply:
    """Run the handler and return its reply; end a forked child that returns from the handler."""
    # A handler may fork and let the child return or raise. Only the original process may reply to the worker.
    pid = os.getpid()
    try:
        with use_carrier(request.carrier):
            reply = _run_handler(request, scope)
    except BaseException as error:
        if os.getpid() != pid:
            raise
        return _reply_to_error(error)
    if os.getpid() != pid:
        sys.exit()
    return reply


def _reply_to_error(error: BaseException) -> Reply:
    try:
        return _reply_of(error)
    except Exception:
        return _reply_of(RuntimeError(f"an exception of type {type(error).__qualname__} that cannot be described"))


def _run_handler(request: RunRequest, scope: ProcessScope) -> Reply:
    job_type = find_handler(request.module, request.name)
    if job_type is None or job_type.handler is None:
        raise InvalidArgument("handler", f"{request.name!r} is no decorated handler in module {request.module!r}")
    attempt: Attempt[Any] = Attempt(
        job_type.signature.input.decode(request.input),
        type=job_type.name,
        number=request.number,
        chain_id=request.chain_id,
        job_id=request.job_id,
        token=request.token,
        meta=request.meta,
        scope=scope,
    )
    result = job_type.handler(attempt)
    if is_continue(result):
        check_continuation(result.job_type, of=job_type, argument="continuation")
        return _continued(result, limit=request.payload_limit)
    return Returned(job_type.signature.output.encode(result, argument="return value", limit=request.payload_limit))


def _continued(continuation: Continue[Any], *, limit: int) -> Continued:
    target = continuation.job_type
    return Continued(
        type=target.name,
        queue=target.queue,
        input=target.signature.input.encode(continuation.input, argument="continuation", limit=limit),
        delay=continuation.delay,
        at=continuation.at,
        priority=continuation.priority,
        blockers=continuation.blockers,
    )


def _reply_of(error: BaseException) -> Reply:
    match error := unwrap_group(error):
        case Snooze():
            return Snoozed(error.delay)
        case WaitFor():
            return Waiting(error.blockers)
        case Fail():
            return Failed(cut(error.reason, LONGEST_TRACEBACK))
        case RetryAfter():
            cause = error.__cause__
            return RetryLater(error.delay, None if cause is None else failure_of(cause))
        case _:
            return Raised(failure_of(error), tuple(class_name(kind) for kind in type(error).__mro__))


# The process


WorkItem: TypeAlias = tuple[RunRequest, ProcessScope] | Ping
"""Work for the main thread: an attempt with its scope, or a ping."""


class _Listener:
    """Reads the worker's messages in a thread, while the handler runs in the main thread."""

    def __init__(self, pipe: BinaryIO) -> None:
        self.items: SimpleQueue[WorkItem | None] = SimpleQueue()
        self.busy = False
        self._pipe = pipe
        self._scope: ProcessScope | None = None

    def listen(self) -> None:
        """Read until the worker closes the pipe or sends nonsense; then end the process, by force if a handler runs."""
        try:
            while (message := self._read()) is not None:
                self._handle(message)
        finally:
            # A handler in the main thread cannot be interrupted from here. Its job belongs to another worker soon.
            if self.busy:
                _kill_group()
            self.items.put(None)

    def _handle(self, message: RunRequest | Stop | Ping) -> None:
        if isinstance(message, RunRequest):
            self.busy = True
            self._scope = ProcessScope(message)
            self.items.put((message, self._scope))
        elif isinstance(message, Ping):
            self.items.put(message)
        elif self._scope is not None:
            self._scope.stop(message.reason)

    def _read(self) -> RunRequest | Stop | Ping | None:
        """Return the next message; None if the pipe was closed, perhaps in the middle of a message."""
        prefix = self._pipe.read(PREFIX)
        length = int.from_bytes(prefix)
        text = self._pipe.read(length) if len(prefix) == PREFIX else b""
        return read_message(text) if text and len(text) == length else None


def _kill_group() -> NoReturn:
    # Only the leader of its own group may kill it; in another group there may be processes that are not the handler's.
    if os.name == "posix" and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


_WORKER_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def _ignore(*_: object) -> None:
    """Ignore a signal that a terminal or service manager sends to every process; the worker ends this one."""


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Move the pipes to the worker away from stdin and stdout, which the handler may use."""
    # Afterwards stdin is empty and stdout goes to stderr: what a handler prints cannot corrupt a reply.
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(_detach_from_worker, source, sink, instead=nothing))
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")


def _detach_from_worker(*pipes: int, instead: int) -> None:
    """Close the pipes in a forked child, and restore the signals that end it."""
    # A child that keeps a pipe open would hide the end of this process from the worker, or write into its replies.
    for pipe in pipes:
        os.dup2(instead, pipe, inheritable=False)
    for number in _WORKER_SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def main() -> None:
    """Run attempts until the worker closes the pipe."""
    for number in _WORKER_SIGNALS:
        signal.signal(number, _ignore)
    source, sink = _take_pipes()
    listener = _Listener(source)
    threading.Thread(target=listener.listen, name="otelq listener", daemon=True).start()
    serve(listener.items.get, lambda answer: _send(sink, answer, listener))


def serve(next_item: Callable[[], WorkItem | None], send: Callable[[Answer], None]) -> None:
    """Run one attempt after another, each in an empty context, as in the event loop."""
    while (item := next_item()) is not None:
        if isinstance(item, Ping):
            send(Answer(item.token, None))
            continue
        request, scope = item
        send(Answer(request.token, contextvars.Context().run(run_attempt, request, scope)))
        with suppress(Exception):  # the handler may have closed stdout, or its reader is gone
            sys.stdout.flush()


def _send(sink: BinaryIO, answer: Answer, listener: _Listener) -> None:
    listener.busy = False  # before the reply: when it has arrived, the worker may close the pipe, which is a normal end
    try:
        sink.write(frame(answer))
        sink.flush()
    except BrokenPipeError:
        _kill_group()
