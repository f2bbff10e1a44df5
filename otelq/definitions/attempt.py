"""What a handler works with: its attempt, and what stands behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, Unpack, overload

from ..errors import InvalidArgument
from ..model import CancelReason, ChainOutcome, Meta
from .continuation import Continue
from .options import ContinueOptions
from .types import JobType

if TYPE_CHECKING:
    import asyncio

    from ..client import Client

In = TypeVar("In")
Out = TypeVar("Out")
X = TypeVar("X")


class AttemptScope(Protocol):
    """What stands behind an ``Attempt``: the worker, the process of a handler, or a test's stand-in."""

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
    One attempt of one job: what a handler is given.

    ``input`` is the job's input, ``number`` counts attempts from 1, ``chain_id`` and ``job_id`` are text, as is
    ``type``, the name of the job's type. ``token`` is
    random and never the same for two attempts of a job: with ``job_id`` it identifies this attempt to other systems.
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
        """The tags of the start."""
        return self._meta.tags

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the start."""
        return self._meta.headers

    @property
    def tenant(self) -> str | None:
        """The tenant on whose behalf the chain was started."""
        return self._meta.tenant

    @property
    def request_id(self) -> str | None:
        """The id of the request on account of which the chain was started."""
        return self._meta.request_id

    @property
    def client(self) -> Client:
        """The worker's client. Its methods belong to the worker's event loop."""
        return self._scope.client

    @property
    def cancel_reason(self) -> CancelReason | None:
        """
        Why the engine cancelled this attempt; None until then.

        It is set before the task of an ``async def`` handler is cancelled. A ``def`` handler, which cannot be
        interrupted in its thread, looks here in good time and ends.
        """
        return self._scope.cancel_reason

    @property
    def stopping(self) -> asyncio.Event:
        """
        Set when it is time to finish, or to reach a good place to be cancelled: see ``stop_reason``.

        An ``async def`` handler may await it; a ``def`` handler asks ``attempt.stopping.is_set()``.
        """
        return self._scope.stopping

    @property
    def stop_reason(self) -> CancelReason | None:
        """
        Why ``stopping`` is set, else None.

        ``SHUTDOWN``: the worker stops, and cancels this attempt after its grace. ``TIMEOUT``: the ``soft_timeout`` is
        over, and ``time_left`` says what is left. The first of them stands.
        """
        return self._scope.stop_reason

    @property
    def time_left(self) -> float | None:
        """Seconds, 0 or more, until the ``timeout`` of this attempt; None if it has none."""
        return self._scope.time_left

    def get(self, kind: type[X], /) -> X:
        """
        What was provided under this type: to this attempt, by a middleware, or else to the worker.

        Raises:
            InvalidArgument: nothing of the type was provided, or the handler runs in another process.
        """
        return self._scope.provided(kind)

    def provide(self, thing: object, *, as_: type | None = None) -> None:
        """
        Let ``get`` find this thing, for this attempt only, by its own type or by the one given; a middleware's.

        What was provided before under the same type is hidden.

        Raises:
            InvalidArgument: the thing is none of that type.
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
        The outputs of the blocker chains that began with this type and have completed, in the order of the blockers.

        It is as they stood when this attempt began.
        """
        return self._scope.blockers(job_type)

    def blocker_outcomes(self) -> list[ChainOutcome]:
        """
        How all blocker chains of the job stood when this attempt began, in the order in which they were given.

        Of a chain that did not complete it has the status and the failure: after ``on_failure="ignore"``, or beside
        the first of ``AnyOf``. An ``output`` is JSON text.
        """
        return self._scope.blocker_outcomes()

    def continue_with(self, job_type: JobType[X, Out], input: X, **options: Unpack[ContinueOptions]) -> Continue[Out]:
        """
        Make the value to return so that ``job_type`` takes the chain over, in the commit that closes this job.

        The options are those of ``otelq.Continue``: ``delay``, ``at``, ``priority`` and ``blockers``.
        """
        return Continue(job_type, input, **options)

    @overload
    def transaction(self, /) -> AbstractAsyncContextManager[Any]: ...
    @overload
    def transaction(self, kind: type[X], /) -> AbstractAsyncContextManager[X]: ...
    def transaction(self, kind: type[Any] | None = None, /) -> AbstractAsyncContextManager[Any]:
        """
        A transaction of its own in the job's database: committed when the block ends well, whatever becomes of the job.

        It yields what ``client.transaction(kind)`` does.

        Raises:
            InvalidArgument: the handler is no ``async def``, or there are none of that kind.
        """
        return self._scope.transaction(kind, attempt=self)

    @overload
    def completion(self, /) -> Coroutine[Any, Any, Any]: ...
    @overload
    def completion(self, kind: type[X], /) -> Coroutine[Any, Any, X]: ...
    def completion(self, kind: type[Any] | None = None, /) -> Coroutine[Any, Any, Any]:
        """
        Open the transaction that commits together with the closing of this job; to be awaited.

        It commits when the handler returns, and rolls back when it raises or its lease is lost: what was written in
        it is there if and only if this attempt closed the job. A second call gives the same transaction. It gives what
        ``client.transaction(kind)`` does, and on SQLite holds the only write lock: open it late.

        Raises:
            InvalidArgument: the handler is no ``async def``, or there are none of that kind.
        """
        return self._scope.completion(kind, attempt=self)

    def behind(self, scope: AttemptScope) -> Attempt[In]:
        """The same attempt with another scope."""
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
    """What stands behind the attempt."""
    return attempt._scope  # pyright: ignore[reportPrivateUsage]  # the engine's way in


def meta_of(attempt: Attempt[Any]) -> Meta:
    """What is known of its chain beside the payloads."""
    return attempt._meta  # pyright: ignore[reportPrivateUsage]  # likewise


Handler = Callable[[Attempt[Any]], Awaitable[Any]]
"""What runs an attempt, as an ``async def`` handler does: it gives an output or a ``Continue``."""
