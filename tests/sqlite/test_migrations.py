"""The schema appears once, whoever comes first."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from otelq.errors import OtelqError
from otelq.sqlite import adapter, dump

from .conftest import Open
from .making import count_jobs, start


async def test_adapters_that_open_together_migrate_once(another: Open, file: Path) -> None:
    await asyncio.gather(*(another() for _ in range(8)))

    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT version, name FROM otelq_migration").fetchall() == [(1, "0001_storage")]


async def test_opening_again_keeps_what_is_stored(sqlite_url: str) -> None:
    state = adapter(sqlite_url)
    await state.open()
    chain = await start(state)
    await state.close()

    await state.open()

    assert await count_jobs(state, chain) == 1
    await state.close()
    await state.close()


async def test_without_migration_a_missing_schema_is_an_error(sqlite_url: str, file: Path) -> None:
    sqlite3.connect(file).close()

    with pytest.raises(OtelqError, match="otelq migrate"):
        await adapter(sqlite_url).open(migrate=False)


async def test_without_migration_a_missing_file_is_an_error_and_is_not_made(sqlite_url: str, file: Path) -> None:
    with pytest.raises(OtelqError, match="otelq migrate"):
        await adapter(sqlite_url).open(migrate=False)

    assert not list(file.parent.iterdir())


async def test_a_schema_applied_by_hand_is_the_same(sqlite_url: str, file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.executescript(dump())
    connection.close()
    state = adapter(sqlite_url)

    await state.open(migrate=False)

    assert await count_jobs(state, await start(state)) == 1
    await state.close()


async def test_one_step_newer_is_fine_and_two_are_not(another: Open, sqlite_url: str, file: Path) -> None:
    await another()
    with sqlite3.connect(file, isolation_level=None) as connection:
        connection.execute("INSERT INTO otelq_migration VALUES (2, '0002_later', 0)")
        await another()
        connection.execute("INSERT INTO otelq_migration VALUES (3, '0003_much_later', 0)")
    connection.close()

    with pytest.raises(OtelqError, match="version 3"):
        await adapter(sqlite_url).open(migrate=False)


async def test_two_schemas_share_a_file(another: Open) -> None:
    shop, mail = await another(schema="shop"), await another(schema="mail")

    chain = await start(shop)

    assert await count_jobs(shop, chain) == 1
    assert await count_jobs(mail, chain) == 0


async def test_the_view_shows_people_how_jobs_stand(another: Open, file: Path) -> None:
    state = await another()
    await start(state, "a")
    await start(state, "b", delay=3600)

    with sqlite3.connect(file) as connection:
        seen = connection.execute("SELECT type, status FROM otelq_jobs ORDER BY type").fetchall()
    connection.close()

    assert seen == [("a", "ready"), ("b", "scheduled")]
