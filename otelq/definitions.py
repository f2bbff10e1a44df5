"""
What a user declares: job types, handlers and the collections that hold them, and what a handler works with.

The types need no plug-in: ``Out`` is what the whole chain finally yields, so continuing into a ``JobType[X, Out]``
keeps the chain's output type, and linear chains, branches, loops and jumps follow.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial, reduce
from math import inf, isfinite
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    Protocol,
    TypeGuard,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from .codec import Payload, check_text
from .errors import InvalidArgument
from .model import CancelReason
from .schedule import LONGEST, RetryPolicy

if TYPE_CHECKING:
    import asyncio

    from .client import Client

In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
X = TypeVar("X")

TraceMode = Literal["auto", "parent", "link"]
"""How an attempt's span hangs together with what created its job; see the telemetry reference."""

LONGEST_NAME = 200


class RetryAfter(Exception):  # raised to decide, not to report
    """Raised by a handler: this attempt failed; run the job again after ``delay`` seconds, if attempts are left."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self.delay = check_seconds("delay", delay)


class Snooze(Exception):
    """Raised by a handler: run the job again after ``delay`` seconds; no attempt is spent."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self.delay = check_seconds("delay", delay)


class Fail(Exception):
    """Raised by a handler: the job ends failed, whatever attempts are left."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        if not isinstance(reason, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("reason", f"is {reason!r}; give text")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Signature:
    """The two payloads of a job type."""

    input: Payload
    output: Payload


class JobType(Generic[In_contra, Out_co]):
    """
    A named type of job, ``JobType("send-mail", input=Mail, output=Sent)``.

    ``JobType[A, B | None]("name")`` is the general form, for what is not a class. A decorated handler is a
    ``JobType`` too, and stays callable so that it can be tested as a function.

    Args:
        name: 1 to 200 characters, unique in an application; it is stored with every job.
        input: the type of the job's input.
        output: what the whole chain yields that begins with, or continues into, this job.
        entry: False for a type that may only be continued into.
        queue: the queue that its jobs belong to.
        trace: how its spans hang together.

    Raises:
        InvalidArgument: an illegal name or queue, or (at first use) types that cannot be read from JSON.
    """

    def __init__(
        self,
        name: str,
        *,
        input: type[In_contra] | None = None,
        output: type[Out_co] | None = None,
        entry: bool = True,
        queue: str = "default",
        trace: TraceMode = "auto",
    ) -> None:
        self.name = check_text(name, argument="name", longest=LONGEST_NAME)
        self.queue = check_text(queue, argument="queue", longest=LONGEST_NAME)
        self.entry = entry
        if trace not in get_args(TraceMode):
            raise InvalidArgument("trace", f"is {trace!r}; give one of {', '.join(get_args(TraceMode))}")
        self.trace: TraceMode = trace
        self._declared: tuple[Any, Any] = (input, output)
        self._handler: Handler | None = None

    def __repr__(self) -> str:
        return f"JobType({self.name!r})"

    async def __call__(self, attempt: Attempt[Any], /) -> Out_co | Continue[Out_co]:
        """Call the handler as the function it is; a test's way in."""
        if self._handler is None:
            raise TypeError(f"{self!r} was declared without a handler; call the function decorated with handles()")
        return cast(Out_co, await self._handler(attempt))

    @cached_property
    def signature(self) -> Signature:
        """The payloads of the type, found when first needed so that annotations may name what comes later."""
        declared = self._arguments() or self._annotations() or self._declared
        for kind, argument in zip(declared, ("input", "output"), strict=True):
            if kind is None:
                raise InvalidArgument(
                    argument, f"job type {self.name!r} has none; declare it, or use JobType[A, B](...)"
                )
        return Signature(Payload(declared[0]), Payload(declared[1]))

    def with_handler(self, handler: Handler) -> JobType[In_contra, Out_co]:
        """The same type, callable."""
        bound: JobType[In_contra, Out_co] = JobType(self.name, entry=self.entry, queue=self.queue, trace=self.trace)
        bound._declared = self._arguments() or self._declared
        bound._handler = handler
        return bound

    def _arguments(self) -> tuple[Any, Any] | None:
        alias = self.__dict__.get("__orig_class__")
        arguments = get_args(alias)
        if len(arguments) != 2 or any(isinstance(argument, TypeVar) for argument in arguments):
            return None
        return arguments[0], arguments[1]

    def _annotations(self) -> tuple[Any, Any] | None:
        if self._handler is None or self._declared != (None, None):
            return None
        return _annotated(self._handler, self.name)


