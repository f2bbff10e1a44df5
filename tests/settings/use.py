"""What every combination of a setting and a driver is put through: all that a client does, and what it must answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

import otelq

TAGS = {"shop": "ä"}
YEAR = timedelta(days=365)
LATE = datetime.now(UTC).replace(microsecond=678901) + 3 * YEAR

Handles = Sequence[Callable[[], AbstractAsyncContextManager[Any]]]


class Application(Protocol):
    """An application that has made its connections as it likes."""

    @property
    def target(self) -> Any:
        """What it connects a client to; None if nothing of it can be that."""
        ...

    @property
    def session(self) -> Any:
        """The factory of sessions that goes with the target, or None."""
        ...

    @property
    def handles(self) -> Handles:
        """What it has as ``tx``: each opens a transaction, and commits it at the end of the block."""
        ...

    async def facts(self) -> list[set[str]]:
        """All that is set on each of its idle connections, and all that a session keeps."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the application's own, written with a job."""

    number: int

    async def write(self, handle: Any) -> None:
        """Write it in a transaction of any driver."""
        statement = f"INSERT INTO {await _table(handle)} (number) VALUES ({self.number})"
        is_alchemy = isinstance(handle, AsyncConnection | AsyncSession)
        await handle.execute(text(statement) if is_alchemy else statement)


async def _table(handle: Any) -> str:
    dialect = getattr(handle, "dialect", None) or getattr(getattr(handle, "bind", None), "dialect", None)
    is_sqlite = "sqlite" in type(handle).__module__ or (dialect is not None and dialect.name == "sqlite")
    return "mine" if is_sqlite else "public.mine"


jobs = otelq.Jobs()


@jobs.job("double", retry=otelq.RetryPolicy(max_attempts=1))
async def double(attempt: otelq.Attempt[int]) -> int:
    await Row(attempt.input).write(await attempt.completion())
    return attempt.input * 2


async def write_all(client: otelq.Client, tx: Any, *, key: str) -> list[otelq.Chain[int]]:
    """Start chains in every way in a transaction, and cancel the last; the others wait for nothing but a worker."""
    await Row(0).write(tx)
    plain = await client.start(double, 1, tx=tx)
    tagged = await client.start(double, 2, tags=TAGS, tenant="acmé", dedup=otelq.Dedup(key), tx=tx)
    known = await client.start(double, 3, dedup=otelq.Dedup(key), tx=tx)
    assert known.id == tagged.id
    blocked = await client.start(double, 4, blockers=[plain, tagged], tx=tx)
    late = await client.start(double, 5, at=LATE, tx=tx)
    await client.cancel(late, tx=tx)
    return [plain, tagged, blocked, late]


async def check_all(client: otelq.Client, written: Sequence[Sequence[otelq.Chain[int]]]) -> None:
    """Ask for what was written in every way, run it, and see that it comes out right."""
    since = datetime.now(UTC) - YEAR
    tagged = {chains[1].id for chains in written}
    asked: Any
    for asked in ({"tags": TAGS}, {"tenant": "acmé"}, {"tags": TAGS, "since": since}):
        assert {job.chain_id for job in (await client.jobs(**asked)).items} == tagged
    assert (await client.count(since=since)).number == 4 * len(written)
    assert (await client.count(since=datetime.now(UTC) + YEAR)).number == 0
    async with otelq.Worker(client, jobs, poll_interval=0.2, reap_interval=0.1):
        for plain, other, blocked, late in written:
            assert [await client.result(each, timeout=20) for each in (plain, other, blocked)] == [2, 4, 8]
            with pytest.raises(otelq.ChainCancelled):
                await client.result(late, timeout=20)
            tail = (await client.chain(late)).tail
            assert tail.run_at == LATE


async def stays(made: Application, before: list[set[str]]) -> None:
    """See that each of the connections is as the first was, and that nothing was left on any."""
    for found in await made.facts():
        changed = found ^ before[0]
        assert not changed, sorted(changed)
