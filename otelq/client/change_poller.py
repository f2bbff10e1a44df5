"""The loop that polls a store for writes of other processes, and publishes a hint for them."""

from __future__ import annotations

from typing import Final

from ..logs import Log
from ..loop import Loop
from ..ports.notify import Hint, HintKind
from .engine import Engine

logger = Log("otelq.client")

PAUSE: Final = 0.03
"""Seconds from a change to the next poll at least: under load, one look finds the jobs of several writes."""
CHANGED = (Hint(HintKind.CHANGED, ""),)


class ChangePoller(Loop):
    """Polls every ``interval`` seconds; a hint makes workers and waiting clients look for themselves."""

    def __init__(self, engine: Engine, *, interval: float) -> None:
        super().__init__("change poller", on_fatal=_give_up)
        self._engine = engine
        self._interval = interval

    async def tick(self) -> float:
        """Poll once."""
        with self._engine.telemetry.silence():  # a poll every second would flood the traces of an instrumented driver
            changed = await self._engine.state.changed()
        if changed:
            self._engine.notify.publish(CHANGED)
        return max(self._interval, PAUSE) if changed else self._interval


def _give_up(error: Exception) -> None:
    # Workers and waiters poll by themselves, only less often.
    logger.error("other processes' writes go unnoticed from now on, but for polling: %s", error)
