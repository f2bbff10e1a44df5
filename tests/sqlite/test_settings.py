"""What a line of ``tests/settings`` cannot say of the settings of an application's connection."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import aiosqlite
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

import otelq
from otelq.errors import OtelqError
from otelq.model import Status
from otelq.sqlite.shared_connection import BUILT_IN
from otelq.sqlite.state import SqliteState
from otelq.sqlite.statements import SqliteStatements, load_templates

from .conftest import Connect
from .shortcuts import count_jobs, elsewhere, job, lease, start


class Reached(NamedTuple):
    """A connection of the application: what it gives as ``tx``, and the driver's."""

    handle: Any
    driver: aiosqlite.Connection

    async def begin(self) -> Any:
        """Begin as an application does that will write."""
        if self.handle is self.driver and not self.driver.in_transaction:
            await self.driver.execute("BEGIN")
        return self.handle


Reach = Callable[..., Awaitable[Reached]]


@pytest.fixture(params=["aiosqlite", "sqlalchemy"])
async def reach(request: pytest.FixtureRequest, connect: Connect, file: Path) -> AsyncIterator[Reach]:
    """Opens a connection with arguments of the driver, directly or by SQLAlchemy."""
    engines: list[tuple[Any, Any]] = []

    async def directly(**options: Any) -> Reached:
        connection = await connect(**options)
        return Reached(connection, connection)

    async def by_engine(**options: Any) -> Reached:
        engine = create_async_engine(f"sqlite+aiosqlite:///{file}", connect_args=options)
        connection = await engine.connect()
        engines.append((engine, connection))
        driver: Any = (await connection.get_raw_connection()).driver_connection
        return Reached(connection, driver)

    yield directly if request.param == "aiosqlite" else by_engine
    for engine, connection in engines:
        await connection.close()
        await engine.dispose()


async def works(state: SqliteState, reached: Reached) -> None:
    """Start a chain, ask for it in the transaction, cancel another, and commit."""
    other = await start(state)
    tx = state.join(await reached.begin())
    chain = await start(state, tx=tx, input='{"a": "ü"}', meta='{"tags":{"a":"b"}}')
    assert {*await state.outcomes([chain, other], tx=tx)} == {chain, other}
    await state.cancel([other], tx=tx)
    await reached.handle.commit()
    found = await state.outcomes([chain, other])
    assert (found[chain].status, found[other].status) == (Status.READY, Status.CANCELLED)
    assert [claimed.lease.chain_id for claimed in await lease(state)] == [chain]


def refuse(*_: Any) -> NoReturn:
    raise ZeroDivisionError


async def test_a_connection_that_waits_for_nobody_waits_for_us(
    another: Callable[..., Awaitable[SqliteState]], reach: Reach
) -> None:
    state, other, reached = await another(), await another(), await reach(timeout=0)
    handle = await reached.begin()
    async with other.begin():
        waiting = elsewhere(start(state, tx=state.join(handle)))
        await asyncio.wait([waiting], timeout=0.05)
    chain = await waiting
    await handle.commit()
    assert await count_jobs(state, chain) == 1


TABLES = (
    *("job", "open_job", "outcome", "attempt", "blocker", "pending_unblock", "dedup_key"),
    *("worker", "leader", "migration"),
)


@pytest.mark.parametrize("kind", ["TABLE", "VIEW"])
async def test_a_temporary_table_or_view_of_the_name_of_one_of_ours(
    state: SqliteState, reach: Reach, kind: str
) -> None:
    reached = await reach()
    for name in TABLES:
        await reached.driver.execute(f"CREATE TEMP {kind} otelq_{name} {'(x)' if kind == 'TABLE' else 'AS SELECT 1'}")
    await works(state, reached)


def test_all_functions_that_our_statements_call_are_looked_for() -> None:
    texts = [*SqliteStatements("otelq").texts.values(), *load_templates("sql/parts").values()]
    code = "\n".join(texts)
    called = {name for name in BUILT_IN if f"{name}(" in code or f" {name} " in code}
    assert called | {"->"} == BUILT_IN


