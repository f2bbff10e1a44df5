"""Workers that are replaced by others with a wrong clock or unreliable hints."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from ..scene import RunScene
from .hints import KINDS
from .processes import GLANCE

MINUTE: Final = 60.0
HOUR: Final = 3600.0
SKEWS: Final = (-48 * HOUR, -2 * HOUR, -3 * MINUTE, 3 * MINUTE, 2 * HOUR, 48 * HOUR)

BUSY_WITHIN: Final = 15.0
"""Seconds within which a new worker counts as hit if it holds leases."""


@dataclass(frozen=True)
class Clock:
    """A worker whose wall clock is wrong, or jumps while it is at work."""

    name: str
    jumps: bool

    def suits(self, scene: RunScene) -> bool:
        """Return True where the database has a clock of its own; SQLite uses that of each process."""
        return scene.network.url.startswith("postgres")

    async def strike(self, scene: RunScene) -> str | None:
        """Replace a worker; count a hit if the new one held leases. It stays until another fault kills it."""
        seconds = scene.chance.choice(SKEWS)
        after = f"@{scene.chance.uniform(1, 4):.1f}" if self.jumps else ""
        name = await _replace(scene, f"--clock-skew={seconds:.0f}{after}")
        return f"{name}, {seconds:+.0f} s" if name else None


@dataclass(frozen=True)
class Hints:
    """A worker whose hints are lost, doubled, late, or out of order."""

    name: str

    def suits(self, scene: RunScene) -> bool:
        """Return True: it can strike everywhere."""
        return True

    async def strike(self, scene: RunScene) -> str | None:
        """Replace a worker; count a hit if the new one held leases. It stays until another fault kills it."""
        kind = scene.chance.choice(KINDS)
        name = await _replace(scene, "--hints", kind, "--seed", str(scene.chance.getrandbits(32)))
        return f"{name}, {kind}" if name else None


async def _replace(scene: RunScene, *options: str) -> str | None:
    """Kill a worker and start another with these options; return its name if it got leases."""
    victim = scene.chance.choice(scene.fleet.processes)
    try:
        scene.fleet.kill(victim)
    finally:
        process = scene.fleet.start(*options)
    deadline = time.monotonic() + BUSY_WITHIN
    while not (await scene.leases())[process.name]:
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(GLANCE)
    return process.name


REPLACING: Final = (Clock("clock wrong", jumps=False), Clock("clock jumps", jumps=True), Hints("hints unreliable"))
