"""The times without a worker, for which nothing is promised."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from .fleet import Fleet

GLANCE: Final = 0.1
"""Seconds between two looks."""

PATIENCE: Final = 20.0
"""Seconds to wait for a worker."""

Span = tuple[datetime, datetime]


class Attendance:
    """Checks again and again if a process of the fleet serves."""

    def __init__(self, fleet: Fleet) -> None:
        self.absences: list[Span] = []
        self._fleet = fleet
        self._there = asyncio.Event()

    @property
    def is_there(self) -> bool:
        """Return True if one serves now."""
        up = set(self._fleet.noted("up"))
        return any(process.name in up and process.is_alive for process in tuple(self._fleet.processes))

    async def keep(self) -> None:
        """Note the times without a worker, until cancelled."""
        since: datetime | None = None
        while True:
            now, is_there = datetime.now(UTC), self.is_there
            if is_there and since is not None:
                self.absences.append((since, now))
                since = None
            elif not is_there and since is None:
                since = now
            # The event is for ``wait_for_worker``: a fault waits for a worker, instead of striking an empty fleet.
            (self._there.set if is_there else self._there.clear)()
            await asyncio.sleep(GLANCE)

    async def wait_for_worker(self) -> None:
        """Wait until one serves, up to a limit: a fault that hits no process proves nothing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._there.wait()


def merged(spans: Iterable[Span]) -> Sequence[Span]:
    """Return the same times without overlaps."""
    found: list[Span] = []
    for begun, ended in sorted(spans):
        if found and begun <= found[-1][1]:
            found[-1] = found[-1][0], max(ended, found[-1][1])
        else:
            found.append((begun, ended))
    return found
