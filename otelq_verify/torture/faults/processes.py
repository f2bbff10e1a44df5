"""Worker processes that are killed, and those that are stopped for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ..fleet import Process
from ..scene import RunScene
from .fault import busy

GLANCE: Final = 0.05
"""Seconds between two looks at the leases."""

SLACK: Final = 3.0
"""Seconds that leases of a standing process may take to be reaped, beyond their length and two looks of a reaper."""


@dataclass(frozen=True)
class Kill:
    """Sends SIGKILL to processes that hold leases; others are started in their place."""

    name: str
    victims: Literal["one", "several", "all"]

    def suits(self, scene: RunScene) -> bool:
        """Return True: it can strike everywhere."""
        return True

    async def strike(self, scene: RunScene) -> str | None:
        """Kill; count a hit if the processes held leases."""
        victims = await self._choose(scene)
        try:
            for victim in victims:
                scene.fleet.kill(victim)
        finally:
            for _ in victims:
                scene.fleet.start()
        leases = await scene.leases()
        hit = {victim.name: leases[victim.name] for victim in victims if leases[victim.name]}
        return ", ".join(f"{name} with {held} leases" for name, held in hit.items()) or None

    async def _choose(self, scene: RunScene) -> Sequence[Process]:
        if self.victims == "all":
            return tuple(scene.fleet.processes)
        processes = await busy(scene)
        most = 1 if self.victims == "one" else scene.chance.randint(2, max(2, len(processes)))
        return scene.chance.sample(processes, min(most, len(processes)))


@dataclass(frozen=True)
class Suspend:
    """Sends SIGSTOP to a process that holds leases, until others have taken them, or for a fraction of a lease."""

    name: str
    past_lease: bool

    def suits(self, scene: RunScene) -> bool:
        """
        Return True: it can strike everywhere. Without another worker the process stops as long as a reap would take.
        """
        return True

    async def strike(self, scene: RunScene) -> str | None:
        """Stop a process; count a hit if it held leases, or, past the lease, if it lost them."""
        processes = await busy(scene)
        if not processes:
            return None
        process = scene.chance.choice(processes)
        process.freeze()
        try:
            held = (await scene.leases())[process.name]
            if self.past_lease:
                left = await self._until_reaped(scene, process)
                return f"{process.name}, which lost {held - left} of {held} leases" if left < held else None
            pause = scene.lease * scene.chance.uniform(0.1, 0.5)
            await asyncio.sleep(pause)
            return f"{process.name} with {held} leases for {pause:.1f} s" if held else None
        finally:
            process.thaw()

    async def _until_reaped(self, scene: RunScene, process: Process) -> int:
        deadline = time.monotonic() + scene.lease + 2 * scene.reap_interval + SLACK
        while left := (await scene.leases())[process.name]:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(GLANCE)
        return left
