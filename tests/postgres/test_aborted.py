"""A COMMIT that the server turned into a rollback is never taken for a commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import asyncpg
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncSession

import otelq
from otelq_verify.drivers import execute, rows

from ..behaviour.support import until
from ..servers import PostgresServer
from .drivers import DIALECTS, WAYS, engine_for, target

JOB = otelq.JobType("job", input=int, output=int)
jobs = otelq.Jobs()


@pytest.fixture
async def url(postgres18: PostgresServer) -> AsyncIterator[str]:
    """A database with a table of the application's."""
    made = postgres18.create_migrated_database()
    connection = await asyncpg.connect(made)
    await connection.execute("CREATE TABLE kept (name text)")
    await connection.close()
    yield made
    postgres18.drop_database(made)


async def fail(tx: Any) -> None:
    """Run a statement that fails, and forgive it."""
    with suppress(Exception):
        await execute(tx, "SELECT 1 / 0")


async def lose(client: otelq.Client, callback: Callable[[], None], *, early: bool) -> None:
    """Write a row that a forgiven failure takes along, and hang a callback on it before or after that."""
    async with client.transaction() as tx:
        await execute(tx, "INSERT INTO kept VALUES ('lost')")
        if early:
            otelq.after_commit(callback)
        await fail(tx)
        if not early:
            otelq.after_commit(callback)


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_the_clients_transaction_says_that_it_was_rolled_back(url: str, way: str, early: bool) -> None:
    ran: list[str] = []
    async with target(way, url) as given, otelq.connect(given) as client:
        with pytest.raises(otelq.Unavailable, match="rolled back"):
            await lose(client, lambda: ran.append("never"), early=early)
        async with client.transaction() as tx:
            otelq.after_commit(lambda: ran.append("next"))
            assert await rows(tx, "SELECT name FROM kept") == []
        await until(lambda: bool(ran))
    assert ran == ["next"]


@jobs.job("forgiving", retry=otelq.RetryPolicy(initial=0.01))
async def forgiving(attempt: otelq.Attempt[str]) -> int:
    """Lose a row in the first attempt."""
    own = attempt.transaction() if attempt.input == "transaction" else nothing(await attempt.completion())
    async with own as tx:
        await execute(tx, "INSERT INTO kept VALUES ('here')")
        if attempt.number == 1:
            await fail(tx)
    return attempt.number


@asynccontextmanager
async def nothing(tx: Any) -> AsyncGenerator[Any]:
    yield tx


