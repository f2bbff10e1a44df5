"""Collections of job types with their handlers and options: the slices of an application."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, overload

from ..errors import InvalidArgument
from ..schedule import RetryPolicy
from .annotations import annotated
from .attempt import Attempt, Handler
from .checks import check_count, check_seconds
from .types import Continue, JobType, TraceMode, check_job_type

In = TypeVar("In")
Out = TypeVar("Out")


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
            bound = declared.with_handler(handler, read=annotated)
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
            bound = job_type.with_handler(handler, read=annotated)
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
