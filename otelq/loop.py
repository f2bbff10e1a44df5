"""The supervised background loop: tick, wait for a wake or a timeout, back off after errors, stop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from random import SystemRandom

from .errors import Refused, Unavailable
from .logs import Log
from .spawn import spawn

_RANDOM = SystemRandom()  # `random` belongs to the application, which may have seeded it

logger = Log("otelq.loop")

LONGEST_BACK_OFF = 5.0
MOST_ERRORS = 10
"""Unexpected errors in a row after which a loop gives up."""
DATABASE_ERRORS = (Unavailable, Refused)
"""Errors that a loop never gives up on. The database worked when the loop started, so it will work again."""


class Loop(ABC):
    """
    The base of all background loops.

    ``tick`` does one round and returns the seconds until the next; ``wake`` runs the next one at once. A tick
    that raises is logged and repeated after a growing, jittered pause: for ever if the error comes from the database,
    ten times in a row if it is a bug or wrong configuration; then ``on_fatal`` is called with the error.
    """

    def __init__(self, name: str, *, on_fatal: Callable[[Exception], object]) -> None:
        self.name = name
        self._on_fatal = on_fatal
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._errors = 0

    @abstractmethod
    async def tick(self) -> float:
        """Run one round; return the seconds until the next."""

    @property
    def is_running(self) -> bool:
        """Return whether it ticks: it was started, and has neither stopped nor given up."""
        return self._task is not None and not self._task.done()

    def start(self, *, context: contextvars.Context | None = None) -> None:
        """Start ticking, also after giving up, in an empty context: no span or variable of the caller leaks in."""
        if not self.is_running:
            self._stopping = False
            self._errors = 0
            self._task = spawn(self._run(), name=f"otelq {self.name}", context=context or contextvars.Context())

    def wake(self) -> None:
        """Run the next tick at once."""
        self._woken.set()

    def begin_stop(self) -> None:
        """Run no tick after the current one."""
        self._stopping = True
        self.wake()

    def recovered(self) -> None:
        """Log that the loop works again after errors; a tick that takes long calls this when its work has begun."""
        if self._errors:
            logger.info("%s: works again", self.name, extra={"otelq.loop": self.name})
        self._errors = 0

    async def stop(self) -> None:
        """Wait for the current tick and end. Stopping twice is fine."""
        self.begin_stop()
        if self._task is not None:
            task, self._task = self._task, None
            await asyncio.wait([task])  # unlike `await task`, does not cancel the tick if the caller is cancelled

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()  # before the tick: a wake during it must not be lost
            try:
                pause = await self.tick()
                self.recovered()
            except Exception as error:
                self._errors += 1
                if self._is_fatal(error):
                    self._on_fatal(error)
                    return
                pause = self._back_off()
            await self._wait(pause)

    async def _wait(self, pause: float) -> None:
        if pause <= 0 or self._woken.is_set():
            return
        try:
            async with asyncio.timeout(pause):
                await self._woken.wait()
        except TimeoutError:
            pass  # the pause is over

    def _is_fatal(self, error: Exception) -> bool:
        if isinstance(error, DATABASE_ERRORS):
            level = logging.WARNING if self._errors == 1 else logging.DEBUG  # one line each way, however long it takes
            logger.log(level, "%s: %s; trying again", self.name, error, extra={"otelq.loop": self.name})
            return False
        logger.error("%s failed", self.name, exc_info=error, extra={"otelq.loop": self.name})
        return self._errors >= MOST_ERRORS

    def _back_off(self) -> float:
        longest: float = min(LONGEST_BACK_OFF, 0.05 * 2.0 ** min(self._errors, 10))
        # Jittered, so that the workers of a fleet do not return to a recovering database all at once.
        return longest * _RANDOM.uniform(0.5, 1.0)
