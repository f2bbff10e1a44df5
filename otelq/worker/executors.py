"""The calls of handlers: in the event loop, a thread or a process, with middleware around them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial, reduce
from typing import Any, cast

from ..definitions import (
    AllOf,
    AnyHandler,
    AnyOf,
    Attempt,
    Continue,
    Definition,
    Fail,
    Handler,
    Jobs,
    JobType,
    Middleware,
    RetryAfter,
    Snooze,
    WaitFor,
    meta_of,
    overrides,
    scope_of,
)
from ..errors import InvalidArgument, ProcessFailed
from ..logs import Log
from ..telemetry.propagation import write_carrier
from ..uninterrupted import finish, shield
from .attempt_scope import ThreadScope, WorkerScope
from .context import WorkerContext
from .process_protocol import (
    Continued,
    Failed,
    Raised,
    Reply,
    RetryLater,
    Returned,
    RunRequest,
    Snoozed,
    Waiting,
    blockers_of,
    untyped_job,
)
from .thread_pool import ThreadPool, ThreadTask

logger = Log("otelq.worker")

LARGEST_RATIO = 16
"""How many times its limit a payload may have before a codec, which may compress it."""


def wrap(call: Handler, middleware: Sequence[Middleware]) -> Handler:
    """Return the handler with the middleware around it, the first one outermost; the handler itself without any."""
    concerned = [one for one in middleware if overrides(one, "attempt")]
    # The rollback is innermost: when middleware catches the handler's error, none of the handler's writes may commit.
    return reduce(_call_through, reversed(concerned), _roll_back_on_error(call)) if concerned else call


def check_required(required: Sequence[Middleware], collections: Sequence[Jobs]) -> None:
    """
    Refuse a collection that does not have the required middleware, these very instances, in this order.

    Raises:
        InvalidArgument: it names the collection by its types, and what is missing where.
    """
    for index, jobs in enumerate(collections, 1):
        own = iter(jobs.middleware)
        for number, one in enumerate(required, 1):
            if not any(other is one for other in own):
                types = ", ".join(repr(definition.name) for definition in jobs) or "no types"
                missing = f"lacks required middleware {number} of {len(required)}, {one!r}, or has it out of order"
                problem = f"collection {index}, with {types}, {missing}; see Jobs(middleware=[...])"
                raise InvalidArgument("require_middleware", problem)


def _call_through(call: Handler, middleware: Middleware) -> Handler:
    async def wrapped(attempt: Attempt[Any]) -> Any:
        return await middleware.attempt(attempt, call)

    return wrapped


def _roll_back_on_error(call: Handler) -> Handler:
    """Return the handler with a rollback of its completion on any error, also one that middleware catches later."""

    async def wrapped(attempt: Attempt[Any]) -> Any:
        try:
            return await call(attempt)
        except BaseException as error:
            # In a task of its own: a cancel of the attempt must not leave a ROLLBACK half sent.
            try:
                await finish(cast(WorkerScope, scope_of(attempt)).roll_back(error))
            except Exception as failure:
                logger.warning("rolling back the completion of %s failed: %s", attempt.job_id, failure)
            raise

    return wrapped


def with_executors(context: WorkerContext) -> WorkerContext:
    """
    Return the context with handlers that can be awaited, wherever they run, and with middleware around them.

    Called once, when the worker starts. An ``async def`` handler without middleware is used as it is.
    """
    ready = {one.name: _with_executor(one, context) for one in context.definitions.values()}
    return replace(context, definitions={name: ready[one.name] for name, one in context.definitions.items()})


def _with_executor(definition: Definition, context: WorkerContext) -> Definition:
    call: Handler = definition.handler
    if definition.executor == "thread":
        call = ThreadCall(definition.handler, context.threads)
    elif definition.executor == "process":
        call = ProcessCall(definition, context=context)
    middleware = (*context.middleware, *definition.middleware)
    return replace(definition, handler=wrap(call, middleware), middleware=middleware)


class ThreadCall:
    """Calls a ``def`` handler in a thread. A cancel waits until it returns, as no thread can be ended from outside."""

    def __init__(self, handler: AnyHandler, threads: ThreadPool) -> None:
        self._handler = handler
        self._threads = threads

    async def __call__(self, attempt: Attempt[Any]) -> Any:
        scope = cast(WorkerScope, scope_of(attempt))
        in_thread = attempt.with_scope(ThreadScope(scope))
        scope.thread_task = thread_task = self._threads.submit(partial(self._handler, in_thread))
        cancelled = False
        try:
            await thread_task.done.wait()
        except asyncio.CancelledError:
            # The slot stays taken while the thread runs. The handler sees `attempt.cancel_reason` and should return.
            cancelled = True
            with shield():  # a cancelled scope of anyio would cancel this wait again on every turn of the loop
                await _until_done(thread_task, scope)
        result = thread_task.result()
        if inspect.iscoroutine(result):
            result.close()
            raise InvalidArgument("handler", "returned a coroutine; declare it with async def")
        # After a cancel of otelq's the runner decides whether the result counts.
        if cancelled and scope.cancel_reason is None:
            raise asyncio.CancelledError  # not a cancel of otelq's, but for example of a timeout in middleware
        return result


async def _until_done(thread_task: ThreadTask, scope: WorkerScope) -> None:
    """Wait for a thread through any number of cancels, until the attempt is abandoned."""
    while not thread_task.done.is_set():
        if scope.abandoned:  # the thread goes on by itself; the slot is leaked
            raise asyncio.CancelledError
        with suppress(asyncio.CancelledError):
            await thread_task.done.wait()


class ProcessCall:
    """Calls a ``def`` handler in another process; a cancel kills that process."""

    def __init__(self, definition: Definition, *, context: WorkerContext) -> None:
        self._definition = definition
        self._types = context.definitions
        self._processes = context.processes
        self._payloads = context.engine.payloads

    async def __call__(self, attempt: Attempt[Any]) -> Any:
        scope = cast(WorkerScope, scope_of(attempt))
        request = self._request(attempt, scope)
        return self._result(await self._processes.run(request, scope=scope))

    def _request(self, attempt: Attempt[Any], scope: WorkerScope) -> RunRequest:
        handler = self._definition.handler
        return RunRequest(
            module=handler.__module__,
            name=handler.__qualname__,
            input=self._definition.job_type.signature.input.encode(attempt.input, limit=None),
            number=attempt.number,
            chain_id=attempt.chain_id,
            job_id=attempt.job_id,
            token=attempt.token,
            meta=meta_of(attempt),
            blockers=scope.blocker_outcomes(),
            time_left=scope.time_left,
            stop_reason=scope.stop_reason,
            carrier=write_carrier(),
            payload_limit=self._payloads.limit * (1 if self._payloads.codec is None else LARGEST_RATIO),
        )

    def _result(self, reply: Reply) -> Any:
        match reply:
            case Returned():
                return self._definition.job_type.signature.output.decode(reply.output)
            case Continued():
                return self._continuation(reply)
            case Snoozed():
                raise Snooze(reply.delay)
            case Waiting():
                raise WaitFor(cast(AllOf | AnyOf, blockers_of(reply.blockers)))
            case Failed():
                raise Fail(reply.reason)
            case RetryLater():
                cause = None if reply.cause is None else ProcessFailed(reply.cause.type, reply.cause.text)
                raise RetryAfter(reply.delay) from cause
            case Raised():
                raise ProcessFailed(reply.failure.type, reply.failure.text, reply.exception_classes)

    def _continuation(self, reply: Continued) -> Continue[Any]:
        # The worker may not run the type of the next job. Its payload passes as plain JSON then.
        known = self._types.get(reply.type)
        target: JobType[Any, Any] = untyped_job(reply.type, reply.queue) if known is None else known.job_type
        input = target.signature.input.decode(reply.input)
        blockers = blockers_of(reply.blockers)
        return Continue(target, input, delay=reply.delay, at=reply.at, priority=reply.priority, blockers=blockers)
