"""What the tests of behaviour share: waiting on conditions, and the adapters of memory:// with one habit changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, NoReturn

import otelq
from otelq.errors import Refused, Unavailable
from otelq.inprocess.notify import InProcessNotify
from otelq.model import Settled, Settlement
from otelq.ports.notify import Hint
from otelq.ports.state import Transaction
from tests.stores import PrivateState

AT_ONCE = otelq.RetryPolicy(max_attempts=3, initial=0)
ONCE = otelq.RetryPolicy(max_attempts=1)


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition in this process; the test's own timeout bounds the wait."""
    while not condition():  # noqa: ASYNC110  # what is waited for is not the test's to set an event
        await asyncio.sleep(0.002)


async def for_ever() -> NoReturn:
    """Wait until cancelled."""
    while True:
        await asyncio.Event().wait()


async def status(client: otelq.Client, chain: otelq.Chain[Any]) -> otelq.Status:
    """The status of a chain's tail."""
    return (await client.chain(chain)).tail.status


async def statuses(client: otelq.Client, chain: otelq.Chain[Any]) -> list[str]:
    """The statuses of a chain's jobs, first to last."""
    return [str(job.status) for job in (await client.jobs(chain=chain)).items]


async def ended(client: otelq.Client, chain: otelq.Chain[Any]) -> otelq.JobRecord:
    """The tail of a chain once the chain is closed, however it ended."""
    with suppress(otelq.ChainFailed, otelq.ChainCancelled):
        await client.result(chain)
    return (await client.chain(chain)).tail


async def becomes(client: otelq.Client, chain: otelq.Chain[Any], wanted: str, *, position: int = 0) -> otelq.JobRecord:
    """The tail of a chain once it has the status, at this position or a later one."""
    while True:
        tail = (await client.chain(chain)).tail
        if tail.status == wanted and tail.position >= position:
            return tail
        await asyncio.sleep(0.002)


class RollBack(Exception):
    """Raised where a transaction shall not commit."""


@asynccontextmanager
async def rolled_back(client: otelq.Client) -> AsyncGenerator[Any]:
    """A transaction of the client's that rolls back at the end of the block."""
    with suppress(RollBack):
        async with client.transaction() as tx:
            yield tx
            raise RollBack


async def count(client: otelq.Client) -> int:
    """How many jobs there are."""
    return len((await client.jobs(limit=1000)).items)


class Deaf(InProcessNotify):
    """A notifier that loses every hint."""

    def publish(self, hints: Sequence[Hint]) -> None:
        pass


class Unreliable(InProcessNotify):
    """A notifier that loses every third hint and doubles the others."""

    def __init__(self) -> None:
        super().__init__()
        self._seen = 0

    def publish(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            self._seen += 1
            if self._seen % 3:
                super().publish([hint, hint])


class Picky(PrivateState):
    """A store that refuses whole batches with a certain text in an output, as a database does."""

    def __init__(self, refused: str) -> None:
        super().__init__()
        self._refused = refused
        self.batches: list[int] = []

    async def settle(
        self, settlements: Sequence[Settlement], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Settled:
        self.batches.append(len(settlements))
        if any(self._refused in getattr(item.outcome, "output", "") for item in settlements):
            raise Refused("the database refuses a value")
        return await super().settle(settlements, tx=tx, now=now)


class Away(PrivateState):
    """A store that is out of reach for some of its verbs, as long as they are named in ``away``."""

    def __init__(self) -> None:
        super().__init__()
        self.away: set[str] = set()
        self.error: Callable[[], Exception] = lambda: Unavailable("the database is out of reach")
        self.asked: dict[str, int] = {}

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name not in ("away", "error", "asked"):
            self.asked[name] = self.asked.get(name, 0) + 1
            if name in self.away:
                return self._refuse
        return super().__getattribute__(name)

    async def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise self.error()
