"""The receivers of one notifier, called on its event loop and never within the call that publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ..logs import Log
from ..ports.notify import Hint

logger = Log("otelq.hints")


def _ignore() -> None:
    pass


class Receivers:
    """
    Calls every receiver soon after hints were delivered.

    Args:
        on_first: called when a receiver subscribes and there was none.
    """

    def __init__(self, on_first: Callable[[], object] = _ignore) -> None:
        self._on_first = on_first
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened = 0
        """How often; what was published in an earlier life is not delivered in a later one."""
        self._receivers: dict[object, Callable[[Hint], None]] = {}

    def __bool__(self) -> bool:
        return bool(self._receivers)

    @property
    def is_open(self) -> bool:
        """Return whether hints are delivered."""
        return self._loop is not None

    def open(self) -> None:
        """Deliver from now on, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._opened += 1

    def close(self) -> None:
        """Deliver nothing more, not even what was handed over before."""
        self._loop = None

    def deliver(self, hints: Sequence[Hint]) -> None:
        """Call every receiver with every hint, on a later turn of the event loop."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon(self._deliver, tuple(hints), self._opened)

    def subscribe(self, receive: Callable[[Hint], None]) -> Callable[[], None]:
        """Call ``receive`` for every hint; return what ends that at once."""
        key = object()
        self._receivers[key] = receive
        if len(self._receivers) == 1:
            self._on_first()

        def unsubscribe() -> None:
            self._receivers.pop(key, None)

        return unsubscribe

    def _deliver(self, hints: Sequence[Hint], opened: int) -> None:
        for hint in hints:
            for key in tuple(self._receivers):  # a receiver may subscribe others, or end its own subscription
                if self._loop is not None and self._opened == opened:
                    self._call(key, hint)

    def _call(self, key: object, hint: Hint) -> None:
        receive = self._receivers.get(key)
        if receive is None:
            return
        try:
            receive(hint)
        except Exception:
            logger.exception("a receiver of hints failed on %s %s", hint.kind, hint.subject)
