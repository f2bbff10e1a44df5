"""A limit on open transactions of handlers and clients, with a queue and a check for deadlocks."""

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
"""Seconds between two checks of a wait for a deadlock: all connections held by transactions that wait for one more."""


class _Permit:
    """
    The right to one connection, held by a transaction or waited for.

    ``waits`` counts the permits that the transaction's own task waits for inside it. A wait of another task does not
    count: the transaction may end without it.
    """

    __slots__ = ("granted", "outer", "task", "waits")

    def __init__(self, outer: _Permit | None) -> None:
        self.task = asyncio.current_task()
        self.outer = outer if outer is not None and outer.task is self.task else None
        self.waits = 0
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class TransactionLimit:
    """
    As many permits as there are connections; first come, first served.

    A transaction inside a transaction takes a second permit while it holds the first. If all permits are held by
    transactions that wait for one more, none would ever end; so one of them is refused.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._active: set[_Permit] = set()
        self._waiting: deque[_Permit] = deque()
        self._innermost: ContextVar[_Permit | None] = ContextVar("otelq_permit", default=None)

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncGenerator[None]:
        """
        Hold a permit for the time of the block.

        Raises:
            Unavailable: none was free within ``timeout`` seconds, or none will ever be.
        """
        permit = _Permit(self._innermost.get())
        self._waiting.append(permit)
        self._grant()
        try:
            if permit not in self._active:
                await self._wait_for(permit, timeout=timeout)
            # Never reset, as the block may end in another task: a permit counts only while it is held.
            self._innermost.set(permit)
            yield
        finally:
            self._release(permit)  # also for a waiter that was cancelled just after its grant

    async def _wait_for(self, permit: _Permit, *, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        with _waiting_inside(permit.outer):
            while not permit.granted.done():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Unavailable(self._refusal(f"none ended within {timeout:g} s"))
                await asyncio.wait([permit.granted], timeout=min(CHECK_INTERVAL, left))
                # A transaction that holds no permit is no part of a deadlock, and waits on.
                if (
                    not permit.granted.done()
                    and permit.outer in self._active
                    and all(each.waits for each in self._active)
                ):
                    raise Unavailable(self._refusal("all of them wait for one more"))

    def _refusal(self, why: str) -> str:
        return (
            f"no connection is free for another transaction: {self._size} are open, and {why}; a transaction "
            "inside another needs two: give the pool, or connect(max_size=...), two for each slot of the worker"
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
    """Count a wait at the innermost transaction of the task, and at all that enclose it."""
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