@pytest.mark.parametrize("where", ["transaction", "completion"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_handler_whose_transaction_was_rolled_back_runs_again(url: str, way: str, where: str) -> None:
    async with target(way, url) as given, otelq.connect(given) as client, otelq.Worker(client, jobs):
        assert await client.result(await client.start(forgiving, where), timeout=20) == 2
        async with client.transaction() as tx:
            assert await rows(tx, "SELECT name FROM kept") == [("here",)]


@asynccontextmanager
async def caller(kind: str, url: str) -> AsyncGenerator[Any]:
    """An open transaction of the application's, which ends with a COMMIT."""
    match kind.split():
        case ["asyncpg"]:
            connection = await asyncpg.connect(url)
            async with connection.transaction():
                yield connection
            await connection.close()
        case ["asyncpg", "by", "hand"]:
            connection = await asyncpg.connect(url)
            await connection.execute("BEGIN")
            yield connection
            await connection.execute("COMMIT")
            await connection.close()
        case [dialect, handle]:
            engine = engine_for(url, dialect)
            async with engine.begin() if handle == "connection" else AsyncSession(engine).begin() as begun:
                yield getattr(begun, "session", begun)
            await engine.dispose()
        case _:
            raise AssertionError(kind)


CALLERS = ["asyncpg", "asyncpg by hand", *(f"{way} {what}" for way in DIALECTS for what in ("connection", "session"))]


@pytest.mark.parametrize("kind", CALLERS)
async def test_a_callback_hung_after_a_forgiven_failure_never_runs(url: str, kind: str) -> None:
    ran: list[str] = []
    async with otelq.connect(url) as client:
        with suppress(Exception):
            async with caller(kind, url) as tx:
                await execute(tx, "INSERT INTO kept VALUES ('lost')")
                await fail(tx)
                client.after_commit(lambda: ran.append("after"), tx=tx)
        async with caller(kind, url) as tx:
            await execute(tx, "INSERT INTO kept VALUES ('kept')")
            client.after_commit(lambda: ran.append("next"), tx=tx)
        await until(lambda: bool(ran))
        async with client.transaction() as tx:
            assert await rows(tx, "SELECT name FROM kept") == [("kept",)]
    assert ran == ["next"]


@pytest.mark.parametrize("kind", CALLERS)
async def test_nothing_is_counted_that_a_forgiven_failure_took_along(url: str, kind: str) -> None:
    told: list[str] = []
    async with otelq.connect(url, notify=None) as client:
        client.engine.notify.subscribe(lambda hint: told.append(hint.subject))
        with suppress(Exception):
            async with caller(kind, url) as tx:
                await client.start(JOB, 1, tx=tx)
                await fail(tx)
        async with caller(kind, url) as tx:
            await client.start(JOB, 2, tx=tx)
        await until(lambda: bool(told))
        assert (await client.count()).number == 1
    assert told == [JOB.name]


async def test_psycopg_is_told_of_savepoints_of_its_handle(url: str) -> None:
    ran: list[str] = []
    async with target("psycopg-pool", url) as given, otelq.connect(given) as client:
        async with client.transaction() as tx:
            async with tx.transaction():
                otelq.after_commit(lambda: ran.append("kept"))
            async with tx.transaction(force_rollback=True):
                otelq.after_commit(lambda: ran.append("dropped"))
            await tx.execute("SAVEPOINT here")
            otelq.after_commit(lambda: ran.append("gone back"))
            await tx.execute("ROLLBACK TO SAVEPOINT here")
            otelq.after_commit(lambda: ran.append("last"))
        await until(lambda: "last" in ran)
    assert ran == ["kept", "last"]


SAVEPOINTS: dict[str, Callable[[Any, str], Awaitable[object]]] = {
    "connection": lambda tx, text: tx.execute(text),
    "cursor": lambda tx, text: tx.cursor().execute(text),
    "composed": lambda tx, text: tx.execute(sql.Composed([sql.SQL(cast(Any, text))])),
}


@pytest.mark.parametrize("name", ["here", "HERE", '"my point"'])
@pytest.mark.parametrize("how", SAVEPOINTS)
async def test_psycopg_is_told_of_savepoints_however_they_are_sent(url: str, how: str, name: str) -> None:
    ran: list[str] = []
    send = SAVEPOINTS[how]
    async with target("psycopg-pool", url) as given, otelq.connect(given) as client:
        async with client.transaction() as tx:
            await send(tx, f"SAVEPOINT {name}")
            otelq.after_commit(lambda: ran.append("gone back"))
            await send(tx, f"ROLLBACK TO {name.lower()}")
            otelq.after_commit(lambda: ran.append("last"))
        await until(lambda: "last" in ran)
    assert ran == ["last"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_savepoint_is_known_by_its_name_with_quotes_and_without(url: str, way: str) -> None:
    ran: list[str] = []
    async with target(way, url) as given, otelq.connect(given) as client:
        async with client.transaction() as tx:
            await client.start(JOB, 1, tx=tx)
            otelq.after_commit(lambda: ran.append("kept"))
            await execute(tx, 'SAVEPOINT "a"')
            otelq.after_commit(lambda: ran.append("dropped"))
            await execute(tx, "ROLLBACK TO A")
        await until(lambda: bool(ran))
    assert ran == ["kept"]


@pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_transaction_that_its_user_ended_is_not_taken_for_committed(url: str, way: str, end: str) -> None:
    ran: list[str] = []

    async def end_by_hand(client: otelq.Client) -> None:
        async with client.transaction() as tx:
            otelq.after_commit(lambda: ran.append(end))
            await execute(tx, end)
            await execute(tx, "SELECT 1")

    async with target(way, url) as given, otelq.connect(given) as client:
        with pytest.raises((otelq.Unavailable, otelq.InvalidArgument)):
            await end_by_hand(client)
        async with client.transaction():
            otelq.after_commit(lambda: ran.append("next"))
        await until(lambda: "next" in ran)
    assert "ROLLBACK" not in ran  # a COMMIT of the user's is one, where it is heard


async def test_two_clients_that_watch_one_connection_hear_the_same_end(url: str) -> None:
    told: list[str] = []
    async with otelq.connect(url, notify=None) as one, otelq.connect(url, notify=None) as two:
        for client in (one, two):
            client.engine.notify.subscribe(lambda hint: told.append(hint.subject))
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            statement = await connection.prepare("SELECT 1 / $1::int")
            await one.start(JOB, 1, tx=connection)
            await two.start(JOB, 2, tx=connection)
            with suppress(asyncpg.DivisionByZeroError):
                await statement.fetch(0)
        async with connection.transaction():
            await one.start(JOB, 3, tx=connection)
        await until(lambda: bool(told))
        assert (await one.count()).number == 1
        await connection.close()
    assert told == [JOB.name]


async def test_two_clients_take_turns_on_one_connection_of_psycopg(url: str) -> None:
    async with otelq.connect(url) as one, otelq.connect(url) as two:
        closed = await one.start(JOB, 1)
        await one.complete(closed, 1, step=JOB)
        connection = await psycopg.AsyncConnection.connect(url)
        async with connection.transaction():
            started, refused = await asyncio.gather(
                one.start(JOB, 2, tx=connection),
                two.complete(closed, 1, step=JOB, tx=connection),
                return_exceptions=True,
            )
        await connection.close()
        assert isinstance(refused, otelq.JobAlreadyClosed)
        assert isinstance(started, otelq.Chain)
        assert (await one.chain(started)).chain_id == started.id
