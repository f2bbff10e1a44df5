"""Which attempts run in this process, and how many more may."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..model import CancelReason
from .deadlines import Deadlines

if TYPE_CHECKING:
    from .active_job import ActiveJob


class Slots:
    """
    As many places as the worker's concurrency; a place is free again when its attempt is acknowledged.

    ``leaked`` counts the places held by handlers that ignored their cancellation and run on, fenced off.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.leaked = 0
        self.suspects = 0
        self.deadlines = Deadlines(_time_out)
        self.soft_deadlines = Deadlines(_soften)
        self.by_type: Counter[str] = Counter()
        self.on_free: Callable[[], None] = _nothing
        self._runs: set[ActiveJob] = set()
        self._changed = asyncio.Event()

    @property
    def free(self) -> int:
        """How many more attempts may run."""
        return self.capacity - len(self._runs)

    def runs(self) -> list[ActiveJob]:
        """The attempts that hold a place; safe to call from another thread."""
        return list(self._runs)

    def take(self, run: ActiveJob) -> None:
        """Give a place to an attempt."""
        self._runs.add(run)
        self.by_type[run.job.type] += 1
        self.suspects += run.job.crashes > 0

    def leave(self, run: ActiveJob) -> None:
        """Free the place of an attempt. Leaving twice is fine."""
        if run not in self._runs:
            return
        self._runs.discard(run)
        self.by_type[run.job.type] -= 1
        self.suspects -= run.job.crashes > 0
        self._changed.set()
        self.on_free()

    def leak(self) -> None:
        """Count a place as leaked: its handler ignores its cancellation."""
        self.leaked += 1
        self.touch()

    async def drained(self, *, timeout: float, unless: Callable[[], bool] = bool) -> bool:
        """
        Wait until no place is taken but by what leaked; whether that came about within ``timeout`` seconds.

        The wait ends early when ``unless`` is true; ``touch`` has it asked.
        """
        try:
            async with asyncio.timeout(timeout):
                while len(self._runs) > self.leaked:
                    if unless():
                        return False
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def touch(self) -> None:
        """Let those who wait look again."""
        self._changed.set()


def _nothing() -> None:
    pass


def _time_out(run: ActiveJob) -> None:
    run.cancel(CancelReason.TIMEOUT)


def _soften(run: ActiveJob) -> None:
    run.scope.soft_timeout()
