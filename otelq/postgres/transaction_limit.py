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

PATIENCE: Final = 0.25
"""Seconds after which a wait looks whether it is one of a circle that nobody will leave."""


class _LimitSlot:
    """
    One of the connections, held by a transaction or waited for.

    ``waits`` counts the requests that the task of the transaction waits for inside of it. What another task asks for
    keeps nobody from going on, or so one cannot know.
    """

    __slots__ = ("outer", "task", "turn", "waits")

    def __init__(self, outer: _LimitSlot | None) -> None:
        self.task = asyncio.current_task()
        self.outer = outer if outer is not None and outer.task is self.task else None
        self.waits = 0
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class TransactionLimit:
    """
    As many places as there are connections; first come, first served.

    A transaction inside a transaction takes a second place while it holds the first. Where all places are held by
    transactions that wait for another, nobody would ever go on, so that one of the waiting is refused.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: set[_LimitSlot] = set()
        self._waiting: deque[_LimitSlot] = deque()
        self._innermost: ContextVar[_LimitSlot | None] = ContextVar("otelq_place", default=None)

    @asynccontextmanager
    async def place(self, *, timeout: float) -> AsyncGenerator[None]:
        """
        Hold a place for the time of the block.

        Raises:
            Unavailable: none was free within ``timeout`` seconds, or none will ever be.
        """
        place = _LimitSlot(self._innermost.get())
        self._waiting.append(place)
        self._let_in()
        try:
            if place not in self._held:
                await self._turn_of(place, timeout=timeout)
            self._innermost.set(place)  # not set back, as the block may end in another task: it counts while held
            yield
        finally:
            self._leave(place)

    async def _turn_of(self, place: _LimitSlot, *, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        with _waiting_inside(place.outer):
            while not place.turn.done():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Unavailable(self._refusal(f"none ended within {timeout:g} s"))
                await asyncio.wait([place.turn], timeout=min(PATIENCE, left))
                if not place.turn.done() and place.outer in self._held and all(held.waits for held in self._held):
                    raise Unavailable(self._refusal("all of them wait for one more"))

    def _refusal(self, why: str) -> str:
        return (
            f"no connection is free for another transaction: {self._size} are open, and {why}; who opens one inside "
            "another holds two: give the pool, or connect(max_size=...), two for each slot of the worker"
        )

    def _leave(self, place: _LimitSlot) -> None:
        self._held.discard(place)
        if place in self._waiting:
            self._waiting.remove(place)
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and len(self._held) < self._size:
            place = self._waiting.popleft()
            self._held.add(place)
            place.turn.set_result(None)


@contextmanager
def _waiting_inside(place: _LimitSlot | None) -> Generator[None]:
    """Note that a task waits, at the innermost of its transactions and at all round that."""
    inside = list(_with_outer(place))
    for one in inside:
        one.waits += 1
    try:
        yield
    finally:
        for one in inside:
            one.waits -= 1


def _with_outer(place: _LimitSlot | None) -> Iterator[_LimitSlot]:
    while place is not None:
        yield place
        place = place.outer
