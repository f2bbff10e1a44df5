"""One verb at a time in a caller's transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ..errors import InvalidArgument
from .drivers import Linked
from .errors import IN_USE


@dataclass(slots=True)
class _Queue:
    """The verbs that use one transaction, or wait to."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class Turns:
    """
    Keeps the verbs of several tasks apart in one transaction.

    Two at once would set their savepoints into one another: the one that goes back to its own takes along what the
    other has written within it, and has reported as written.
    """

    def __init__(self) -> None:
        self._queues: dict[int, _Queue] = {}
        """By the identity of handles in use: a user's class may have neither hashes nor weak references."""

    @asynccontextmanager
    async def take(self, tx: Linked) -> AsyncGenerator[None]:
        """
        Use a transaction alone.

        Raises:
            InvalidArgument: another task uses it, and its driver does not let several use a connection in turns.
        """
        key = id(tx.handle)
        queue = self._queues.setdefault(key, _Queue())
        if queue.length and not tx.takes_turns:
            raise InvalidArgument("tx", IN_USE)
        queue.length += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.length -= 1
            if not queue.length:
                del self._queues[key]
