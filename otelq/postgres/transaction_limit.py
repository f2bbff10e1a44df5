"""How many transactions of handlers and clients may be open at once, and who waits for another one to end."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Final

from ..errors import Unavailable

CHECK_INTERVAL: Final = 0.25
"""Seconds after which a wait looks whether it is one of a circle that nobody will leave."""


class _Permit:
    """
    One of the connections, held by a transaction or waited for.

    ``waits`` counts the requests that the task of the transaction waits for inside of it. What another task asks for
    keeps nobody from going on, or so one cannot know.
    """

    __slots__ = ("granted", "outer", "task", "waits")

    def __init__(self, outer: _Permit | None) -> None:
        self.task = asyncio.current_task()
        self.outer = outer if outer is not None and outer.task is self.task else None
        self.waits = 0
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class TransactionLimit:
    """
    As many places as there are connections; first come, first served.

    A transaction inside a transaction takes a second place while it holds the first. Where all places are held by
    transactions that wait for another, nobody would ever go on, so that one of the waiting is refused.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._active: set[_Permit] = set()
        self._waiting: deque[_Permit] = deque()
        self._innermost: ContextVar[_Permit | None] = ContextVar("otelq_permit", default=None)

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncGenerator[None]:
        """
        Hold a place for the time of the block.

        Raises:
            Unavailable: none was free within ``timeout`` seconds, or none will ever be.
        """
        permit = _Permit(self._innermost.get())
        self._waiting.append(permit)
        self._grant()
        try:
            if permit not in self._active:
                await self._wait_for(permit, timeout=timeout)
            self._innermost.set(permit)  # not set back, as the block may end in another task: it counts while held
            yield
        finally:
            self._release(permit)

    async def _wait_for(self, permit: _Permit, *, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        with _waiting_inside(permit.outer):
            while not permit.granted.done():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Unavailable(self._refusal(f"none ended within {timeout:g} s"))
                await asyncio.wait([permit.granted], timeout=min(CHECK_INTERVAL, left))
                if (
                    not permit.granted.done()
                    and permit.outer in self._active
                    and all(each.waits for each in self._active)
                ):
                    raise Unavailable(self._refusal("all of them wait for one more"))

    def _refusal(self, why: str) -> str:
        return (
            f"no connection is free for another transaction: {self._size} are open, and {why}; who opens one inside "
            "another holds two: give the pool, or connect(max_size=...), two for each slot of the worker"
        )

    def _release(self, permit: _Permit) -> None:
        self._active.discard(permit)
        if permit in self._waiting:
            self._waiting.remove(permit)
        self._grant()

    def _grant(self) -> None:
        while self._waiting and len(self._active) < self._size:
            permit = self._waiting.popleft()
            self._active.add(permit)
            permit.granted.set_result(None)


@contextmanager
def _waiting_inside(permit: _Permit | None) -> Generator[None]:
    """Note that a task waits, at the innermost of its transactions and at all round that."""
    inside = list(_with_outer(permit))
    for one in inside:
        one.waits += 1
    try:
        yield
    finally:
        for one in inside:
            one.waits -= 1


def _with_outer(permit: _Permit | None) -> Iterator[_Permit]:
    while permit is not None:
        yield permit
        permit = permit.outer
