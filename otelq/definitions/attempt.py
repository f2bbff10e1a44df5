"""What a handler works with: its attempt, and what stands behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from ..model import CancelReason
from .types import Continue, JobType

if TYPE_CHECKING:
    import asyncio

    from ..client import Client

In = TypeVar("In")
Out = TypeVar("Out")
X = TypeVar("X")


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
