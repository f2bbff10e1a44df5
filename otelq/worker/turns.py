"""The turns in which the idle workers of a fleet look for jobs that one of their hints was about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final
from zlib import crc32

from ..ports.notify import Hint, HintKind

AT_ONCE: Final = 4
"""Workers that look at once: one finds the job, and the others are there in case it cannot."""
STEP: Final = 0.005
"""Seconds between the turns of two further workers: about as long as a claim and the message after it take."""
LONGEST_TURN: Final = 1.0
"""The longest time in seconds that a worker of a large fleet waits for its turn."""


class Turns:
    """
    Spreads the looks of a fleet after a hint of another process: a job must not cost a claim of every idle worker.

    Every hint puts the workers into another order. The first few look at once, the others one after the other, until
    one of them has claimed all that there is and says so. If that message is lost, the others look in their turn.

    Args:
        worker: the id of the worker, which no other has.
        look: looks for jobs.
    """

    def __init__(self, worker: str, look: Callable[[], None]) -> None:
        self.fleet = 1
        """The number of live workers, as far as this one knows."""
        self._worker = worker
        self._look = look
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._asked: list[str] = []
        """The hints for which this worker is to look next."""
        self._looking: list[str] = []
        """The hints for which it looks now."""

    def take(self, hint: Hint) -> None:
        """Look in turn for the jobs of a hint that they are due."""
        if not hint.origin or self.fleet <= AT_ONCE:
            return self._look()
        key = f"{hint.origin}/{hint.subject}"
        if key in self._waiting:
            return
        wait = self._wait(key)
        if wait <= 0:
            return self._begin(key)
        self._waiting[key] = asyncio.get_running_loop().call_later(wait, self._begin, key)

    def give_up(self, key: str) -> None:
        """Do not look for the jobs of a hint: another worker has claimed them."""
        if handle := self._waiting.pop(key, None):
            handle.cancel()

    def begin_look(self) -> None:
        """Look for the hints so far. A later one needs another look: the jobs may be newer than what a claim sees."""
        self._asked, self._looking = [], self._asked

    def end_look(self, *, has_claimed: bool, is_exhausted: bool) -> Sequence[Hint]:
        """Return the hints that spare others their look, if this one has claimed all that there was."""
        keys, self._looking = self._looking, []
        return [Hint(HintKind.TAKEN, key) for key in keys] if has_claimed and is_exhausted else ()

    def close(self) -> None:
        """Look no more."""
        for handle in self._waiting.values():
            handle.cancel()
        self._waiting.clear()

    def _begin(self, key: str) -> None:
        self._waiting.pop(key, None)
        self._asked.append(key)
        self._look()

    def _wait(self, key: str) -> float:
        # A hash: no worker knows the others, and it is random and even all the same.
        turn = crc32(f"{self._worker} {key}".encode()) / 2**32 * self.fleet
        return min(LONGEST_TURN, max(0.0, turn - AT_ONCE) * STEP)
