"""The schedule of faults, one after the other."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Final

from .faults import Fault
from .faults.database import FailOver, FullDisk, Restart
from .faults.processes import Kill, Suspend
from .faults.replacements import Clock, Hints
from .report import FaultCount
from .scene import RunScene

logger = logging.getLogger("otelq_verify.torture")

_OF_PROCESSES: Final = (Kill, Suspend, Clock, Hints)
"""Faults that leave the database to all others, as it was."""

_OF_SERVERS: Final = (Restart, FailOver, FullDisk)
"""Faults after which a server may have forgotten what it had not written to the disk."""


class Striker:
    """Lets faults strike in a random order that the seed decides: all kinds once, then all kinds again."""

    def __init__(
        self, faults: Sequence[Fault], scene: RunScene, *, pace: float, before_each: Callable[[], Awaitable[None]]
    ) -> None:
        self.suited = [fault for fault in faults if fault.suits(scene)]
        self.counted = {fault.name: FaultCount() for fault in self.suited}
        self.outages: list[tuple[datetime, datetime]] = []
        """When the database may have been out of reach, for some at least."""
        self.crashes: list[tuple[datetime, datetime]] = []
        """When its server went down."""
        self.deaths: list[str] = []
        """Processes that ended by themselves."""
        self._scene = scene
        self._pace = pace
        self._before_each = before_each

    async def strike_for(self, seconds: float) -> None:
        """Let faults strike for this long."""
        due = time.monotonic()
        deadline = due + seconds
        for fault in in_order(self.suited, self._scene.chance):
            # A fault that took longer than the pace does not make the next ones catch up one after the other.
            due = max(due, time.monotonic() - self._pace) + self._pace * self._scene.chance.uniform(0.5, 1.5)
            await asyncio.sleep(min(due, deadline) - time.monotonic())
            await self._before_each()
            if time.monotonic() >= deadline:
                return
            await self._strike(fault)
            self._replace_dead()

    async def _strike(self, fault: Fault) -> None:
        leases = (await self._scene.leases()).total()
        began = datetime.now(UTC)
        hit = await fault.strike(self._scene)
        # The whole strike counts as an outage, as any statement in it may have failed. The checks allow for that time.
        if not isinstance(fault, _OF_PROCESSES):
            self.outages.append((began, datetime.now(UTC)))
        if isinstance(fault, _OF_SERVERS):
            self.crashes.append((began, datetime.now(UTC)))
        logger.info("%s: %s", fault.name, hit or "hit nothing")
        counted = self.counted[fault.name]
        if hit is None:
            counted.missed += 1
        else:
            counted.times += 1
            counted.leases += leases
            counted.hits.append(hit)

    def _replace_dead(self) -> None:
        """Replace dead processes, and note them: no fault leaves one, so it died of something else."""
        fleet = self._scene.fleet
        for process in fleet.processes:
            if not process.is_alive:
                self.deaths.append(f"{process.name} ended by itself with {process.exit_code}:\n{process.tail()}")
        fleet.replace_dead()


def in_order(faults: Sequence[Fault], chance: Random) -> Iterator[Fault]:
    """Yield the faults in random order: all of them once, then all again, in another order."""
    while faults:
        yield from chance.sample(faults, len(faults))
