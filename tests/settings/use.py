"""What every combination of a setting and a driver is put through: all that a client does, and what it must answer."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

import otelq
from otelq.errors import OtelqError

from .table import Line, refusal

YEAR = timedelta(days=365)
LATE = datetime.now(UTC).replace(microsecond=678901) + 3 * YEAR

ENOUGH = 2
"""In how many transactions all is done; in others of the same application, only what each must be able to do."""

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Handles = Sequence[Begin]


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
        if is_alchemy:  # an engine that streams results has no result of a statement without rows
            connection = await handle.connection() if isinstance(handle, AsyncSession) else handle
            await connection.execute(text(statement), execution_options={"stream_results": False, "yield_per": None})
            return
        cursor = await handle.execute(statement)
        if hasattr(cursor, "close"):
            await cursor.close()


async def _table(handle: Any) -> str:
    dialect = getattr(handle, "dialect", None) or getattr(getattr(handle, "bind", None), "dialect", None)
    is_sqlite = "sqlite" in type(handle).__module__ or (dialect is not None and dialect.name == "sqlite")
    return "mine" if is_sqlite else "public.mine"


jobs = otelq.Jobs()


@jobs.job("double", retry=otelq.RetryPolicy(max_attempts=1))
async def double(attempt: otelq.Attempt[int]) -> int:
    await Row(attempt.input).write(await attempt.completion())
    return attempt.input * 2


def migrated(url: str, *, schema: str) -> None:
    """Make the tables of otelq before any application comes."""

    async def migrate() -> None:
        async with otelq.connect(url, schema=schema):
            pass

    asyncio.run(migrate())


async def try_out(line: Line, made: Application, *, url: str, schema: str, **options: Any) -> None:
    """Do all that a client does with an application's connections, or see that it is refused as the line says."""
    before = await made.facts()
    if message := refusal(line.as_target):
        await _refused_as_target(made, schema, message, **options)
        if not made.handles:
            return
    is_target = line.as_target == "works"
    target, session = (made.target, made.session) if is_target else (url, None)
    async with otelq.connect(target, session=session, schema=schema, **options) as client:
        written, cancelled = list[Written](), list[otelq.Chain[int]]()
        if is_target:
            async with client.transaction() as tx:
                written.append(await _write_all(client, tx))
        for begin in made.handles if line.as_tx != "-" else ():
            if message := refusal(line.as_tx):
                await _refused_as_tx(client, begin, message)
                continue
            async with begin() as tx:
                if len(written) < ENOUGH:
                    written.append(await _write_all(client, tx))
                else:
                    cancelled.append(await _start_and_cancel(client, tx))
        await _check_all(client, written)
        for chain in cancelled:
            await _is_cancelled(client, chain)
    await _stays(made, before)


async def _refused_as_target(made: Application, schema: str, message: str, **options: Any) -> None:
    """See that no client is connected, or that it can do nothing, with an error that says why."""
    with pytest.raises(OtelqError, match=re.escape(message)):
        await _start_in_own(otelq.connect(made.target, session=made.session, schema=schema, **options))


async def _start_in_own(client: otelq.Client) -> None:
    async with client, client.transaction() as tx:
        await client.start(double, 1, tx=tx)


async def _refused_as_tx(client: otelq.Client, begin: Begin, message: str) -> None:
    """See that nothing is written in a transaction, with an error that says why."""
    with pytest.raises(OtelqError, match=re.escape(message)):
        async with begin() as tx:
            await client.start(double, 1, tx=tx)


class Written(NamedTuple):
    """What was started in one transaction."""

    mark: str
    """Its tag, its tenant and its dedup key."""
    plain: otelq.Chain[int]
    tagged: otelq.Chain[int]
    blocked: otelq.Chain[int]
    late: otelq.Chain[int]


async def _write_all(client: otelq.Client, tx: Any) -> Written:
    """Start chains in every way in a transaction, and cancel the last; the others wait for nothing but a worker."""
    mark = f"{secrets.token_hex(4)} ä"
    plain = await client.start(double, 1, tenant=mark, tx=tx)
    dedup = otelq.Dedup(mark)
    tagged = await client.start(double, 2, tags={"shop": mark}, tenant=mark, dedup=dedup, tx=tx)
    known = await client.start(double, 3, dedup=dedup, tx=tx)
    assert known.id == tagged.id
    blocked = await client.start(double, 4, blockers=[plain, tagged], tenant=mark, tx=tx)
    return Written(mark, plain, tagged, blocked, await _start_and_cancel(client, tx, tenant=mark))


async def _start_and_cancel(client: otelq.Client, tx: Any, **options: Any) -> otelq.Chain[int]:
    """Start a chain in a transaction and cancel it there, as whoever takes part in one of several ways."""
    await Row(0).write(tx)
    late = await client.start(double, 5, at=LATE, tx=tx, **options)
    await client.cancel(late, tx=tx)
    return late


async def _check_all(client: otelq.Client, written: Sequence[Written]) -> None:
    """Ask for what was written in every way, run it, and see that it comes out right."""
    since = datetime.now(UTC) - YEAR
    for mark, *_ in written:
        assert (await client.count(tenant=mark, since=since)).number == 4
        assert (await client.count(tenant=mark, since=datetime.now(UTC) + YEAR)).number == 0
    if not written:
        return
    async with otelq.Worker(client, jobs, poll_interval=0.2, reap_interval=0.1):
        for mark, plain, tagged, blocked, late in written:
            tags = {"shop": mark}
            asked: Any
            for asked in ({"tags": tags}, {"tags": tags, "since": since}):
                assert [job.chain_id for job in (await client.jobs(**asked)).items] == [tagged.id]
            assert [await client.result(each, timeout=20) for each in (plain, tagged, blocked)] == [2, 4, 8]
            await _is_cancelled(client, late)


async def _is_cancelled(client: otelq.Client, chain: otelq.Chain[int]) -> None:
    tail = (await client.chain(chain)).tail
    assert (tail.status, tail.run_at) == ("cancelled", LATE)


async def _stays(made: Application, before: list[set[str]]) -> None:
    """See that each of the connections is as the first was, and that nothing was left on any."""
    for found in await made.facts():
        changed = found ^ before[0]
        assert not changed, sorted(changed)
