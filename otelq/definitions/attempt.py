"""The attempt that a handler is given, and the scope that implements it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, Unpack, overload

from ..errors import InvalidArgument
from ..model import CancelReason, ChainOutcome, Meta
from .continuation import Continue
from .options import ContinueOptions
from .types import JobType

if TYPE_CHECKING:  # this layer uses no event loop at run time
    import asyncio

    from ..client import Client

In = TypeVar("In")
Out = TypeVar("Out")
X = TypeVar("X")


class AttemptScope(Protocol):
    """The implementation of an ``Attempt``: in a worker, in the process of a handler, or in a test."""

    @property
    def client(self) -> Client: ...
    @property
    def cancel_reason(self) -> CancelReason | None: ...
    @property
    def stopping(self) -> asyncio.Event: ...
    @property
    def stop_reason(self) -> CancelReason | None: ...
    @property
    def time_left(self) -> float | None: ...
    def provided(self, kind: type[X], /) -> X: ...
    def provide(self, kind: type, thing: object, /) -> None: ...
    def blockers(self, job_type: JobType[Any, Out], /) -> list[Out]: ...
    def blocker_outcomes(self) -> list[ChainOutcome]: ...
    def transaction(self, kind: type | None, /, *, attempt: Attempt[Any]) -> AbstractAsyncContextManager[Any]: ...
    def completion(self, kind: type | None, /, *, attempt: Attempt[Any]) -> Coroutine[Any, Any, Any]: ...


class Attempt(Generic[In]):
    """
    One run of a job's handler, as the handler receives it.

    Attributes:
        input: the job's input.
        type: the name of the job's type.
        number: the number of this attempt, from 1.
        chain_id: the id of the chain.
        job_id: the id of the job: the id of its chain, a dot, and its position from 0.
        token: a random number that no other attempt of the job has. With ``job_id`` it identifies this attempt to other
            systems.
    """

    __slots__ = ("_meta", "_scope", "chain_id", "input", "job_id", "number", "token", "type")

    def __init__(
        self,
        input: In,
        *,
        type: str,
        number: int,
        chain_id: str,
        job_id: str,
        token: int,
        meta: Meta,
        scope: AttemptScope,
    ) -> None:
        self.input = input
        self.type = type
        self.number = number
        self.chain_id = chain_id
        self.job_id = job_id
        self.token = token
        self._meta = meta
        self._scope = scope

    @property
    def tags(self) -> Mapping[str, str]:
        """Return the tags of the start."""
        return self._meta.tags

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers of the start."""
        return self._meta.headers

    @property
    def tenant(self) -> str | None:
        """Return the tenant to which the chain belongs; None if it has none."""
        return self._meta.tenant

    @property
    def request_id(self) -> str | None:
        """Return the id of the request that started the chain; None if it has none."""
        return self._meta.request_id

    @property
    def client(self) -> Client:
        """Return the worker's client, to use in the worker's event loop only."""
        return self._scope.client

    @property
    def cancel_reason(self) -> CancelReason | None:
        """
        Return the reason why otelq cancelled this attempt; None until then.

        It is set before the task of an ``async def`` handler is cancelled. A ``def`` handler cannot be interrupted in
        its thread: check this often, and return when it is set.
        """
        return self._scope.cancel_reason

    @property
    def stopping(self) -> asyncio.Event:
        """
        Return an event that is set when the handler should finish soon; ``stop_reason`` says why.

        An ``async def`` handler may await it; a ``def`` handler calls ``attempt.stopping.is_set()``.
        """
        return self._scope.stopping

    @property
    def stop_reason(self) -> CancelReason | None:
        """
        Return the reason why ``stopping`` is set; None until then. The first reason stays.

        ``SHUTDOWN``: the worker stops, and cancels this attempt after its grace. ``TIMEOUT``: the ``soft_timeout`` is
        over, and ``time_left`` says how many seconds are left.
        """
        return self._scope.stop_reason

    @property
    def time_left(self) -> float | None:
        """Return the seconds, 0 or more, until the ``timeout`` of this attempt; None if it has none."""
        return self._scope.time_left

    def get(self, kind: type[X], /) -> X:
        """
        Return the object that was provided under this type: to this attempt by a middleware, or else to the worker.

        Args:
            kind: the class under which it was provided.

        Raises:
            InvalidArgument: nothing of that type was provided, or the handler runs in another process.
        """
        return self._scope.provided(kind)

    def provide(self, thing: object, *, as_: type | None = None) -> None:
        """
        Let ``get`` return this object, for this attempt only. For use in middleware.

        It hides an object that was provided under the same type before.

        Args:
            thing: the object.
            as_: the class under which ``get`` returns it; None for its own.

        Raises:
            InvalidArgument: the object is no instance of ``as_``.
        """
        kind = type(thing) if as_ is None else as_
        if not isinstance(kind, type):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("as_", f"is {kind!r}; give a class")
        with suppress(TypeError):  # a protocol that cannot be asked for at run time
            if not isinstance(thing, kind):
                raise InvalidArgument("thing", f"is a {type(thing).__qualname__}, which is no {kind.__qualname__}")
        self._scope.provide(kind, thing)

    def blockers(self, job_type: JobType[Any, Out], /) -> list[Out]:
        """
        Return the outputs of the blockers that started with this type and completed, in the order of the blockers.

        The values are those at the start of this attempt.

        Args:
            job_type: the type of the blockers' first jobs.

        Raises:
            UndecodablePayload: a stored output does not fit the type.
        """
        return self._scope.blockers(job_type)

    def blocker_outcomes(self) -> list[ChainOutcome]:
        """
        Return the state of all blockers at the start of this attempt, in the order in which they were given.

        For a chain that did not complete, as after ``on_failure="ignore"``, it has the status and the failure. An
        ``output`` is JSON text.
        """
        return self._scope.blocker_outcomes()

    def continue_with(self, job_type: JobType[X, Out], input: X, **options: Unpack[ContinueOptions]) -> Continue[Out]:
        """
        Return the continuation to return from the handler: ``job_type`` takes the chain over when this job closes.

        Both happen in one commit.

        Args:
            job_type: a type with the same chain output.
            input: the input of the next job.
            delay: seconds until it is due, 0 to ten years.
            at: when it is due, instead of ``delay``: a ``datetime`` with a zone.
            priority: -100 to 100; None keeps the priority of this job.
            blockers: chains that the next job waits for.

        Raises:
            InvalidArgument: a value is out of its range.
        """
        return Continue(job_type, input, **options)

    @overload
    def transaction(self, /) -> AbstractAsyncContextManager[Any]: ...
    @overload
    def transaction(self, kind: type[X], /) -> AbstractAsyncContextManager[X]: ...
    def transaction(self, kind: type[Any] | None = None, /) -> AbstractAsyncContextManager[Any]:
        """
        Return a transaction in the job's database that is independent of the job's outcome, for ``async with``.

        It is committed when the block ends without an error, and yields the same as ``client.transaction(kind)``.

        Args:
            kind: the class of connection or session to yield; None for the usual one.

        Raises:
            InvalidArgument: the handler is no ``async def``, or the driver has no transactions of that kind.
        """
        return self._scope.transaction(kind, attempt=self)

    @overload
    def completion(self, /) -> Coroutine[Any, Any, Any]: ...
    @overload
    def completion(self, kind: type[X], /) -> Coroutine[Any, Any, X]: ...
    def completion(self, kind: type[Any] | None = None, /) -> Coroutine[Any, Any, Any]:
        """
        Begin the transaction that commits together with the closing of this job; await it.

        It commits when the handler returns, and rolls back when the handler raises or the lease is lost: rows that are
        written in it exist if and only if this attempt closed the job. A second call returns the same transaction. It
        is the same kind of object as ``client.transaction(kind)`` yields. On SQLite it holds the only write lock: begin
        it late.

        Args:
            kind: the class of connection or session to return; None for the usual one.

        Raises:
            InvalidArgument: the handler is no ``async def``, or the driver has no transactions of that kind.
        """
        return self._scope.completion(kind, attempt=self)

    def with_scope(self, scope: AttemptScope) -> Attempt[In]:
        """Return the same attempt with another scope."""
        return Attempt(
            self.input,
            type=self.type,
            number=self.number,
            chain_id=self.chain_id,
            job_id=self.job_id,
            token=self.token,
            meta=self._meta,
            scope=scope,
        )


def scope_of(attempt: Attempt[Any]) -> AttemptScope:
    """Return the scope of the attempt."""
    return attempt._scope  # pyright: ignore[reportPrivateUsage]  # the engine's way in


def meta_of(attempt: Attempt[Any]) -> Meta:
    """Return the tags, headers, tenant and request id of the attempt's chain."""
    return attempt._meta  # pyright: ignore[reportPrivateUsage]  # likewise


Handler = Callable[[Attempt[Any]], Awaitable[Any]]
"""A function that runs an attempt, and returns an output or a ``Continue``."""
