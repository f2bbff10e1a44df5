"""A small scene: two workers that walk chains, and a database to look at past everything that is broken."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

import otelq
from otelq_verify.invariants import violations
from otelq_verify.torture.faults import Fault, Network, Server, network_for
from otelq_verify.torture.fleet import Fleet
from otelq_verify.torture.scene import DatabaseView, RunScene
from tests.faults import handlers
from tests.faults.observer import Observer

from .worker_process import REAP_INTERVAL

WORKERS = 2
BACKLOG = 16
PATIENCE = 40.0
TRIES = 5


@dataclass
class Stage:
    """What a scene is made of, for as many of them as there are tests."""

    chance: random.Random
    fleet: Fleet
    network: Network
    server: Server | None
    direct: str
    started: list[str] = field(default_factory=list[str])
    """The chains of which it is known that they were started."""

    @property
    def url(self) -> str:
        """The database where it is now."""
        return self.server.url if self.server else self.direct

    @property
    def observer(self) -> Observer:
        """Looks at the database where it is now."""
        return Observer(self.url)

    @asynccontextmanager
    async def scene(self) -> AsyncGenerator[RunScene]:
        """What faults are let loose on."""
        async with DatabaseView(lambda: self.url, "otelq") as view:
            yield RunScene(self.chance, self.fleet, self.network, self.server, view, handlers.LEASE, REAP_INTERVAL)

    async def start(self, chains: int) -> Sequence[str]:
        """Start chains past the network; gives their ids."""
        async with otelq.connect(self.observer.url, migrate=False) as client:
            walks = [self._walk() for _ in range(chains)]
            return [chain.id for chain in await client.start_many(handlers.first_step, walks)]

    def _walk(self) -> handlers.Walk:
        """On SQLite an open `completion()` holds the only write lock, so there it is kept short."""
        longest = 0.002 if self.observer.is_sqlite else 0.08
        steps = range(handlers.STEPS)
        return handlers.Walk(
            [self.chance.uniform(0.05, 0.3) for _ in steps], [self.chance.uniform(0, longest) for _ in steps]
        )

    async def survive(self, fault: Fault) -> str:
        """Strike until it hits, and see every chain through to its end; gives what was hit."""
        async with self.scene() as scene:
            assert fault.suits(scene), fault.name
            async with self.fed():
                hit = await self._hit(fault, scene)
            await self.until_done()
            await self.judge()
            return hit

    @asynccontextmanager
    async def fed(self) -> AsyncGenerator[None]:
        """Some chains are open while the block runs."""
        feeding = asyncio.create_task(self._feed())
        try:
            yield
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])

    async def _hit(self, fault: Fault, scene: RunScene) -> str:
        for _ in range(TRIES):
            await self.until_busy()
            if hit := await fault.strike(scene):
                return hit
        raise AssertionError(f"{fault.name} hit nothing in {TRIES} tries")

    async def _feed(self) -> None:
        """Keep some chains open, until cancelled."""
        while True:
            with suppress(otelq.OtelqError, psycopg.Error):  # the database may be away
                missing = BACKLOG - await asyncio.to_thread(self.observer.open_chains)
                if missing > 0:
                    self.started += await self.start(missing)
            await asyncio.sleep(0.1)

    async def until_busy(self) -> None:
        """Wait until every process that lives holds leases."""
        deadline = time.monotonic() + PATIENCE
        while True:
            leases = await asyncio.to_thread(self.observer.leases)
            if all(leases[process.name] for process in self.fleet.processes):
                return
            assert time.monotonic() < deadline, f"some never hold a lease: {leases}\n{self.fleet.logs()}"
            await asyncio.sleep(0.02)

    async def until_done(self) -> None:
        """Wait until every chain has ended."""
        deadline = time.monotonic() + PATIENCE
        while left := await asyncio.to_thread(self.observer.open_chains):
            assert time.monotonic() < deadline, f"{left} chains never ended\n{self.fleet.logs()}"
            await asyncio.sleep(0.02)

    async def judge(self) -> None:
        """Each step of the chains left one row, and nothing contradicts an invariant."""
        ledger = Counter((chain, position) for chain, position, _, _ in self.observer.ledger())
        expected = {(chain, position) for chain in self.started for position in range(handlers.STEPS)}
        assert expected <= set(ledger), "no step is missing"
        assert set(ledger.values()) == {1}, "no step was done twice"
        assert await violations(self.url, ledger="ledger") == []


@contextmanager
def stage(
    url: str, folder: Path, *, server: Server | None = None, workers: int = WORKERS, seed: int = 1
) -> Generator[Stage]:
    """Workers that are up, on an empty database."""
    asyncio.run(_migrate(url))
    Observer(url).make_ledger()
    with network_for(url, seed=seed) as network:

        def command(name: str) -> Sequence[str]:
            return ["-m", "tests.torture.worker_process", network.url, name, str(folder)]

        with Fleet(command, folder) as fleet:
            for _ in range(workers):
                fleet.start()
            fleet.wait_until_up()
            yield Stage(random.Random(seed), fleet, network, server, url)


async def _migrate(url: str) -> None:
    async with otelq.connect(url):
        pass
