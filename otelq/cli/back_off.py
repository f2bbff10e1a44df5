"""Pauses before worker processes that ended are started again."""

from __future__ import annotations

from typing import Final, NamedTuple

FIRST: Final = 0.1
"""Seconds before the first new start."""
LONGEST: Final = 30.0
CALM: Final = 60.0
"""Seconds without an end after which the pauses begin anew."""


class Pause(NamedTuple):
    """The pause before a new start."""

    seconds: float
    is_new: bool
    """It is the first one of its round; others that end meanwhile wait for the same moment."""


class BackOff:
    """Doubles the pause with every round of ends. All processes share it, so that a crash of all is one round."""

    def __init__(self) -> None:
        self._rounds = 0
        self._until = float("-inf")

    def pause(self, now: float) -> Pause:
        """Return the pause after a process has ended at this time."""
        if now < self._until:
            return Pause(self._until - now, is_new=False)
        if now > self._until + CALM:
            self._rounds = 0
        seconds = min(LONGEST, FIRST * 2.0 ** min(self._rounds, 10))
        self._rounds += 1
        self._until = now + seconds
        return Pause(seconds, is_new=True)
