"""Collections of job types, with their handlers and options."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, cast, overload

from ..errors import InvalidArgument
from ..retry_policy import RetryPolicy
from .annotations import read_types
from .attempt import Attempt
from .checks import check_count, check_seconds
from .continuation import Continue
from .handlers import Executor, check_handler, executor_of
from .middleware import Middleware, check_middleware
from .types import AnyHandler, JobType, TraceMode, check_job_type

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A job type with its handler and the options under which a worker runs it; times in seconds."""

    job_type: JobType[Any, Any]
    handler: AnyHandler
    retry: RetryPolicy
    lease: float
    timeout: float | None
    soft_timeout: float | None
    concurrency: int | None
    executor: Executor
    middleware: tuple[Middleware, ...]

    @property
    def name(self) -> str:
        """Return the job type's name."""
        return self.job_type.name


class Jobs:
    """
    A collection of job types with their handlers, for one part of an application. A worker serves one or more of them.

    An ``async def`` handler runs in the worker's event loop. A ``def`` handler runs in a thread, and has no
    ``attempt.transaction()`` and ``attempt.completion()``.

    Args:
        middleware: runs around the attempts of this collection, the outermost first.

    Raises:
        InvalidArgument: ``middleware`` holds something else.
    """

    def __init__(self, *, middleware: Sequence[Middleware] = ()) -> None:
        self._definitions: list[Definition] = []
        self._middleware = check_middleware("middleware", middleware)

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)

    @property
    def middleware(self) -> tuple[Middleware, ...]:
        """Return the middleware of this collection, the outermost first."""
        return self._middleware

    def job(
        self,
        name: str,
        *,
        aliases: Sequence[str] = (),
        retry: RetryPolicy | None = None,
        lease: float = 30.0,
        timeout: float | None = 3600.0,
        soft_timeout: float | None = None,
        concurrency: int | None = None,
        executor: Literal["process"] | None = None,
        entry: bool = True,
        queue: str = "default",
        trace: TraceMode = "auto",
    ) -> _Decorator:
        """
        Return a decorator that declares a job type, with the types in the annotations of its handler.

        The decorated name is a ``JobType``: start it, continue into it, or call it in a test.

        Args:
            name: the name of the job type, 1 to 200 characters, unique in an application; it is stored with every job.
            aliases: other names of the type, each as good as ``name``, under which jobs may be stored.
            retry: the back-off and the number of attempts; None for ``RetryPolicy()``.
            lease: seconds, 1 or more, for which a claimed job belongs to a worker, which renews it. When a worker dies,
                another one runs the job after this time.
            timeout: seconds that an attempt may take; None, which must be written, for no limit.
            soft_timeout: seconds, fewer than ``timeout``, after which ``attempt.stopping`` is set; None for never.
            concurrency: the largest number of these jobs that one worker runs at once; None for the worker's own limit.
            executor: ``"process"`` runs a ``def`` handler in another process, which ends with the attempt, for work
                that keeps a processor busy. Define the handler at the top level of a module other than ``__main__``.
            entry: False for a type that chains may only continue into.
            queue: the queue of its jobs, 1 to 200 characters.
            trace: ``"auto"``, ``"parent"`` or ``"link"``: whether its attempts join the trace of the start; see the
                telemetry reference.

        Raises:
            InvalidArgument: a name declared twice, a handler that cannot be called, an option out of range.
        """
        if callable(name):
            raise InvalidArgument("name", f'is missing; write @jobs.job("name") over {name!r}')

        def declare(handler: AnyHandler) -> JobType[Any, Any]:
            check_handler(handler)
            declared: JobType[Any, Any] = JobType(name, aliases=aliases, entry=entry, queue=queue, trace=trace)
            bound = declared.with_handler(handler, read=read_types)
            options = _TypeOptions(retry, lease, timeout, soft_timeout, concurrency, executor)
            self._add(bound, handler, options=options)
            return bound

        return cast(_Decorator, declare)

    def handles(
        self,
        job_type: JobType[In, Out],
        *,
        retry: RetryPolicy | None = None,
        lease: float = 30.0,
        timeout: float | None = 3600.0,
        soft_timeout: float | None = None,
        concurrency: int | None = None,
        executor: Literal["process"] | None = None,
    ) -> _Handles[In, Out]:
        """
        Return a decorator that gives a handler to a job type declared elsewhere, so that producers need not import it.

        Args:
            job_type: the type that the handler runs.
            retry: as in ``Jobs.job``.
            lease: as in ``Jobs.job``.
            timeout: as in ``Jobs.job``.
            soft_timeout: as in ``Jobs.job``.
            concurrency: as in ``Jobs.job``.
            executor: as in ``Jobs.job``.

        Raises:
            InvalidArgument: as in ``Jobs.job``.
        """
        check_job_type("job_type", job_type)

        def attach(handler: AnyHandler) -> JobType[In, Out]:
            check_handler(handler)
            bound = job_type.with_handler(handler, read=read_types)
            options = _TypeOptions(retry, lease, timeout, soft_timeout, concurrency, executor)
            self._add(job_type, handler, options=options)
            return bound

        return cast(_Handles[In, Out], attach)

    def _add(self, job_type: JobType[Any, Any], handler: AnyHandler, *, options: _TypeOptions) -> None:
        definition = Definition(
            job_type=job_type,
            handler=handler,
            retry=RetryPolicy() if options.retry is None else options.retry,
            lease=options.lease,
            timeout=options.timeout,
            soft_timeout=options.soft_timeout,
            concurrency=options.concurrency,
            executor=executor_of(handler, options.executor),
            middleware=self._middleware,
        )
        _by_name([*self._definitions, definition], argument="name", where="twice in this collection")
        self._definitions.append(definition)


