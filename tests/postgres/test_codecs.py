"""Codecs and adapters that an application gave to its connections change nothing for otelq."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg
import psycopg
import pytest
from psycopg.adapt import Dumper, Loader
from psycopg.rows import dict_row
from psycopg.types.json import JsonbDumper, set_json_loads
from sqlalchemy import event

import otelq
from otelq.postgres.codecs import TIMES, in_text
from otelq.postgres.state import PostgresState
from otelq.postgres.statements import read

from .conftest import Connect
from .drivers import engine_for, psycopg_pool
from .test_qualified import STATEMENTS

Setter = Callable[[Any], Coroutine[Any, Any, None]]
jobs = otelq.Jobs()


@jobs.job("order.ship")
async def ship(attempt: otelq.Attempt[dict[str, str]]) -> str:
    return attempt.input["to"]


def codec(name: str, encoder: Any, decoder: Any, **options: Any) -> Setter:
    """Sets one codec on a connection of asyncpg."""

    async def init(connection: Any) -> None:
        await connection.set_type_codec(name, encoder=encoder, decoder=decoder, schema="pg_catalog", **options)

    return init


def same(value: Any) -> Any:
    """Give a value as it is."""
    return value


def zero(value: Any) -> tuple[int]:
    """Give what is no time."""
    return (0,)


def listed(text: str) -> list[str]:
    """Give a list of the text."""
    return [text]


def missing(value: Any) -> str:
    """Fail, as an encoder does that knows the application's own class only."""
    raise AttributeError("to_iso")


PROBE = read("sql/probe.sql").partition("\n")[0]
"""How the statement begins that tests the codecs of a connection."""

ASYNCPG = {
    "json": codec("json", json.dumps, json.loads),
    "jsonb": codec("jsonb", json.dumps, json.loads),
    "uuid": codec("uuid", missing, UUID),
    "timestamptz": codec("timestamptz", missing, same),
    "timestamptz in a tuple": codec("timestamptz", zero, same, format="tuple"),
    "int8": codec("int8", str, same),
    "float8": codec("float8", str, same),
    "bool": codec("bool", str, same),
    "int4": codec("int4", str, listed),
}


class TextLoader(Loader):
    """Leaves a value as the server wrote it."""

    def load(self, data: Any) -> str:
        return bytes(data).decode()


class UpperLoader(TextLoader):
    """Changes texts."""

    def load(self, data: Any) -> str:
        return super().load(data).upper()


class BrokenDumper(Dumper):
    """Writes what the server cannot read."""

    def dump(self, obj: Any) -> bytes:
        return b"{broken}"


async def load_text(connection: psycopg.AsyncConnection[Any]) -> None:
    for name in ("timestamptz", "uuid", "jsonb", "int8", "bool"):
        connection.adapters.register_loader(name, TextLoader)


async def dump_lists_as_json(connection: psycopg.AsyncConnection[Any]) -> None:
    connection.adapters.register_dumper(list, JsonbDumper)
    set_json_loads(same, connection)


async def dump_times_badly(connection: psycopg.AsyncConnection[Any]) -> None:
    connection.adapters.register_dumper(datetime, BrokenDumper)


async def rows_as_objects(connection: psycopg.AsyncConnection[Any]) -> None:
    connection.row_factory = dict_row
    connection.cursor_factory = psycopg.AsyncClientCursor
    connection.prepare_threshold = None


PSYCOPG = {
    "loaders of text": load_text,
    "lists as JSON": dump_lists_as_json,
    "times that are no times": dump_times_badly,
    "rows, cursors and no preparing": rows_as_objects,
}


@asynccontextmanager
async def target(way: str, url: str, setter: Setter) -> AsyncGenerator[Any]:
    """A pool or an engine whose connections have what the setter gives them."""
    match way:
        case "asyncpg":
            async with asyncpg.create_pool(url, init=cast(Any, setter), min_size=1, max_size=5) as pool:
                yield pool
        case "psycopg":
            async with psycopg_pool(url, max_size=5, configure=setter) as opened:
                yield opened
        case _:
            engine = engine_for(url, "asyncpg")

            def connected(raw: Any, _: object) -> None:
                raw.run_async(setter)

            event.listen(engine.sync_engine, "connect", connected)
            yield engine
            await engine.dispose()


@asynccontextmanager
async def begun(way: str, given: Any) -> AsyncGenerator[Any]:
    """A transaction of the application on one of its connections."""
    match way:
        case "asyncpg":
            async with given.acquire() as connection, connection.transaction():
                yield connection
        case "psycopg":
            async with given.connection() as connection:
                yield connection
        case _:
            async with given.begin() as connection:
                yield connection


