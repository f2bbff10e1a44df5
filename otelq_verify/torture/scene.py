"""The scene of a run, as faults see it: its processes and network, and a direct view of its database."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from otelq.client import Client
from otelq.connect import connect
from otelq.errors import OtelqError

from .fleet import Fleet

if TYPE_CHECKING:
    from .faults.network import Network
    from .faults.server import Server

T = TypeVar("T")

OUTAGE: Final = 60.0
"""Seconds that a database may be away before a look at it fails."""


class DatabaseView:
    """A client that reaches the database directly, wherever it is by now. It only reads."""

    def __init__(self, url: Callable[[], str], schema: str) -> None:
        self._url = url
        self._schema = schema
        self._reached = ""
        self._client: Client | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._leave()

    async def client(self) -> Client:
        """
        Return the open client; a new one where the database has moved.

        Raises:
            Unavailable: it is away.
        """
        url = self._url()
        if self._client is None or url != self._reached:
            await self._leave()
            client = connect(url, schema=self._schema, migrate=False)
            await client.open()
            self._client, self._reached = client, url
        return self._client

    async def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """
        Send a query again and again until the database answers.

        Raises:
            OtelqError: it was not there for a minute.
        """
        deadline = time.monotonic() + OUTAGE
        while True:
            try:
                return await question(await self.client())
            except (OtelqError, OSError, TimeoutError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)

    async def leases(self) -> Counter[str]:
        """Return how many leases each worker process holds, by its name."""
        return await self.ask(_leases)

    async def open_chains(self) -> int:
        """Return how many chains have not ended."""
        return await self.ask(_open_chains)

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


@dataclass
class RunScene:
    """The parts of a run that a fault may touch. ``server`` is None where the run may not break the database."""

    chance: random.Random
    fleet: Fleet
    network: Network
    server: Server | None
    view: DatabaseView
    lease: float
    reap_interval: float

    async def leases(self) -> Counter[str]:
        """Return how many leases each worker process holds, by its name."""
        return await self.view.leases()


async def _leases(client: Client) -> Counter[str]:
    found: Counter[str] = Counter()
    async for job in client.iterate_jobs(status="running"):
        found[(job.leased_by or "").partition(".")[0]] += 1
    return found


async def _open_chains(client: Client) -> int:
    return (await client.count(of="chains", status="open", limit=100_000)).number
