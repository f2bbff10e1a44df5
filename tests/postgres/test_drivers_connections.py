"""Engines, pools and providers as the whole connection: sizes, siblings, errors, and what is imported."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

import otelq
from otelq.connect import connect
from otelq.errors import InvalidArgument, OtelqError, Refused, Unavailable
from otelq.ports.state import StateAdapter
from otelq.postgres import Provider, adapter
from otelq.postgres.database import PostgresSession
from otelq.postgres.errors import is_conflict, is_lost, is_taken, translate
from otelq.postgres.migrate import split
from otelq.postgres.statements import names, read

from ..servers import PostgresServer
from .drivers import DIALECTS, engine_for, own_provider, psycopg_pool
from .shortcuts import job, lease, settle, start
from .test_connections import SECRET, closed_port
from .test_drivers_sqlalchemy import count, greet


@pytest.fixture
def url(postgres18: PostgresServer) -> Iterator[str]:
    """A fresh database."""
    made = postgres18.create_migrated_database()
    yield made
    postgres18.drop_database(made)


# Sizes


async def test_an_engine_too_small_is_refused_with_the_number_needed(url: str) -> None:
    engine = engine_for(url, "asyncpg", pool_size=1, max_overflow=1)

    with pytest.raises(InvalidArgument, match=r"engine: has pool_size \+ max_overflow=2; give it at least 3"):
        await connect(engine).open()


async def test_an_engine_with_one_connection_for_all_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument, match="engine: has a StaticPool"):
        await connect(engine_for(url, "asyncpg", poolclass=StaticPool)).open()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_engine_that_streams_its_results_does_not_stream_ours(url: str, dialect: str) -> None:
    engine = engine_for(url, dialect, execution_options={"stream_results": True})

    async with connect(engine) as client:
        await client.start(greet, "Ada")
        await client.start_many(greet, ["Grace"] * 600)
        assert (await client.count()).number == 601
    await engine.dispose()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_smallest_engine_does_its_work_beside_a_handler(url: str, dialect: str) -> None:
    engine = engine_for(url, dialect, pool_size=3, max_overflow=0)
    state = adapter(engine)
    await state.open()
    await start(state)

    async with state.begin(), asyncio.timeout(20):
        settled = await settle(state, await lease(state))

    assert settled.results == ("done",)
    await state.close()
    await engine.dispose()


@pytest.mark.parametrize("options", [{"poolclass": NullPool}, {"max_overflow": -1}, {"pool_size": 0}], ids=str)
async def test_an_engine_without_a_bound_is_fine(url: str, options: dict[str, Any]) -> None:
    engine = engine_for(url, "asyncpg", **options)
    async with connect(engine) as client, client.transaction() as tx:
        await client.start(greet, "ada", tx=tx)
    await engine.dispose()


async def test_an_engine_is_left_open(url: str) -> None:
    engine = engine_for(url, "asyncpg")
    async with connect(engine) as client:
        await client.start(greet, "ada")

    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM otelq.open_job")) == 1
    await engine.dispose()


async def test_an_engine_that_commits_by_itself_keeps_otelqs_transactions_whole(url: str) -> None:
    engine = engine_for(url, "psycopg", isolation_level="AUTOCOMMIT")
    async with connect(engine) as client:
        with suppress(KeyError):
            async with client.transaction() as tx:
                await client.start(greet, "ada", tx=tx)
                raise KeyError

        assert await count(client) == 0
    await engine.dispose()


# What cannot be given


@pytest.mark.parametrize(
    "target, options, words",
    [
        (create_engine("postgresql+psycopg://h/d"), {}, "target: is Engine; give an AsyncEngine"),
        (create_async_engine("postgresql+asyncpg://h/d"), {"session": object}, "session: is type"),
        (create_async_engine("postgresql+asyncpg://h/d"), {"ssl": True}, "ssl: cannot be given with an engine"),
        ("postgresql://h/d", {"session": async_sessionmaker()}, "session: goes with an AsyncEngine"),
        ("postgresql+asyncpg://u:s3cr3t@h/d", {}, "target: is a URL of SQLAlchemy"),
        (object(), {}, "target: is object; give a URL, a pool or an AsyncEngine"),
    ],
    ids=["a synchronous engine", "no factory", "a driver's option", "a URL", "SQLAlchemy's URL", "an object"],
)
def test_what_does_not_fit_together_is_refused(target: object, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as raised:
        connect(target, **options)

    assert SECRET not in str(raised.value)


def test_sessions_of_another_engine_are_refused() -> None:
    engine, other = (create_async_engine("postgresql+asyncpg://h/d") for _ in range(2))

    with pytest.raises(InvalidArgument, match="session: is bound to another engine"):
        connect(engine, session=async_sessionmaker(other))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_unreachable_server_is_named_without_the_password(dialect: str) -> None:
    engine = create_async_engine(f"postgresql+{dialect}://user:{SECRET}@127.0.0.1:{closed_port()}/orders")

    with pytest.raises(Unavailable, match=r"127\.0\.0\.1.*orders") as raised:
        await connect(engine).open()

    assert SECRET not in str(raised.value)


# Siblings


def next_due(sibling: StateAdapter) -> float | None:
    """What another event loop hears."""

    async def ask() -> float | None:
        await sibling.open(migrate=False)
        try:
            return await sibling.next_due(["a"])
        finally:
            await sibling.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_engines_sibling_reaches_the_database_from_another_event_loop(url: str, dialect: str) -> None:
    engine = engine_for(url, dialect)
    state = adapter(engine)
    await state.open()
    await start(state)
    sibling = state.sibling()

    assert sibling is not None
    assert await asyncio.to_thread(next_due, sibling) == 0.0
    await state.close()
    await engine.dispose()


def own_creator(url: str) -> AsyncEngine:
    return engine_for(url, "asyncpg", async_creator=lambda: asyncpg.connect(url))


def own_event(url: str) -> AsyncEngine:
    engine = engine_for(url, "asyncpg")
    event.listen(engine.sync_engine, "do_connect", lambda *_: None)
    return engine


@pytest.mark.parametrize("make", [own_creator, own_event])
def test_an_engine_that_connects_in_its_own_way_has_a_sibling_only_by_the_keepers_url(url: str, make: Any) -> None:
    assert adapter(make(url)).sibling() is None
    assert adapter(make(url), keeper=url).sibling() is not None


# Errors


@pytest.mark.parametrize("way", ["psycopg", *DIALECTS])
async def test_errors_of_every_driver_are_told_alike(url: str, way: str) -> None:
    engine = engine_for(url, "asyncpg" if way == "psycopg" else way)
    async with psycopg_pool(url, max_size=5) as pool:
        state = adapter(pool if way == "psycopg" else engine)
        await state.open()

        with pytest.raises(Refused, match="SQLSTATE 22"):
            await state.create([job(input='"\\u0000"')])
        with pytest.raises(Refused, match=r"cannot send|SQLSTATE 22"):
            await state.create([job(type="a\0b")])
        for code, asks in [("40001", is_conflict), ("57P01", is_lost), ("23505", is_taken)]:
            raised = await error_of(state, code)
            assert asks(raised)
            assert isinstance(translate(raised), OtelqError)
        await state.close()
    await engine.dispose()


async def error_of(state: Any, code: str) -> BaseException:
    """What the driver raises when the server reports this code."""
    statement = f"DO $$ BEGIN RAISE EXCEPTION USING errcode = '{code}', message = 'asked for'; END $$"
    with pytest.raises(Exception, match="asked for") as raised:
        async with state._database.source.loan(atomic=True, timeout=10) as link:
            await link.fetch(statement, (), timeout=10)
    return raised.value


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_errors_through_sqlalchemy_do_not_show_the_values_of_a_statement(url: str, dialect: str) -> None:
    engine = engine_for(url, dialect)
    state = adapter(engine)
    await state.open()

    with pytest.raises(Refused) as raised:
        await state.create([job(input=f'"{SECRET}\\u0000"', trace="t")])

    assert "[parameters" not in "".join(traceback.format_exception(raised.value))
    await state.close()
    await engine.dispose()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_statement_that_takes_too_long_is_given_up(url: str, dialect: str) -> None:
    engine = engine_for(url, dialect)
    state: Any = adapter(engine, command_timeout=0.2)
    await state.open()

    async def sleep(session: PostgresSession) -> None:
        await session.connection.fetch("SELECT pg_sleep(30)", (), timeout=0.2)

    with pytest.raises(Unavailable):
        await state._database.run(sleep)

    await start(state)
    await state.close()
    await engine.dispose()


# A user's own provider


async def test_a_provider_is_the_whole_connection_and_joins_its_transactions(url: str) -> None:
    async with own_provider(url) as provider, connect(provider) as client:
        assert isinstance(provider, Provider)
        async with otelq.after_commit(), provider.transaction() as tx:
            await client.start(greet, "kept", tx=tx)
        with suppress(KeyError):
            async with provider.transaction() as tx:
                await client.start(greet, "gone", tx=tx)
                raise KeyError

        assert await count(client) == 1


async def test_a_provider_that_stands_for_the_database_is_no_transaction(url: str) -> None:
    async with own_provider(url) as provider, connect(url) as client:
        with pytest.raises(InvalidArgument, match=r"tx: has no open transaction.*provider\.transaction\(\)"):
            await client.start(greet, "ada", tx=provider)
        async with provider.transaction() as tx:
            await client.start(greet, "ada", tx=tx)
        with pytest.raises(InvalidArgument, match="tx: has no open transaction"):
            await client.start(greet, "bob", tx=tx)

        assert await count(client) == 1


# Imports and scripts


@pytest.mark.parametrize(
    "program, loaded",
    [
        ("import otelq", set[str]()),
        ("import otelq; otelq.connect('postgresql://h/d')", {"asyncpg"}),
        ("import otelq.postgres", set[str]()),
    ],
)
def test_a_driver_is_imported_when_it_is_needed(program: str, loaded: set[str]) -> None:
    show = "import sys; print(*{'asyncpg', 'psycopg', 'psycopg_pool', 'sqlalchemy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", f"{program}; {show}"], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) == loaded


def test_a_script_is_split_into_its_statements() -> None:
    script = "SELECT ';'; -- not; here\nDO $$ BEGIN; END $$;\n/* nor; here */ SELECT \"a;b\";\n"

    assert split(script) == ["SELECT ';'", "-- not; here\nDO $$ BEGIN; END $$", '/* nor; here */ SELECT "a;b"']


@pytest.mark.parametrize("name", names("migrations"))
def test_no_statement_of_a_migration_is_lost_by_splitting(name: str) -> None:
    script = read(f"migrations/{name}.sql")

    assert "".join("".join(split(script)).split()) == "".join(script.replace(";\n", "\n").split()).rstrip(";")
