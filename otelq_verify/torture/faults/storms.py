"""Faults of the network, for databases that are reached through the proxy."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Final

from ..scene import RunScene
from .link import Direction, LinkConditions
from .network import Proxy

BOTH: Final[frozenset[Direction]] = frozenset({"up", "down"})


@dataclass(frozen=True)
class Cut:
    """Connections are reset, all at once or by chance."""

    name: str
    share: float

    def suits(self, scene: RunScene) -> bool:
        """Return True where there is a network."""
        return isinstance(scene.network, Proxy)

    async def strike(self, scene: RunScene) -> str | None:
        """Reset connections; count a hit if there were any."""
        assert isinstance(scene.network, Proxy)
        cut = scene.network.cut(self.share)
        return f"{cut} connections" if cut else None


@dataclass(frozen=True)
class Storm:
    """The network misbehaves for some seconds."""

    name: str
    conditions: LinkConditions
    shortest: float
    longest: float

    def suits(self, scene: RunScene) -> bool:
        """Return True where there is a network."""
        return isinstance(scene.network, Proxy)

    async def strike(self, scene: RunScene) -> str | None:
        """Let the network misbehave; count a hit if anything passed, or tried to pass, meanwhile."""
        network = scene.network
        assert isinstance(network, Proxy)
        before = Counter(network.counts)
        seconds = scene.chance.uniform(self.shortest, self.longest)
        with network.under(self.conditions):
            if self.conditions.refusing:
                network.cut()  # otherwise no client would need a new connection
            await asyncio.sleep(seconds)
        hit = network.counts - before
        counts = ", ".join(f"{what}: {times}" for what, times in sorted(hit.items()))
        return f"{seconds:.1f} s; {counts}" if counts else None


STORMS: Final = (
    Cut("connections cut", 1.0),
    Cut("some connections cut", 0.4),
    Storm("network slow", LinkConditions(latency=0.3), 1.0, 3.0),
    Storm("network trickles", LinkConditions(piece=64), 1.0, 3.0),
    Storm("half-open", LinkConditions(deaf=BOTH), 1.0, 5.0),
    Storm("half-open to the server", LinkConditions(deaf=frozenset({"up"})), 1.0, 5.0),
    Storm("half-open to the client", LinkConditions(deaf=frozenset({"down"})), 1.0, 5.0),
    Storm("connections refused", LinkConditions(refusing=True), 0.5, 3.0),
    Storm("replies lost", LinkConditions(losing=0.05), 1.0, 3.0),
    Storm("cut after COMMIT", LinkConditions(cutting=0.3), 1.0, 3.0),
)
