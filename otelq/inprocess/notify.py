"""Hints within one event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..hints import Receivers
from ..ports.notify import Hint, NotifyAdapter


class InProcessNotify(NotifyAdapter):
    """Calls every subscriber in the turn of the event loop after ``publish``, never within it."""

    name = "memory"
    is_shared = False

    def __init__(self) -> None:
        self._receivers = Receivers()

    async def open(self) -> None:
        self._receivers.open()

    async def close(self) -> None:
        self._receivers.close()

    def publish(self, hints: Sequence[Hint]) -> None:
        self._receivers.deliver(hints)

    def subscribe(self, receive: Callable[[Hint], None]) -> Callable[[], None]:
        return self._receivers.subscribe(receive)
