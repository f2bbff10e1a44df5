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
        self.soft_deadlines = Deadlines(_begin_soft_timeout)
        self.by_type: Counter[str] = Counter()
        self.on_free: Callable[[], None] = _ignore
        self._active: set[ActiveJob] = set()
        self._changed = asyncio.Event()

    @property
    def free(self) -> int:
        """How many more attempts may run."""
        return self.capacity - len(self._active)

    def active_jobs(self) -> list[ActiveJob]:
        """The attempts that hold a place; safe to call from another thread."""
        return list(self._active)

    def take(self, active: ActiveJob) -> None:
        """Give a place to an attempt."""
        self._active.add(active)
        self.by_type[active.job.type] += 1
        self.suspects += active.job.crashes > 0

    def release(self, active: ActiveJob) -> None:
        """Free the place of an attempt. Leaving twice is fine."""
        if active not in self._active:
            return
        self._active.discard(active)
        self.by_type[active.job.type] -= 1
        self.suspects -= active.job.crashes > 0
        self._changed.set()
        self.on_free()

    def leak(self) -> None:
        """Count a place as leaked: its handler ignores its cancellation."""
        self.leaked += 1
        self.notify_waiters()

    async def wait_drained(self, *, timeout: float, unless: Callable[[], bool] = bool) -> bool:
        """
        Wait until no place is taken but by what leaked; whether that came about within ``timeout`` seconds.

        The wait ends early when ``unless`` is true; ``notify_waiters`` has it asked.
        """
        try:
            async with asyncio.timeout(timeout):
                while len(self._active) > self.leaked:
                    if unless():
                        return False
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def notify_waiters(self) -> None:
        """Let those who wait look again."""
        self._changed.set()


def _ignore() -> None:
    pass


def _time_out(active: ActiveJob) -> None:
    active.cancel(CancelReason.TIMEOUT)


def _begin_soft_timeout(active: ActiveJob) -> None:
    active.scope.soft_timeout()
