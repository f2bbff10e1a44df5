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

    def __init__(self, act: Callable[[ActiveJob], None]) -> None:
        self._act = act
        self._due: dict[Key, set[ActiveJob]] = {}

    def add(self, run: ActiveJob, seconds: float) -> Key:
        """Act on the attempt after ``seconds``, or up to a thousandth of that later; what it returns ends that."""
        loop = asyncio.get_running_loop()
        step = seconds * PRECISION
        key = (seconds, ceil((loop.time() + seconds) / step))
        runs = self._due.get(key)
        if runs is None:
            runs = self._due[key] = set()
            loop.call_at(key[1] * step, self._expire, key)
        runs.add(run)
        return key

    def remove(self, run: ActiveJob, key: Key) -> None:
        """The attempt ended in time. Removing twice is fine."""
        if (runs := self._due.get(key)) is not None:
            runs.discard(run)

    def _expire(self, key: Key) -> None:
        for run in self._due.pop(key):
            self._act(run)
