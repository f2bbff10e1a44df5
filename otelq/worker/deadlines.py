"""Does something about attempts that take too long, without a timer for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .active_job import ActiveJob

PRECISION = 1 / 1000
"""How much later than asked something is done, as a share of the time that was given."""

Key = tuple[float, int]


class Deadlines:
    """Attempts of one timeout that end at about the same time share a timer; almost none of them lives to see it."""

    def __init__(self, on_expiry: Callable[[ActiveJob], None]) -> None:
        self._on_expiry = on_expiry
        self._due: dict[Key, set[ActiveJob]] = {}

    def add(self, active: ActiveJob, seconds: float) -> Key:
        """Act on the attempt after ``seconds``, or up to a thousandth of that later; what it returns ends that."""
        loop = asyncio.get_running_loop()
        step = seconds * PRECISION
        key = (seconds, ceil((loop.time() + seconds) / step))
        active_jobs = self._due.get(key)
        if active_jobs is None:
            active_jobs = self._due[key] = set()
            loop.call_at(key[1] * step, self._expire, key)
        active_jobs.add(active)
        return key

    def remove(self, active: ActiveJob, key: Key) -> None:
        """The attempt ended in time. Removing twice is fine."""
        if (active_jobs := self._due.get(key)) is not None:
            active_jobs.discard(active)

    def _expire(self, key: Key) -> None:
        for active in self._due.pop(key):
            self._on_expiry(active)