@dataclass(frozen=True, slots=True)
class Continue(Generic[Out_co]):
    """
    A job that takes the chain over from the one that returns this.

    Args:
        job_type: a type whose chain yields the same output.
        input: its input.
        delay: seconds until it is due; or ``at``, a time with a zone.
        priority: lower runs first; None keeps the priority of the job before.
    """

    job_type: JobType[Any, Out_co]
    input: Any
    delay: float | None
    at: datetime | None
    priority: int | None

    def __init__(
        self,
        job_type: JobType[X, Out_co],
        input: X,
        *,
        delay: float | None = None,
        at: datetime | None = None,
        priority: int | None = None,
    ) -> None:
        check_job_type("job_type", job_type)
        check_when(delay, at)
        fields = {
            "job_type": job_type,
            "input": input,
            "delay": delay,
            "at": at,
            "priority": check_priority(priority),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)


class Scope(Protocol):
    """What stands behind an ``Attempt``: the worker, or a test's stand-in."""

    @property
    def client(self) -> Client: ...
    @property
    def cancel_reason(self) -> CancelReason | None: ...
    @property
    def stopping(self) -> asyncio.Event: ...
    def provided(self, kind: type[X], /) -> X: ...
    def blockers(self, job_type: JobType[Any, Out], /) -> list[Out]: ...
    def transaction(self, kind: type | None, /) -> AbstractAsyncContextManager[Any]: ...
    async def completion(self, kind: type | None, /) -> Any: ...


class Attempt(Generic[In]):
    """
    One attempt of one job: what a handler is given.

    ``input`` is the job's input, ``number`` counts attempts from 1, ``chain_id`` and ``job_id`` are text. ``token`` is
    random and never the same for two attempts of a job: with ``job_id`` it identifies this attempt to other systems.
    ``tags`` are those of the start.
    """

    __slots__ = ("_scope", "chain_id", "input", "job_id", "number", "tags", "token")

    def __init__(
        self, input: In, *, number: int, chain_id: str, job_id: str, token: int, tags: Mapping[str, str], scope: Scope
    ) -> None:
        self.input = input
        self.number = number
        self.chain_id = chain_id
        self.job_id = job_id
        self.token = token
        self.tags = tags
        self._scope = scope

    @property
    def client(self) -> Client:
        """The worker's client."""
        return self._scope.client

    @property
    def cancel_reason(self) -> CancelReason | None:
        """Why the engine cancelled this attempt; set before the handler's task is cancelled, None until then."""
        return self._scope.cancel_reason

    @property
    def stopping(self) -> asyncio.Event:
        """Set when the worker begins to stop: finish, or reach a good place to be cancelled, within its grace."""
        return self._scope.stopping

    def get(self, kind: type[X], /) -> X:
        """
        What was provided to the worker under this type.

        Raises:
            InvalidArgument: nothing of the type was provided.
        """
        return self._scope.provided(kind)

    def blockers(self, job_type: JobType[Any, Out], /) -> list[Out]:
        """The outputs of the blocker chains of this type, in the order given at the start."""
        return self._scope.blockers(job_type)

    def continue_with(
        self,
        job_type: JobType[X, Out],
        input: X,
        *,
        delay: float | None = None,
        at: datetime | None = None,
        priority: int | None = None,
    ) -> Continue[Out]:
        """The value to return so that ``job_type`` takes the chain over, in the commit that closes this job."""
        return Continue(job_type, input, delay=delay, at=at, priority=priority)

    @overload
    def transaction(self, /) -> AbstractAsyncContextManager[Any]: ...
    @overload
    def transaction(self, kind: type[X], /) -> AbstractAsyncContextManager[X]: ...
    def transaction(self, kind: type[Any] | None = None, /) -> AbstractAsyncContextManager[Any]:
        """A transaction of its own in the job's database: committed when the block ends well."""
        return self._scope.transaction(kind)

    @overload
    async def completion(self, /) -> Any: ...
    @overload
    async def completion(self, kind: type[X], /) -> X: ...
    async def completion(self, kind: type[Any] | None = None, /) -> Any:
        """
        Open the transaction that commits together with the closing of this job.

        It commits when the handler returns, and rolls back when it raises or its lease is lost: what was written in
        it is there if and only if this attempt closed the job. A second call gives the same transaction.
        """
        return await self._scope.completion(kind)


