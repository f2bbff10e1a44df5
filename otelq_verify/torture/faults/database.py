"""Faults of the database's server: sessions that are ended, restarts, fail-over, and a full disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..scene import RunScene
from .fault import for_certain
from .network import Proxy
from .server import Fillable, Replicated, Restartable

_FIND: Final = """
SELECT pid FROM pg_stat_activity
WHERE client_port = ANY($1) AND datname = current_database() AND usename = current_user
    AND (NOT $2 OR state LIKE 'idle in transaction%')
ORDER BY pid
"""

SEARCH: Final = 2.0
"""Seconds that a session in a transaction is looked for."""


@dataclass(frozen=True)
class Terminate:
    """The server ends sessions of the proxy's connections: each with a chance, or one that holds a transaction."""

    name: str
    in_transaction: bool
    share: float = 0.5

    def suits(self, scene: RunScene) -> bool:
        """Return True where the proxy shows whose sessions may be ended."""
        return isinstance(scene.network, Proxy)

    async def strike(self, scene: RunScene) -> str | None:
        """End sessions; count a hit if the server ended any."""
        client = await scene.view.client()
        async with client.transaction() as connection:
            victims = self._choose(scene, await self._find(scene, connection))
            ended = [await connection.fetchval("SELECT pg_terminate_backend($1)", pid) for pid in victims]
        return f"{sum(ended)} sessions" if any(ended) else None

    async def _find(self, scene: RunScene, connection: Any) -> Sequence[int]:
        assert isinstance(scene.network, Proxy)
        deadline = time.monotonic() + SEARCH
        while True:
            rows = await connection.fetch(_FIND, scene.network.ports(), self.in_transaction)
            if rows or time.monotonic() > deadline:
                return [row[0] for row in rows]
            await asyncio.sleep(0.01)

    def _choose(self, scene: RunScene, pids: Sequence[int]) -> Sequence[int]:
        if self.in_transaction:
            return scene.chance.sample(pids, min(len(pids), 1))
        return [pid for pid in pids if scene.chance.random() < self.share]


@dataclass(frozen=True)
class Restart:
    """The server stops, ``immediate`` as in a crash, and starts again."""

    name: str
    mode: Literal["fast", "immediate"]

    def suits(self, scene: RunScene) -> bool:
        """Return True where the server may be restarted."""
        return isinstance(scene.server, Restartable)

    async def strike(self, scene: RunScene) -> str | None:
        """Restart the server; return how long it was away."""
        assert isinstance(scene.server, Restartable)
        began = time.monotonic()
        await for_certain(scene.server.restart(self.mode))
        return f"{time.monotonic() - began:.1f} s without a server"


@dataclass(frozen=True)
class FailOver:
    """The server stops for good, its synchronous standby takes over, and a new standby is made."""

    name: str

    def suits(self, scene: RunScene) -> bool:
        """Return True where there is a standby, and a proxy that can be directed to it."""
        return isinstance(scene.server, Replicated) and isinstance(scene.network, Proxy)

    async def strike(self, scene: RunScene) -> str | None:
        """Fail over: the old server is gone before the new one takes a write and before a client reaches it."""
        assert isinstance(scene.server, Replicated)
        assert isinstance(scene.network, Proxy)
        began = time.monotonic()
        away = await for_certain(self._fail_over(scene.server, scene.network))
        return f"{away:.1f} s without a server, {time.monotonic() - began:.1f} s without a standby"

    async def _fail_over(self, server: Replicated, network: Proxy) -> float:
        began = time.monotonic()
        await server.stop()
        await server.promote()
        network.retarget(server.url)
        away = time.monotonic() - began
        await server.stand_by()
        return away


@dataclass(frozen=True)
class FullDisk:
    """No byte is left on the disk of the data for some seconds."""

    name: str
    log: bool
    shortest: float = 1.0
    longest: float = 4.0

    def suits(self, scene: RunScene) -> bool:
        """Return True where the disk may be filled."""
        return isinstance(scene.server, Fillable)

    async def strike(self, scene: RunScene) -> str | None:
        """Fill the disk and free it; return the effect."""
        server = scene.server
        assert isinstance(server, Fillable)
        seconds = scene.chance.uniform(self.shortest, self.longest)
        try:
            await for_certain(server.fill_disk(log=self.log))
            await asyncio.sleep(seconds)
        finally:
            came_of_it = await for_certain(server.free_disk())
        return f"{seconds:.1f} s; {came_of_it}"


SERVING: Final = (
    Terminate("sessions ended", in_transaction=False),
    Terminate("session in a transaction ended", in_transaction=True),
    Restart("server restarted", "fast"),
    Restart("server crashed", "immediate"),
    FailOver("fail-over"),
    FullDisk("disk full", log=False),
    FullDisk("disk and log full", log=True),
)
