"""The entry of a worker in the registry: what its beats say, and when the next one is due."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Final

from ..model import WorkerBeat
from ..telemetry import installed_version
from ..texts import line
from .context import WorkerContext
from .slots import Slots

WITH_RENEWALS: Final = 30.0
"""Seconds since the last beat after which another goes with the next renewals: on SQLite both wake the processes."""
NEXT_TRY: Final = 10.0
"""Seconds from a beat that failed to the next."""


class Registration:
    """
    Builds the beats of one worker, and knows when one is due: at once, after ``interval``, and after a change.

    A worker that is busy beats more often than an idle one, together with the renewals of its leases.
    """

    def __init__(self, context: WorkerContext, slots: Slots, *, interval: float) -> None:
        self._context = context
        self._slots = slots
        self._interval = interval
        self._started = time.monotonic()
        self._tried_at = float("-inf")
        self.failures = 0
        """The number of beats in a row that were not stored."""
        self._refused: Mapping[str, str] = {}
        """The types that were refused at the last beat."""

    def is_due(self, *, with_renewals: bool) -> bool:
        """Return whether to send a beat now."""
        age = time.monotonic() - self._tried_at
        if self.failures:
            return age >= NEXT_TRY
        return age >= (min(WITH_RENEWALS, self._interval) if with_renewals else self._interval) or self._has_changed

    @property
    def is_known(self) -> bool:
        """Return whether a beat was sent, so that there may be an entry to remove."""
        return self._tried_at > float("-inf")

    def beat(self) -> WorkerBeat:
        """Return the beat to send now; ``succeeded`` or ``failed`` must follow."""
        self._tried_at = time.monotonic()
        # Copied under the GIL: the main loop changes it while this runs in the keeper's thread.
        self._refused = dict(self._context.refused)
        return WorkerBeat(
            id=self._context.id,
            name=self._context.name,
            host=line(socket.gethostname()),
            pid=os.getpid(),
            version=installed_version(),
            queues=self._context.queues,
            types=tuple(self._context.types),
            refused={type: line(reason) for type, reason in self._refused.items()},
            slots=self._slots.capacity,
            running=self._slots.capacity - self._slots.free,
            age=self._tried_at - self._started,
        )

    def succeeded(self) -> None:
        """Note that the last beat was stored."""
        self.failures = 0

    def failed(self) -> None:
        """Note that the last beat was not stored: the next try comes sooner."""
        self.failures += 1

    @property
    def _has_changed(self) -> bool:
        return self._refused != self._context.refused
