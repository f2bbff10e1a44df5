"""Queues that let one verb at a time use a caller's transaction."""

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
    """The verbs that use one transaction, or wait for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class TransactionQueues:
    """
    A queue for each transaction that is in use, so that verbs of several tasks run one after another.

    Two verbs at once would nest their savepoints. A rollback to the outer one would take back what the inner one has
    written, and has reported as written.
    """

    def __init__(self) -> None:
        self._queues: dict[int, _Queue] = {}
        """By the identity of the handle, as a user's class may support neither hashing nor weak references."""

    @asynccontextmanager
    async def take(self, tx: ConnectedTransaction) -> AsyncGenerator[None]:
        """
        Use a transaction alone for the time of the block.

        Raises:
            InvalidArgument: another task uses it, and its driver does not let several tasks use one connection.
        """
        key, queues = self._queue_of(tx)
        queue = queues.setdefault(key, _Queue())
        # The driver would refuse the second task, too, but its error would not name the argument.
        if queue.length and not tx.queues_tasks:
            raise InvalidArgument("tx", IN_USE)
        queue.length += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.length -= 1
            # An identity is used again once its object is gone, so no entry may outlive the last verb.
            if not queue.length:
                del queues[key]

    def _queue_of(self, tx: ConnectedTransaction) -> tuple[Any, dict[Any, _Queue]]:
        """Return the queue's key and dict: that of the connection itself if it has one, as clients may share it."""
        known: dict[Any, _Queue] | None = getattr(tx.handle, "__dict__", None) if tx.queues_tasks else None
        return ("otelq_queue", known) if known is not None else (id(tx.handle), self._queues)