Handler = Callable[[Attempt[Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A job type with its handler and the options under which a worker runs it; times in seconds."""

    job_type: JobType[Any, Any]
    handler: Handler
    retry: RetryPolicy
    lease: float
    timeout: float | None
    concurrency: int | None

    @property
    def name(self) -> str:
        """The job type's name."""
        return self.job_type.name


class Jobs:
    """
    A collection of job types and their handlers: a slice of an application.

    Options of ``job`` and ``handles``:

    - ``retry``: a ``RetryPolicy``.
    - ``lease``: seconds (1 or more) for which a worker holds a job between renewals; a dead worker's job is taken
      up by another after this time.
    - ``timeout``: the longest an attempt may take, in seconds; None, which must be written, for no limit.
    - ``concurrency``: how many of these jobs one worker runs at once; None for no limit of its own.

    Raises:
        InvalidArgument: a name declared twice, a handler that is no ``async def``, an option out of range.
    """

    def __init__(self) -> None:
        self._definitions: dict[str, Definition] = {}

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._definitions.values())

    def __len__(self) -> int:
        return len(self._definitions)

    def job(
        self,
        name: str,
        *,
        retry: RetryPolicy | None = None,
        lease: float = 30.0,
        timeout: float | None = 3600.0,
        concurrency: int | None = None,
        entry: bool = True,
        queue: str = "default",
        trace: TraceMode = "auto",
    ) -> _Decorator:
        """Declare a job type from the annotations of its handler."""
        if callable(name):
            raise InvalidArgument("name", f'is missing; write @jobs.job("name") over {name!r}')

        def declare(handler: Handler) -> JobType[Any, Any]:
            declared: JobType[Any, Any] = JobType(name, entry=entry, queue=queue, trace=trace)
            bound = declared.with_handler(handler)
            self._add(bound, handler, retry=retry, lease=lease, timeout=timeout, concurrency=concurrency)
            return bound

        return cast(_Decorator, declare)

    def handles(
        self,
        job_type: JobType[In, Out],
        *,
        retry: RetryPolicy | None = None,
        lease: float = 30.0,
        timeout: float | None = 3600.0,
        concurrency: int | None = None,
    ) -> _Handles[In, Out]:
        """Attach a handler to a job type that was declared elsewhere, so that producers never import the handler."""
        check_job_type("job_type", job_type)

        def attach(handler: Handler) -> JobType[In, Out]:
            bound = job_type.with_handler(handler)
            self._add(job_type, handler, retry=retry, lease=lease, timeout=timeout, concurrency=concurrency)
            return bound

        return cast(_Handles[In, Out], attach)

    def _add(
        self,
        job_type: JobType[Any, Any],
        handler: Handler,
        *,
        retry: RetryPolicy | None,
        lease: float,
        timeout: float | None,
        concurrency: int | None,
    ) -> None:
        if job_type.name in self._definitions:
            raise InvalidArgument("name", f"{job_type.name!r} is declared twice in this collection; rename one")
        if not is_async(handler):
            raise InvalidArgument("handler", f"{handler!r} is no coroutine function; declare it with async def")
        if timeout is not None:
            check_seconds("timeout", timeout, lowest=0.001)
        if concurrency is not None:
            check_count("concurrency", concurrency)
        if not isinstance(retry, RetryPolicy | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # as elsewhere
            raise InvalidArgument("retry", f"is {retry!r}; give a RetryPolicy")
        self._definitions[job_type.name] = Definition(
            job_type=job_type,
            handler=handler,
            retry=RetryPolicy() if retry is None else retry,
            lease=check_seconds("lease", lease, lowest=1),
            timeout=timeout,
            concurrency=concurrency,
        )


class _Decorator(Protocol):
    @overload
    def __call__(self, handler: Callable[[Attempt[In]], Coroutine[Any, Any, Continue[Out]]], /) -> JobType[In, Out]: ...
    @overload
    def __call__(
        self, handler: Callable[[Attempt[In]], Coroutine[Any, Any, Out | Continue[Out]]], /
    ) -> JobType[In, Out]: ...


class _Handles(Protocol[In, Out]):
    def __call__(
        self, handler: Callable[[Attempt[In]], Coroutine[Any, Any, Out | Continue[Out]]], /
    ) -> JobType[In, Out]: ...


def is_async(handler: object) -> bool:
    """Whether calling the handler gives a coroutine: an ``async def``, or an object whose ``__call__`` is one."""
    return inspect.iscoroutinefunction(inspect.unwrap(cast(Any, handler))) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004  # asked of the bound method, not for callability
    )


def is_continue(value: object) -> TypeGuard[Continue[Any]]:
    """Whether a handler returned a continuation."""
    return isinstance(value, Continue)


def is_job_type(value: object) -> TypeGuard[JobType[Any, Any]]:
    """Whether this is a job type; a decorated handler is one."""
    return isinstance(value, JobType)


def check_job_type(argument: str, job_type: object) -> None:
    """Refuse what is no ``JobType``: a name alone does not say what its payloads are."""
    if not isinstance(job_type, JobType):
        raise InvalidArgument(argument, f"is {job_type!r}; give a JobType or a decorated handler")


def check_seconds(argument: str, value: object, *, lowest: float = 0.0) -> float:
    """Refuse what is no finite number of seconds from ``lowest`` to ten years."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidArgument(argument, f"is {value!r}; give seconds as a number")
    if not (isfinite(value) and lowest <= value <= LONGEST):
        raise InvalidArgument(argument, f"is {value!r}; give seconds from {lowest:g} to {LONGEST:g}")
    return float(value)


def check_count(argument: str, value: object, *, highest: float = inf) -> int:
    """Refuse what is no whole number from 1 to ``highest``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        upper = "or more" if highest == inf else f"to {highest:g}"
        raise InvalidArgument(argument, f"is {value!r}; give a whole number, 1 {upper}")
    return value


def check_when(delay: float | None, at: datetime | None) -> None:
    """Refuse a due time that is given twice, negative, too far off, or without a zone."""
    if delay is not None:
        check_seconds("delay", delay)
    if at is None:
        return
    if delay is not None:
        raise InvalidArgument("at", "is given together with delay; give one of them")
    if not isinstance(at, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("at", f"is {at!r}; give a datetime with a time zone")
    if at.utcoffset() is None:
        raise InvalidArgument("at", f"is {at!r}, which has no time zone; add one, as in datetime.now(UTC)")
    try:
        at.astimezone(UTC)
    except OverflowError:
        raise InvalidArgument("at", f"is {at!r}, which is no time in UTC") from None


def check_priority(priority: object) -> int | None:
    """Refuse a priority that is no integer of 16 bits."""
    if priority is None:
        return None
    if isinstance(priority, bool) or not isinstance(priority, int) or not -32768 <= priority <= 32767:
        raise InvalidArgument("priority", f"is {priority!r}; give an integer from -32768 to 32767, lower runs first")
    return priority


def merge(collections: Sequence[Jobs]) -> Mapping[str, Definition]:
    """
    All definitions of several collections, by name.

    Raises:
        InvalidArgument: two collections declare the same name.
    """
    merged: dict[str, Definition] = {}
    for collection in collections:
        if not isinstance(collection, Jobs):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("jobs", f"holds {collection!r}; give collections, made with Jobs()")
    for definition in (definition for collection in collections for definition in collection):
        if definition.name in merged:
            raise InvalidArgument("jobs", f"{definition.name!r} is declared in two collections; rename one")
        merged[definition.name] = definition
    return merged


def _annotated(handler: Handler, name: str) -> tuple[Any, Any]:
    function: Any = inspect.unwrap(cast(Any, handler))
    while isinstance(function, partial):
        function = function.func
    function = function if inspect.isroutine(function) else getattr(function, "__call__")  # noqa: B004, B009
    try:
        hints = get_type_hints(function)
    except Exception as error:  # whatever evaluating somebody's annotations may raise
        raise InvalidArgument("handler", f"of {name!r}: its annotations cannot be read: {error}") from error
    returned = hints.pop("return", None)
    attempted: Any = next((hint for hint in hints.values() if get_origin(hint) is Attempt), None)
    if attempted is None or returned is None:
        raise InvalidArgument("handler", f"of {name!r} lacks annotations; write (attempt: Attempt[In]) -> Out")
    return get_args(attempted)[0], _final(returned)


def _final(returned: Any) -> Any:
    """What a chain yields, of ``Out``, ``Continue[Out]`` or a union of both."""
    members = get_args(returned) if get_origin(returned) in (Union, UnionType) else (returned,)
    finals: list[Any] = [get_args(member)[0] if get_origin(member) is Continue else member for member in members]
    return reduce(lambda left, right: left | right, finals)
