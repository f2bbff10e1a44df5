"""What a handler reaches through its ``Attempt``: transactions, provided things, its blockers' outputs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from ..client import Client
from ..definitions import JobType, check_job_type
from ..errors import InvalidArgument
from ..model import CancelReason, ChainOutcome
from ..ports.state import Transaction
from .crew import Crew

Out = TypeVar("Out")
X = TypeVar("X")


class WorkScope:
    """The scope of one attempt under a worker."""

    __slots__ = ("_crew", "_ended", "_opening", "_stack", "cancel_reason", "completing", "fed_by")

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._stack: AsyncExitStack | None = None
        self._opening: asyncio.Lock | None = None
        self._ended = False
        self.cancel_reason: CancelReason | None = None
        self.completing: Transaction | None = None
        """The transaction of ``completion``, if the handler opened it."""
        self.fed_by: Sequence[ChainOutcome] = ()

    @property
    def client(self) -> Client:
        """The worker's client."""
        return self._crew.client

    @property
    def stopping(self) -> asyncio.Event:
        """Set when the worker begins to stop."""
        return self._crew.stopping

    def provided(self, kind: type[X], /) -> X:
        """What was provided to the worker under this type."""
        return self._crew.provided.get(kind)

    def blockers(self, job_type: JobType[Any, Out], /) -> list[Out]:
        """The outputs of the blockers of one type, in order."""
        check_job_type("job_type", job_type)
        decode = self._crew.engine.decode_output
        mine = [chain for chain in self.fed_by if chain.type == job_type.name]
        return [decode(chain.output, job_type, chain_id=chain.chain_id) for chain in mine if chain.output is not None]

    @asynccontextmanager
    async def transaction(self, kind: type | None, /) -> AsyncGenerator[Any]:
        """A transaction of its own."""
        self._check_alive()
        async with self._crew.engine.transaction(kind) as transaction:
            yield transaction.handle

    async def completion(self, kind: type | None, /) -> Any:
        """The transaction that commits with the job's closing, opened at the first call."""
        self._check_alive()
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self.completing is None:
                await self._open_completion(kind)
        assert self.completing is not None
        handle = self.completing.handle
        if kind is not None and not isinstance(handle, kind):
            raise InvalidArgument("kind", f"the completion is open as {type(handle).__name__}; ask for that")
        return handle

    async def _open_completion(self, kind: type | None) -> None:
        async with AsyncExitStack() as stack:
            completing = await stack.enter_async_context(self._crew.engine.transaction(kind))
            self._check_alive()  # a task that the handler left behind may have waited for it until now
            self.completing, self._stack = completing, stack.pop_all()

    def end(self) -> None:
        """Refuse whatever the handler, or a task that it left behind, asks for from now on."""
        self._ended = True

    async def commit(self) -> None:
        """Commit what ``completion`` opened."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            await stack.aclose()

    async def roll_back(self, error: BaseException) -> None:
        """Undo what was written in ``completion``."""
        if self._stack is not None:
            stack, self._stack = self._stack, None
            await stack.__aexit__(type(error), error, error.__traceback__)

    def _check_alive(self) -> None:
        if self._ended:
            raise InvalidArgument("attempt", "has ended; open transactions before the handler returns")