@dataclass(frozen=True, slots=True)
class _TypeOptions:
    retry: RetryPolicy | None
    lease: float
    timeout: float | None
    soft_timeout: float | None
    concurrency: int | None
    executor: Literal["process"] | None

    def __post_init__(self) -> None:
        if not isinstance(self.retry, RetryPolicy | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # as elsewhere
            raise InvalidArgument("retry", f"is {self.retry!r}; give a RetryPolicy")
        check_seconds("lease", self.lease, lowest=1)
        if self.timeout is not None:
            check_seconds("timeout", self.timeout, lowest=0.001)
        if self.soft_timeout is not None:
            check_seconds("soft_timeout", self.soft_timeout, lowest=0.001)
            if self.timeout is not None and self.soft_timeout >= self.timeout:
                raise InvalidArgument("soft_timeout", f"is {self.soft_timeout!r}; give less than the timeout")
        if self.concurrency is not None:
            check_count("concurrency", self.concurrency)
        if self.executor not in (None, "process"):
            raise InvalidArgument("executor", f'is {self.executor!r}; give "process", or leave it out')


class _Decorator(Protocol):
    @overload
    def __call__(self, handler: Callable[[Attempt[In]], Coroutine[Any, Any, Continue[Out]]], /) -> JobType[In, Out]: ...
    @overload
    def __call__(
        self, handler: Callable[[Attempt[In]], Coroutine[Any, Any, Out | Continue[Out]]], /
    ) -> JobType[In, Out]: ...
    @overload
    def __call__(self, handler: Callable[[Attempt[In]], Continue[Out]], /) -> JobType[In, Out]: ...
    @overload
    def __call__(self, handler: Callable[[Attempt[In]], Out | Continue[Out]], /) -> JobType[In, Out]: ...


class _Handles(Protocol[In, Out]):
    @overload
    def __call__(
        self, handler: Callable[[Attempt[In]], Coroutine[Any, Any, Out | Continue[Out]]], /
    ) -> JobType[In, Out]: ...
    @overload
    def __call__(self, handler: Callable[[Attempt[In]], Out | Continue[Out]], /) -> JobType[In, Out]: ...


def merge(collections: Sequence[Jobs]) -> Mapping[str, Definition]:
    """
    Return the definitions of several collections, each under all names of its type.

    Raises:
        InvalidArgument: a name is declared twice.
    """
    for collection in collections:
        if not isinstance(collection, Jobs):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("jobs", f"holds {collection!r}; give collections, made with Jobs()")
    definitions = [definition for collection in collections for definition in collection]
    return _by_name(definitions, argument="jobs", where="in two collections")


def _by_name(definitions: Iterable[Definition], *, argument: str, where: str) -> dict[str, Definition]:
    """Return the definitions by name; refuse a name that two have, since handlers are looked up by names alone."""
    found: dict[str, Definition] = {}
    for definition in definitions:
        for name in definition.job_type.names:
            if name in found:
                raise InvalidArgument(argument, _clash(name, found[name], definition, where=where))
            found[name] = definition
    return found


def _clash(name: str, one: Definition, other: Definition, *, where: str) -> str:
    if one.name == other.name == name:
        return f"{name!r} is declared {where}; rename one"
    return f"{name!r} is a name of {one.job_type!r} and of {other.job_type!r}; give it to one of them"
