"""Hints within one event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from ..ports.notify import Hint, NotifyAdapter

logger = logging.getLogger(__name__)


class InProcessNotify(NotifyAdapter):
    """Calls every subscriber in the turn of the event loop after ``publish``, never within it."""

    name = "memory"
    is_shared = False

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened = 0
        """The number of calls of ``open``: hints from before a ``close`` are not delivered after the next ``open``."""
        self._receivers: dict[object, Callable[[Hint], None]] = {}

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._opened += 1

    async def close(self) -> None:
        self._loop = None

    def publish(self, hints: Sequence[Hint]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon(self._deliver, tuple(hints), self._opened)

    def subscribe(self, receive: Callable[[Hint], None]) -> Callable[[], None]:
        key = object()
        self._receivers[key] = receive

        def unsubscribe() -> None:
            self._receivers.pop(key, None)

        return unsubscribe

    def _deliver(self, hints: Sequence[Hint], opened: int) -> None:
        for hint in hints:
            for key in tuple(self._receivers):  # a copy: a receiver may unsubscribe itself or others
                if self._loop is not None and self._opened == opened:
                    self._hand_over(key, hint)

    def _hand_over(self, key: object, hint: Hint) -> None:
        receive = self._receivers.get(key)
        if receive is None:
            return
        try:
            receive(hint)
        except Exception:
            logger.exception("a receiver of hints failed on %s %s", hint.kind, hint.subject)
