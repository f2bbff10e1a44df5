"""The chains for whose end some process waits, as far as this process has heard."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

REMEMBERED: Final = 60.0
"""Seconds for which an announcement counts; a waiter repeats it in half that time."""
MOST: Final = 100_000
"""Chains that are remembered at once; the oldest are forgotten first, and their waiters poll."""


class AwaitedChains:
    """
    Remembers which chains are awaited elsewhere, so that the end of any other chain is not sent to anybody.

    Most chains have nobody who waits for them: a message for each would cost more than the work of a small job.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def __contains__(self, chain_id: str) -> bool:
        return self._until.get(chain_id, 0.0) > self._clock()

    def __len__(self) -> int:
        return len(self._until)

    def add(self, chain_id: str) -> None:
        """Remember a chain for a minute from now."""
        self._until.pop(chain_id, None)  # so that the order of the dict is the order of the ends
        self._until[chain_id] = self._clock() + REMEMBERED
        self._forget()

    def clear(self) -> None:
        """Forget all."""
        self._until.clear()

    def _forget(self) -> None:
        now = self._clock()
        while self._until:
            chain_id = next(iter(self._until))
            if self._until[chain_id] > now and len(self._until) <= MOST:
                return
            del self._until[chain_id]
