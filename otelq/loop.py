"""One supervised background loop: tick, wait, tick again; wakes early, backs off on errors, stops cleanly."""

from __future__ import annotations

import asyncio
import contextvars
from abc import ABC, abstractmethod
from collections.abc import Callable
from random import SystemRandom

from .errors import Refused, Unavailable
from .logs import Log
from .spawn import spawn

_CHANCE = SystemRandom()  # the numbers of `random` are the application's, which may have seeded it

logger = Log("otelq.loop")

LONGEST_BACK_OFF = 5.0
STRIKES = 10
"""After so many unexpected errors in a row a loop gives up and says so."""
FROM_THE_DATABASE = (Unavailable, Refused)
"""What a database says that was as it should be when the loop began: it passes, or somebody repairs it."""


class Loop(ABC):
    """
    The shape that all background loops share.

    ``tick`` does one round and returns the seconds until the next; ``wake`` makes the next one come at once. A tick
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
        """Do one round; return how many seconds the next may wait."""

    @property
    def is_running(self) -> bool:
        """Whether it ticks: it was started, and neither stopped nor gave up."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin ticking, in an empty context so that nothing of the caller's leaks in; again after giving up."""
        if not self.is_running:
            self._stopping = False
            self._errors = 0
            self._task = spawn(self._run(), name=f"otelq {self.name}", context=contextvars.Context())

    def wake(self) -> None:
        """Let the next tick come at once."""
        self._woken.set()

    async def stop(self) -> None:
        """Finish the tick at hand and end. Stopping twice is fine."""
        self._stopping = True
        self.wake()
        if self._task is not None:
            task, self._task = self._task, None
            await asyncio.wait([task])

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                pause = await self.tick()
                self._errors = 0
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
        if isinstance(error, FROM_THE_DATABASE):
            logger.warning("%s: %s; trying again", self.name, error, extra={"otelq.loop": self.name})
            return False
        logger.error("%s failed", self.name, exc_info=error, extra={"otelq.loop": self.name})
        return self._errors >= STRIKES

    def _back_off(self) -> float:
        longest: float = min(LONGEST_BACK_OFF, 0.05 * 2.0 ** min(self._errors, 10))
        return longest * _CHANCE.uniform(0.5, 1.0)
