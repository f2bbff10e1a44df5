"""The supervised background loop: tick, wait for a wake or a timeout, back off after errors, stop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from random import SystemRandom

from .errors import Forbidden, Refused, Unavailable
from .logs import Log
from .spawn import spawn
from .texts import line

_RANDOM = SystemRandom()  # `random` belongs to the application, which may have seeded it

logger = Log("otelq.loop")

LONGEST_BACK_OFF = 5.0
MOST_ERRORS = 10
"""Unexpected errors in a row after which a loop gives up."""
DATABASE_ERRORS = (Unavailable, Refused)
"""Errors that pass. The database worked when the loop started, so it will work again."""
FORBIDDEN_PAUSES = (2.0, 4.0, 8.0, 16.0)
"""
Seconds between the tries of a loop whose role lacks a right and had it at no time; after these the loop gives up.

A deployment may grant rights a moment after it starts a worker. Rights that a loop had once are expected to return.
"""


class Outage:
    """The loops of one worker that do not work just now: the first that fails logs it, and the last that recovers."""

    def __init__(self) -> None:
        self._failing: set[str] = set()
        """The names of the loops; the keeper adds its own in another thread."""

    @property
    def is_on(self) -> bool:
        """Return whether some loop does not work."""
        return bool(self._failing)

    def begin(self, loop: str) -> bool:
        """Note that a loop failed; return True if all worked before."""
        is_first = not self._failing
        self._failing.add(loop)
        return is_first

    def end(self, loop: str) -> bool:
        """Note that a loop works or has stopped; return True if it was the last one that did not."""
        was_failing = loop in self._failing
        self._failing.discard(loop)
        return was_failing and not self._failing


class Loop(ABC):
    """
    The base of all background loops.

    ``tick`` does one round and returns the seconds until the next; ``wake`` runs the next one at once. A tick
    that raises is logged and repeated after a growing, jittered pause: for ever if the error comes from the database,
    ten times in a row if it is a bug or wrong configuration; then ``on_fatal`` is called with the error. So it is after
    half a minute if the database role lacks a right from the start.

    Args:
        name: the name in log lines.
        on_fatal: called when the loop gives up.
        outage: shared with other loops that the same database keeps from working, so that they log it once.
    """

    def __init__(self, name: str, *, on_fatal: Callable[[Exception], object], outage: Outage | None = None) -> None:
        self.name = name
        self._on_fatal = on_fatal
        self._outage = outage or Outage()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._errors = 0
        self._has_worked = False
        self.problem: str | None = "has not run yet"
        """The reason why the last tick did not succeed; None if it did."""

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
            self._has_worked = False
            self._outage.end(self.name)
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
        if self._outage.end(self.name):
            logger.info("%s: works again", self.name, extra={"otelq.loop": self.name})
        self._errors = 0
        self._has_worked = True
        self.problem = None

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
                self.problem = line(f"{type(error).__name__}: {error}")
                if self._is_fatal(error):
                    self._on_fatal(error)
                    return
                await self._rest(error)
            else:
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
        is_first = self._outage.begin(self.name)
        if not isinstance(error, DATABASE_ERRORS):
            logger.error("%s failed", self.name, exc_info=error, extra={"otelq.loop": self.name})
            return self._errors >= MOST_ERRORS
        is_forbidden = self._is_forbidden(error)
        limit = f" for {sum(FORBIDDEN_PAUSES):g} seconds" if is_forbidden else ""
        level = logging.WARNING if is_first else logging.DEBUG  # one line each way, however long it takes
        logger.log(level, "%s: %s; trying again%s", self.name, error, limit, extra={"otelq.loop": self.name})
        return is_forbidden and self._errors > len(FORBIDDEN_PAUSES)

    def _is_forbidden(self, error: Exception) -> bool:
        return isinstance(error, Forbidden) and not self._has_worked

    async def _rest(self, error: Exception) -> None:
        """Wait after an error; where a right is missing, hints of new jobs do not end the pause."""
        if not self._is_forbidden(error):
            return await self._wait(self._back_off())
        loop = asyncio.get_running_loop()
        ends = loop.time() + FORBIDDEN_PAUSES[self._errors - 1]
        while not self._stopping and (left := ends - loop.time()) > 0:
            self._woken.clear()
            await self._wait(left)

    def _back_off(self) -> float:
        longest: float = min(LONGEST_BACK_OFF, 0.05 * 2.0 ** min(self._errors, 10))
        # Jittered, so that the workers of a fleet do not return to a recovering database all at once.
        return longest * _RANDOM.uniform(0.5, 1.0)
