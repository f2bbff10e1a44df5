"""The command takes the URLs of applications, those of SQLAlchemy too, and names its connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

import otelq
from otelq.cli.database import client_of, without_driver
from otelq.cli.main import run

from ..servers import PostgresServer

jobs = otelq.Jobs()


@pytest.fixture
def database(postgres18: PostgresServer) -> Iterator[str]:
    """A new database without tables of otelq."""
    url = postgres18.create_database()
    yield url
    postgres18.drop_database(url)


@jobs.job("sum")
async def add(attempt: otelq.Attempt[int]) -> int:
    session = await attempt.completion(AsyncSession)
    return int((await session.execute(text("SELECT 1 + CAST(:n AS INTEGER)"), {"n": attempt.input})).scalar_one())


async def names(url: str) -> set[str]:
    """The names of the applications that are connected to a database, beside this one."""
    connection = await asyncpg.connect(url, server_settings={"application_name": "observer"})
    try:
        rows = await connection.fetch(
            "SELECT DISTINCT application_name AS name FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name <> 'observer'"
        )
        return {row["name"] for row in rows}
    finally:
        await connection.close()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_handler_gets_a_session_of_sqlalchemy_by_a_url_of_it(driver: str, database: str) -> None:
    url = database.replace("postgresql", f"postgresql+{driver}", 1)
    opened = client_of(url, schema="otelq", application="otelq worker till")
    async with opened as client, client, otelq.Worker(client, jobs):
        assert await client.result(await client.start(add, 1), timeout=30) == 2
        assert await names(database) == {"otelq worker till"}


async def test_a_handler_gets_a_session_on_sqlite_by_a_url_of_sqlalchemy(sqlite_url: str) -> None:
    url = sqlite_url.replace("sqlite", "sqlite+aiosqlite", 1)
    async with client_of(url, schema="otelq", application="") as client, client, otelq.Worker(client, jobs):
        assert await client.result(await client.start(add, 1), timeout=30) == 2


@pytest.mark.parametrize(
    "scheme, query, application, expected",
    [
        ("postgresql", "", "otelq worker till", "otelq worker till"),
        ("postgresql", "", f"otelq worker {'x' * 80}", f"otelq worker {'x' * 50}"),
        ("postgresql", "?application_name=shop", "otelq worker till", "shop"),
        ("postgresql+asyncpg", "", "otelq worker till", "otelq worker till"),
        ("postgresql+psycopg", "?application_name=shop", "otelq worker till", "shop"),
    ],
)
async def test_connections_have_the_name_of_the_worker_unless_the_url_has_one(
    scheme: str, query: str, application: str, expected: str, database: str
) -> None:
    url = database.replace("postgresql", scheme, 1) + query
    async with client_of(url, schema="otelq", application=application) as client, client:
        assert await names(database) == {expected}


@pytest.mark.parametrize(
    "query, options, expected",
    [
        ("", {}, {"otelq"}),
        ("?application_name=shop", {}, {"shop"}),
        ("", {"server_settings": {"application_name": "shop", "work_mem": "8MB"}}, {"shop"}),
        ("", {"server_settings": {"work_mem": "8MB"}}, {"otelq"}),
    ],
)
async def test_a_client_names_its_connections_unless_the_application_does(
    query: str, options: dict[str, Any], expected: set[str], database: str
) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(otelq.connect(database + query, **options))
        await stack.enter_async_context(otelq.Worker(client, jobs))  # with the connections of keeper and listener
        await client.start(add, 1, delay=60)
        assert await names(database) == expected


def test_the_driver_of_a_url_of_sqlalchemy_can_be_left_out() -> None:
    assert without_driver("postgresql+psycopg://a:b+c@d/e") == "postgresql://a:b+c@d/e"
    assert without_driver("sqlite:///a+b.db") == "sqlite:///a+b.db"


def test_the_tables_are_migrated_and_printed_by_a_url_of_sqlalchemy(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = sqlite_url.replace("sqlite", "sqlite+aiosqlite", 1)
    assert run(["migrate", "--url", url]) == 0
    assert run(["migrate", "--check", "--url", sqlite_url]) == 0
    assert run(["migrate", "--sql", "--url", url]) == 0
    assert "CREATE TABLE" in capsys.readouterr().out