async def leaves_nothing(state: SqliteState, reached: Reached, *, calm: Callable[[], Awaitable[object]]) -> None:
    """See that a start raises one of our errors, and that nothing of it is in what is committed then."""
    new, tx = job(), state.join(await reached.begin())
    with pytest.raises(OtelqError):
        await state.create([new], tx=tx)
    await calm()
    await reached.handle.commit()
    assert await count_jobs(state, new.chain_id) == 0
    await works(state, reached)


@pytest.mark.parametrize("denied", ["otelq_open_job", "otelq_job"])
async def test_an_authorizer_that_denies(state: SqliteState, reach: Reach, denied: str) -> None:
    def authorize(action: int, one: str | None, *_: Any) -> int:
        is_it = action in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE) and one == denied
        return sqlite3.SQLITE_DENY if is_it else sqlite3.SQLITE_OK

    reached = await reach()
    driver: Any = reached.driver
    await driver.set_authorizer(authorize)
    await leaves_nothing(state, reached, calm=lambda: driver.set_authorizer(None))


@pytest.mark.parametrize("after", [1, 30, 120])
async def test_a_progress_handler_that_interrupts(state: SqliteState, reach: Reach, after: int) -> None:
    reached = await reach()
    driver: Any = reached.driver
    handle = await reached.begin()
    await start(state, tx=state.join(handle))  # so that the next is interrupted in the midst of its work
    await handle.rollback()
    await reached.begin()
    await driver.set_progress_handler(lambda: 1, after)
    await leaves_nothing(state, reached, calm=lambda: driver.set_progress_handler(None, 0))


async def test_what_traces_the_statements_of_the_application_hears_none_of_ours(
    state: SqliteState, connect: Connect
) -> None:
    connection = await connect()
    driver: Any = connection
    inner: Any = Traced(driver._connection)
    outer: Any = Traced(inner)
    driver._connection = outer
    await works(state, Reached(connection, connection))
    assert driver._connection is outer
    assert inner.heard == outer.heard == {"BEGIN", "commit"}


async def test_what_stands_in_the_place_of_connect_makes_no_connection_of_ours(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "connect", refuse)
    async with otelq.connect(sqlite_url) as client, otelq.Worker(client, jobs):
        async with client.transaction() as tx:
            chain = await client.start(double, 7, tx=tx)
        assert await client.result(chain, timeout=10) == 14


jobs = otelq.Jobs()


@jobs.job("double")
async def double(attempt: otelq.Attempt[int]) -> int:
    await attempt.completion()
    return attempt.input * 2


class Traced:
    """Stands round a connection as the proxies of tracing tools do, and knows what was said to it."""

    def __init__(self, connection: Any) -> None:
        self.__dict__["__wrapped__"] = connection
        self.__dict__["heard"] = set[str]()

    def __getattr__(self, name: str) -> Any:
        if name in ("commit", "rollback", "cursor", "executemany", "executescript"):
            self.heard.add(name)
        return getattr(self.__wrapped__, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.__wrapped__, name, value)

    def execute(self, sql: str, *parameters: Any) -> Any:
        self.heard.add(sql)
        return self.__wrapped__.execute(sql, *parameters)


async def test_a_row_that_is_no_text_hides_no_other_from_a_transaction(sqlite_url: str, file: Path) -> None:
    async with otelq.connect(sqlite_url) as client, aiosqlite.connect(file) as connection:
        bad, fine = await client.start_many(otelq.JobType("typed", input=int, output=int), [1, 2])
        await connection.execute("UPDATE otelq_job SET queue = CAST(x'ff' AS TEXT) WHERE chain_id = ?", (bad.id,))
        await connection.commit()
        await connection.execute("BEGIN IMMEDIATE")
        records = [await client.lock(chain, tx=connection) for chain in (bad, fine)]
        await connection.rollback()
    assert [record.queue for record in records] == ["\N{REPLACEMENT CHARACTER}", "default"]
