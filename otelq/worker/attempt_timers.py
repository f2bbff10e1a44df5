"""The timers of one attempt: its timeouts, and the grace after a cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from .deadlines import Key
from .slots import Slots

if TYPE_CHECKING:
    from .active_job import ActiveJob


class AttemptTimers:
    """
    Starts the timers of an attempt, and stops them when it ends.

    The job is a parameter, not an attribute: two objects that refer to each other wait for the garbage collector.
    """

    __slots__ = ("_deadline", "_grace", "_slots", "_soft_deadline")

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._deadline: Key | None = None
        self._soft_deadline: Key | None = None
        self._grace: asyncio.TimerHandle | None = None

    def begin(self, active: ActiveJob) -> None:
        """Start the timers of the timeout and the soft timeout."""
        definition = active.definition
        if definition.timeout is not None:
            self._deadline = self._slots.deadlines.add(active, definition.timeout)
        if definition.soft_timeout is not None:
            self._soft_deadline = self._slots.soft_deadlines.add(active, definition.soft_timeout)

    @property
    def is_cancelled(self) -> bool:
        """Return whether the attempt was cancelled, so that its grace has begun."""
        return self._grace is not None

    def begin_grace(self, seconds: float, then: Callable[[], None]) -> None:
        """Call ``then`` after the grace, unless the attempt ends before."""
        self._grace = asyncio.get_running_loop().call_later(seconds, then)

    def end(self, active: ActiveJob) -> None:
        """Stop all timers."""
        if self._deadline is not None:
            self._slots.deadlines.remove(active, self._deadline)
        if self._soft_deadline is not None:
            self._slots.soft_deadlines.remove(active, self._soft_deadline)
        if self._grace is not None:
            self._grace.cancel()
