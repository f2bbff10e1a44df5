"""The slots of a worker: which attempts run, and how many more may."""

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
    The slots of a worker, as many as its concurrency. A slot is free again when the outcome of its attempt is stored.

    ``leaked`` counts slots of abandoned handlers: they ignored their cancel and still run, but can store nothing.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.leaked = 0
        self.suspects = 0
        """Running jobs that already lost a lease to a crash. One of these may run at a time, so that a job which kills
        its process takes no second suspect with it."""
        self.deadlines = Deadlines(_time_out)
        self.soft_deadlines = Deadlines(_begin_soft_timeout)
        self.by_type: Counter[str] = Counter()
        self.on_free: Callable[[], None] = _ignore
        self._active: set[ActiveJob] = set()
        self._changed = asyncio.Event()

    @property
    def free(self) -> int:
        """Return the number of free slots."""
        return self.capacity - len(self._active)

    def active_jobs(self) -> list[ActiveJob]:
        """Return the attempts that hold a slot; safe to call from another thread."""
        return list(self._active)  # one copy under the GIL: the keeper iterates in its own thread

    def take(self, active: ActiveJob) -> None:
        """Give a slot to an attempt."""
        self._active.add(active)
        self.by_type[active.definition.name] += 1
        self.suspects += active.job.crashes > 0

    def release(self, active: ActiveJob) -> None:
        """Free the slot of an attempt. Releasing twice is fine."""
        if active not in self._active:
            return
        self._active.discard(active)
        self.by_type[active.definition.name] -= 1
        self.suspects -= active.job.crashes > 0
        self._changed.set()
        self.on_free()

    def leak(self) -> None:
        """Count a slot as leaked: its handler ignored its cancel."""
        self.leaked += 1
        self.notify_waiters()

    async def wait_drained(self, *, timeout: float, unless: Callable[[], bool] = bool) -> bool:
        """
        Wait until only leaked slots are in use; return False after ``timeout`` seconds, or once ``unless`` is true.

        ``unless`` is called again after each change of the slots, and after ``notify_waiters``.
        """
        try:
            async with asyncio.timeout(timeout):
                while len(self._active) > self.leaked:  # leaked slots are in use and may never be free
                    if unless():
                        return False
                    self._changed.clear()  # after the check and without an await between: no change is missed
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def notify_waiters(self) -> None:
        """Make ``wait_drained`` check its condition again."""
        self._changed.set()


def _ignore() -> None:
    pass


def _time_out(active: ActiveJob) -> None:
    active.cancel(CancelReason.TIMEOUT)


def _begin_soft_timeout(active: ActiveJob) -> None:
    active.scope.soft_timeout()
