"""How handlers are called: in the event loop, a thread or a process, with the middleware round them."""

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
from ..telemetry.propagation import carry
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
    unknown,
)
from .thread_pool import Threads, ThreadTask

logger = Log("otelq.worker")

LARGEST_RATIO = 16
"""How many times its limit a payload may have before a codec, which may compress, has made it what is stored."""


def wrapped(call: Handler, middleware: Sequence[Middleware]) -> Handler:
    """The call with the middleware round it, the first outermost; itself where there is none."""
    concerned = [one for one in middleware if overrides(one, "attempt")]
    return reduce(_around, reversed(concerned), _roll_back_on_error(call)) if concerned else call


def check_required(required: Sequence[Middleware], slices: Sequence[Jobs]) -> None:
    """
    Refuse a collection that does not have the required middleware, these very instances, in this order.

    Raises:
        InvalidArgument: it names the collection by its types, and what is missing where.
    """
    for place, jobs in enumerate(slices, 1):
        found = iter(jobs.middleware)
        for number, one in enumerate(required, 1):
            if not any(other is one for other in found):
                types = ", ".join(repr(definition.name) for definition in jobs) or "no types"
                missing = f"lacks required middleware {number} of {len(required)}, {one!r}, or has it out of order"
                problem = f"collection {place}, with {types}, {missing}; see Jobs(middleware=[...])"
                raise InvalidArgument("require_middleware", problem)


def _around(call: Handler, middleware: Middleware) -> Handler:
    async def through(attempt: Attempt[Any]) -> Any:
        return await middleware.attempt(attempt, call)

    return through


def _roll_back_on_error(call: Handler) -> Handler:
    """What a handler wrote in its completion is gone when it raises, also if middleware makes the attempt good."""

    async def through(attempt: Attempt[Any]) -> Any:
        try:
            return await call(attempt)
        except BaseException as error:
            try:
                await finish(cast(WorkerScope, scope_of(attempt)).roll_back(error))
            except Exception as trouble:
                logger.warning("rolling back the completion of %s failed: %s", attempt.job_id, trouble)
            raise

    return through


def with_executors(crew: WorkerContext) -> WorkerContext:
    """
    The crew with handlers that can be awaited, wherever they run, and with the middleware round them.

    Made once, when the worker starts. An ``async def`` without middleware stays its own handler.
    """
    return replace(crew, definitions={name: _served(one, crew) for name, one in crew.definitions.items()})


def _served(definition: Definition, crew: WorkerContext) -> Definition:
    call: Handler = definition.handler
    if definition.executor == "thread":
        call = ThreadCall(definition.handler, crew.threads)
    elif definition.executor == "process":
        call = ProcessCall(definition, crew=crew)
    middleware = (*crew.middleware, *definition.middleware)
    return replace(definition, handler=wrapped(call, middleware), middleware=middleware)


class ThreadCall:
    """Calls a ``def`` handler in a thread; waits until it returns, as no thread can be ended from outside."""

    def __init__(self, handler: AnyHandler, threads: Threads) -> None:
        self._handler = handler
        self._threads = threads

    async def __call__(self, attempt: Attempt[Any]) -> Any:
        scope = cast(WorkerScope, scope_of(attempt))
        inside = attempt.with_scope(ThreadScope(scope))
        scope.errand = errand = self._threads.begin(partial(self._handler, inside))
        cancelled = False
        try:
            await errand.done.wait()
        except asyncio.CancelledError:
            cancelled = True
            with shield():
                await _until_done(errand, scope)
        result = errand.result()
        if inspect.iscoroutine(result):
            result.close()
            raise InvalidArgument("handler", "gave a coroutine; declare it with async def")
        if cancelled and scope.cancel_reason is None:
            raise asyncio.CancelledError  # somebody else's wish, such as a time limit of a middleware
        return result


async def _until_done(errand: ThreadTask, scope: WorkerScope) -> None:
    """Wait for a thread although the wait is cancelled, unless the attempt was abandoned."""
    while not errand.done.is_set():
        if scope.abandoned:
            raise asyncio.CancelledError
        with suppress(asyncio.CancelledError):
            await errand.done.wait()


class ProcessCall:
    """Calls a ``def`` handler in another process, which a cancel ends."""

    def __init__(self, definition: Definition, *, crew: WorkerContext) -> None:
        self._definition = definition
        self._types = crew.definitions
        self._children = crew.children
        self._payloads = crew.engine.payloads

    async def __call__(self, attempt: Attempt[Any]) -> Any:
        scope = cast(WorkerScope, scope_of(attempt))
        order = self._order(attempt, scope)
        return self._result(await self._children.attend(order, scope=scope))

    def _order(self, attempt: Attempt[Any], scope: WorkerScope) -> RunRequest:
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
            carrier=carry(),
            largest=self._payloads.limit * (1 if self._payloads.codec is None else LARGEST_RATIO),
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
                raise WaitFor(cast(AllOf | AnyOf, blockers_of(reply.awaited)))
            case Failed():
                raise Fail(reply.reason)
            case RetryLater():
                cause = None if reply.cause is None else ProcessFailed(reply.cause.type, reply.cause.text)
                raise RetryAfter(reply.delay) from cause
            case Raised():
                raise ProcessFailed(reply.failure.type, reply.failure.text, reply.lineage)

    def _continuation(self, reply: Continued) -> Continue[Any]:
        known = self._types.get(reply.type)
        target: JobType[Any, Any] = unknown(reply.type, reply.queue) if known is None else known.job_type
        input = target.signature.input.decode(reply.input)
        blockers = blockers_of(reply.awaited)
        return Continue(target, input, delay=reply.delay, at=reply.at, priority=reply.priority, blockers=blockers)
