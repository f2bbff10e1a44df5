"""One verb at a time in a caller's transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidArgument
from ..ports.transaction_errors import IN_USE
from .drivers import ConnectedTransaction


@dataclass(slots=True)
class _Queue:
    """The verbs that use one transaction, or wait to."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class TransactionQueues:
    """
    Keeps the verbs of several tasks apart in one transaction.

    Two at once would set their savepoints into one another: the one that goes back to its own takes along what the
    other has written within it, and has reported as written.
    """

    def __init__(self) -> None:
        self._queues: dict[int, _Queue] = {}
        """By the identity of handles in use: a user's class may have neither hashes nor weak references."""

    @asynccontextmanager
    async def take(self, tx: ConnectedTransaction) -> AsyncGenerator[None]:
        """
        Use a transaction alone.

        Raises:
            InvalidArgument: another task uses it, and its driver does not let several use a connection in turns.
        """
        key, queues = self._queue_of(tx)
        queue = queues.setdefault(key, _Queue())
        if queue.length and not tx.queues_tasks:
            raise InvalidArgument("tx", IN_USE)
        queue.length += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.length -= 1
            if not queue.length:
                del queues[key]

    def _queue_of(self, tx: ConnectedTransaction) -> tuple[Any, dict[Any, _Queue]]:
        """Where the queue is: on the connection itself, if it can be, as several clients may write on one."""
        known: dict[Any, _Queue] | None = getattr(tx.handle, "__dict__", None) if tx.queues_tasks else None
        return ("otelq_turns", known) if known is not None else (id(tx.handle), self._queues)
