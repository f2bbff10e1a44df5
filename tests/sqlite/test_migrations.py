"""The schema appears once, whoever comes first."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from otelq.errors import OtelqError, Refused
from otelq.model import Amendment, Completes
from otelq.sqlite import adapter, dump
from otelq.sqlite.migrate import _LEDGER  # pyright: ignore[reportPrivateUsage]  # to make a file as it once was
from otelq.sqlite.statements import fill, load_templates

from .conftest import Open
from .shortcuts import count_jobs, job, lease, settle, start


async def test_adapters_that_open_together_migrate_once(another: Open, file: Path) -> None:
    await asyncio.gather(*(another() for _ in range(8)))

    with closing(sqlite3.connect(file)) as connection, connection:
        assert connection.execute("SELECT version, name FROM otelq_migration").fetchall() == [
            (1, "0001_storage"),
            (2, "0002_no_functions"),
            (3, "0003_workers"),
        ]


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
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(dump())
    state = adapter(sqlite_url)

    await state.open(migrate=False)

    assert await count_jobs(state, await start(state)) == 1
    await state.close()


async def test_one_step_newer_is_fine_and_two_are_not(another: Open, sqlite_url: str, file: Path) -> None:
    await another()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection, connection:
        (newest,) = connection.execute("SELECT max(version) FROM otelq_migration").fetchone()
        connection.execute("INSERT INTO otelq_migration VALUES (?, 'later', 0)", [newest + 1])
        await another()
        connection.execute("INSERT INTO otelq_migration VALUES (?, 'much_later', 0)", [newest + 2])

    with pytest.raises(OtelqError, match=f"version {newest + 2}"):
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

    with closing(sqlite3.connect(file)) as connection, connection:
        seen = connection.execute("SELECT type, status FROM otelq_jobs ORDER BY type").fetchall()

    assert seen == [("a", "ready"), ("b", "scheduled")]


# A schema that calls no functions


@pytest.fixture
def first_version(file: Path) -> Path:
    """A file of the first version, with a row of every kind."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(fill(_LEDGER + load_templates("migrations")["0001_storage"], "otelq"))
        connection.execute("INSERT INTO otelq_migration VALUES (1, '0001_storage', 0)")
        for nr, text in enumerate(('{"a": [1, 2.5, null, "ü\\u0041"]}', '" "', "7", "null", f'"{"x" * 100_000}"')):
            job = {"chain_id": f"{nr:08}", "position": nr, "type": "a", "queue": "q", "input": text, "created_at": -nr}
            insert(connection, "otelq_job", job)
            insert(connection, "otelq_job", {**job, "position": 10, "meta": text, "amended_input": text, "trace": "t"})
            outcome = {"status": "failed", "verb": "fail", "closed_at": 1, "priority": 0, "run_at": 0, "crashes": 0}
            same = {name: job[name] for name in ("chain_id", "position", "type")}
            for generation, output in enumerate((None, text)):
                row = {**outcome, **same, "attempt": 1, "generation": generation, "output": output}
                insert(connection, "otelq_outcome", row)
    connection.close()
    return file


def insert(connection: sqlite3.Connection, table: str, row: Mapping[str, object]) -> None:
    names = ", ".join(row)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", [*row.values()])


def contents(file: Path) -> list[dict[str, object]]:
    """The rows without columns that are NULL, as a column that was added is."""
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    try:
        rows = [
            row for of in ("job", "outcome") for row in connection.execute(f"SELECT * FROM otelq_{of} ORDER BY 1, 2, 3")
        ]
        return [{name: value for name, value in dict(row).items() if value is not None} for row in rows]
    finally:
        connection.close()


async def test_a_file_of_the_first_version_keeps_all_that_is_stored(first_version: Path, another: Open) -> None:
    before = contents(first_version)
    await another()
    assert contents(first_version) == before
    with closing(sqlite3.connect(first_version)) as connection, connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM otelq_jobs").fetchone() == (10,)


async def test_what_users_have_put_on_the_tables_survives(first_version: Path, another: Open) -> None:
    connection = sqlite3.connect(first_version)
    with connection:
        connection.executescript(
            "CREATE TABLE seen (id TEXT);"
            "CREATE VIEW mine AS SELECT chain_id FROM otelq_job;"
            "CREATE INDEX my_index ON otelq_job (queue);"
            "CREATE TRIGGER my_trigger AFTER INSERT ON otelq_job BEGIN INSERT INTO seen VALUES (new.chain_id); END;"
        )
    chain = await start(await another())
    assert connection.execute("SELECT id FROM seen").fetchall() == [(chain,)]
    assert connection.execute("SELECT count(*) FROM mine").fetchone() == (11,)
    assert connection.execute("PRAGMA index_info(my_index)").fetchall()
    connection.close()


def test_nothing_that_a_connection_reads_with_the_schema_calls_a_function() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(dump())
    for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE type <> 'view' AND sql IS NOT NULL"):
        # Keywords are in capitals, names of tables in quotes.
        assert not re.search(r"\b[a-z][a-z0-9_]* *\(", re.sub("--.*", "", sql))
    connection.close()


async def test_an_application_that_trusts_no_schema_writes_to_its_own_tables_and_reads_ours(
    another: Open, file: Path
) -> None:
    state = await another()
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("CREATE TABLE mine (number INTEGER)")
    connection.execute("INSERT INTO mine VALUES (7)")
    await start(state)
    assert connection.execute("SELECT status FROM otelq_jobs").fetchall() == [("ready",)]
    connection.close()


@pytest.mark.parametrize("payload", [{"input": "{"}, {"meta": "{"}, {"input": ""}, {"meta": "nul"}])
async def test_what_is_no_json_is_refused_and_leaves_nothing(another: Open, payload: dict[str, str]) -> None:
    state = await another()
    new = job(**payload)
    with pytest.raises(Refused, match="refuses a value"):
        await state.create([new])
    assert await count_jobs(state, new.chain_id) == 0


async def test_an_input_or_an_output_that_is_no_json_is_refused(another: Open) -> None:
    state = await another()
    chain = await start(state)
    with pytest.raises(Refused):
        await state.amend([Amendment(chain_id=chain, input="{")])
    (leased,) = await lease(state)
    with pytest.raises(Refused):
        await settle(state, leased, outcome=Completes("{"))
