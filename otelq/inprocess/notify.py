"""Hints passed from hand to hand on one event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from ..ports.notify import Hint, NotifyAdapter

logger = logging.getLogger(__name__)


class InProcessNotify(NotifyAdapter):
    """Calls every receiver soon after a hint was published, never within ``publish`` itself."""

    name = "memory"
    is_shared = False

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened = 0
        """How often; what was published in an earlier life is not delivered in a later one."""
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
            for key in tuple(self._receivers):
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
