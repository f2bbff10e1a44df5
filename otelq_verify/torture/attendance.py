"""When no worker was there: nothing is promised for such times."""

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
"""Seconds for which somebody is waited for."""

Span = tuple[datetime, datetime]


class Attendance:
    """Looks again and again whether a process of the fleet has come up and lives."""

    def __init__(self, fleet: Fleet) -> None:
        self.absences: list[Span] = []
        self._fleet = fleet
        self._there = asyncio.Event()

    @property
    def is_there(self) -> bool:
        """Whether one is there now."""
        up = set(self._fleet.noted("up"))
        return any(process.name in up and process.is_alive for process in tuple(self._fleet.processes))

    async def keep(self) -> None:
        """Note when nobody is there, until cancelled."""
        since: datetime | None = None
        while True:
            now, is_there = datetime.now(UTC), self.is_there
            if is_there and since is not None:
                self.absences.append((since, now))
                since = None
            elif not is_there and since is None:
                since = now
            (self._there.set if is_there else self._there.clear)()
            await asyncio.sleep(GLANCE)

    async def wait_for_worker(self) -> None:
        """Wait until one is there, but not for ever: a fault that hits nobody says nothing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._there.wait()


def merged(spans: Iterable[Span]) -> Sequence[Span]:
    """The same times without overlaps."""
    found: list[Span] = []
    for begun, ended in sorted(spans):
        if found and begun <= found[-1][1]:
            found[-1] = found[-1][0], max(ended, found[-1][1])
        else:
            found.append((begun, ended))
    return found