SETTERS = [
    *(("asyncpg", name, setter) for name, setter in ASYNCPG.items()),
    *(("psycopg", name, setter) for name, setter in PSYCOPG.items()),
    *(("sqlalchemy", name, setter) for name, setter in ASYNCPG.items()),
]
IDS = [f"{way}-{name}" for way, name, _ in SETTERS]


@pytest.mark.parametrize("way, name, setter", SETTERS, ids=IDS)
async def test_a_client_works_on_connections_with_codecs(
    postgres_url: str, way: str, name: str, setter: Setter
) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    async with target(way, postgres_url, setter) as given, otelq.connect(given) as client:
        async with client.transaction() as tx:
            await client.start(ship, {"to": "Ada"}, tags={"shop": "7"}, at=later, tx=tx)
        done = await client.start(ship, {"to": "Bob"}, tenant="acme", dedup=otelq.Dedup("k"))
        many = await client.start_many(ship, [{"to": '"\\ ä'}] * 501)
        async with otelq.Worker(client, jobs, poll_interval=0.1):
            assert await client.result(done, timeout=20) == "Bob"
            assert await client.result(many[-1], timeout=20) == '"\\ ä'
        found = (await client.jobs(tags={"shop": "7"})).items
        assert [(job.status, job.run_at) for job in found] == [("scheduled", later)]
        assert (await client.count(tenant="acme", input={"to": "Bob"}, since=later - timedelta(hours=2))).number == 1


@pytest.mark.parametrize("way, name, setter", SETTERS, ids=IDS)
async def test_a_transaction_with_codecs_can_be_joined(postgres_url: str, way: str, name: str, setter: Setter) -> None:
    async with otelq.connect(postgres_url) as client, target(way, postgres_url, setter) as given:
        async with begun(way, given) as tx:
            chain = await client.start(ship, {"to": "Ada"}, tags={"shop": "7"}, tx=tx)
            await client.start(ship, {"to": "Bob"}, blockers=[chain], dedup=otelq.Dedup("k"), tx=tx)
        assert (await client.count(tags={"shop": "7"})).number == 1
        assert (await client.count()).number == 2


async def load_upper(connection: psycopg.AsyncConnection[Any]) -> None:
    connection.adapters.register_loader("text", UpperLoader)


@pytest.mark.parametrize(
    "way, setter",
    [("asyncpg", codec("text", str.lower, str.upper)), ("psycopg", load_upper)],
    ids=["asyncpg", "psycopg"],
)
async def test_connections_that_change_text_are_refused(postgres_url: str, way: str, setter: Setter) -> None:
    async with otelq.connect(postgres_url) as client, target(way, postgres_url, setter) as given:
        with pytest.raises(otelq.InvalidArgument, match=r"^pool: reads or writes text by a codec"):
            await otelq.connect(given).open()
        async with begun(way, given) as tx:
            with pytest.raises(otelq.InvalidArgument, match=r"^tx: reads or writes text by a codec"):
                await client.start(ship, {"to": "Ada"}, tx=tx)
            await tx.execute("SELECT 1")
        assert (await client.count()).number == 0


async def test_a_connection_is_asked_once_for_its_codecs(postgres_url: str) -> None:
    async with otelq.connect(postgres_url) as client, target("asyncpg", postgres_url, ASYNCPG["uuid"]) as given:
        heard = list[str]()

        def hear(record: Any) -> None:
            heard.append(record.query)

        async with given.acquire() as connection:
            connection.add_query_logger(hear)
            for name in ("Ada", "Bob"):
                async with connection.transaction():
                    await client.start(ship, {"to": name}, tx=connection)
            await connection.fetch("SELECT 1")
        assert len([text for text in heard if text.startswith(PROBE)]) == len(["as it is", "as text"])


@pytest.mark.parametrize("name", STATEMENTS)
async def test_the_probe_and_the_text_form_know_all_that_a_statement_takes_and_gives(
    state: PostgresState, connect: Connect, name: str
) -> None:
    connection = await connect()
    probe = await connection.prepare(STATEMENTS["probe-0"])
    known = {type.name for type in probe.get_parameters()}, {given.type.name for given in probe.get_attributes()}

    statement = await connection.prepare(STATEMENTS[name])
    given = {attribute.name: attribute.type.name for attribute in statement.get_attributes()}
    assert {type.name for type in statement.get_parameters()} <= known[0]
    assert {*given.values()} - {"void"} <= known[1]
    assert {column for column, type in given.items() if type.startswith("timestamptz")} == {*given} & TIMES

    as_text = await connection.prepare(in_text(STATEMENTS[name])[0])
    assert {type.name for type in as_text.get_parameters()} <= {"text"}
    assert {attribute.type.name for attribute in as_text.get_attributes()} <= {"text"}
