"""Deadlines of attempts, without a timer for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .active_job import ActiveJob

PRECISION = 1 / 1000
"""How much later than its time a deadline may fire, as a fraction of the timeout."""

Key = tuple[float, int]


class Deadlines:
    """
    Calls ``on_expiry`` for attempts that exceed their time. Attempts with nearly the same deadline share a timer.

    Nearly all attempts end in time, so a timer for each would mostly be started to be cancelled.
    """

    def __init__(self, on_expiry: Callable[[ActiveJob], None]) -> None:
        self._on_expiry = on_expiry
        self._due: dict[Key, set[ActiveJob]] = {}

    def add(self, active: ActiveJob, seconds: float) -> Key:
        """Add an attempt with its time in seconds; return the key for ``remove``."""
        loop = asyncio.get_running_loop()
        # Rounded up to whole steps, so that attempts begun at about the same time get one key and one timer.
        step = seconds * PRECISION
        key = (seconds, ceil((loop.time() + seconds) / step))
        active_jobs = self._due.get(key)
        if active_jobs is None:
            active_jobs = self._due[key] = set()
            loop.call_at(key[1] * step, self._expire, key)
        active_jobs.add(active)
        return key

    def remove(self, active: ActiveJob, key: Key) -> None:
        """Remove an attempt that ended in time. Removing twice is fine."""
        if (active_jobs := self._due.get(key)) is not None:
            active_jobs.discard(active)

    def _expire(self, key: Key) -> None:
        for active in self._due.pop(key):
            self._on_expiry(active)
