"""URLs, options, and files that cannot be used."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otelq.errors import InvalidArgument, OtelqError, Refused, Unavailable
from otelq.sqlite import adapter
from otelq.sqlite.connection_thread import ConnectionThread, Settings
from otelq.sqlite.state import SqliteState

from .conftest import Open, opened
from .shortcuts import count_jobs, start


@pytest.mark.parametrize(
    "url",
    ["sqlite://host/x.db", "postgresql:///x", "x.db", "sqlite:///x.db?mode=ro", "sqlite:///x.db#a", 7, None],
)
def test_a_url_that_names_no_file_is_refused(url: object) -> None:
    with pytest.raises(InvalidArgument, match=r"url|target"):
        adapter(url)


@pytest.mark.parametrize(
    "name, value",
    [("synchronous", "off"), ("synchronous", 1), ("busy_timeout", -1), ("busy_timeout", "5"), ("pool_size", 3)],
)
def test_an_option_that_cannot_be_used_is_named(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"^{name}: "):
        adapter("sqlite:///x.db", **{name: value})


@pytest.mark.parametrize("schema", ["", "Jobs", 'a"b', "1a", "sqlite_x", "a b", "x" * 60])
def test_an_illegal_schema_name_is_refused(schema: str) -> None:
    with pytest.raises(InvalidArgument, match="schema"):
        adapter("sqlite://", schema=schema)


async def test_a_relative_path_is_taken_from_the_working_directory_of_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = adapter("sqlite:///my%20jobs.db")
    monkeypatch.chdir("/")
    await state.open()
    await state.close()

    assert (tmp_path / "my jobs.db").exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
async def test_a_private_database_lives_as_long_as_it_is_open(url: str) -> None:
    state = opened(adapter(url))
    await state.open()
    chain, path = await start(state), state._settings().path
    assert path.exists()
    await state.close()
    assert not path.parent.exists()

    await state.open()
    assert await count_jobs(state, chain) == 0
    await state.close()


async def test_a_connection_that_is_being_made_when_its_opener_is_cancelled_is_closed(tmp_path: Path) -> None:
    lane = ConnectionThread(Settings(path=tmp_path / "x.db"))
    opening = asyncio.create_task(lane.open())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    await lane.close()

    lane._thread.shutdown()
    assert lane._connection is None


async def test_a_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=f"{tmp_path}/nowhere does not exist"):
        await adapter(f"sqlite:///{tmp_path}/nowhere/x.db").open()


async def test_a_path_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot open"):
        await adapter(f"sqlite:///{tmp_path}").open()


@pytest.fixture
def no_database(file: Path) -> None:
    file.write_bytes(b"no database at all, but long enough" * 100)


@pytest.mark.usefixtures("no_database")
async def test_a_file_that_is_no_database_is_an_error(sqlite_url: str) -> None:
    with pytest.raises(OtelqError, match="no SQLite database") as raised:
        await adapter(sqlite_url).open()

    assert not isinstance(raised.value, Unavailable)


async def test_a_full_disk_is_unavailable_and_writes_nothing(state: SqliteState) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    before = await start(state)
    await state._database._write_thread.run(fill)

    with pytest.raises(Unavailable, match="full"):
        await start(state, input=f'"{"x" * 100_000}"')
    assert len(await state.outcomes([before])) == 1


async def test_a_value_too_big_is_refused(state: SqliteState) -> None:
    def limit(connection: sqlite3.Connection) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)

    await state._database._write_thread.run(limit)

    with pytest.raises(Refused):
        await start(state, input=f'"{"x" * 20_000}"')


async def test_a_number_beyond_64_bits_is_refused(state: SqliteState) -> None:
    with pytest.raises(Refused):
        await start(state, priority=1 << 63)


async def test_a_closed_adapter_is_unavailable(sqlite_url: str) -> None:
    with pytest.raises(Unavailable, match="not open"):
        await adapter(sqlite_url).next_due(["a"])


# Who may read the files


@pytest.fixture
def lax_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def linked(file: Path) -> Path:
    """Where the file's name leads to: nothing is there."""
    target = file.with_name("elsewhere")
    file.symlink_to(target)
    return target


@pytest.mark.usefixtures("lax_umask")
async def test_a_file_that_is_made_here_and_those_beside_it_are_for_their_owner_alone(
    another: Open, file: Path
) -> None:
    await start(await another())
    modes = {path.name.removeprefix(file.name): oct(path.stat().st_mode & 0o777) for path in file.parent.iterdir()}
    assert modes == {"": "0o600", "-wal": "0o600", "-shm": "0o600"}


@pytest.mark.usefixtures("lax_umask")
async def test_a_file_that_was_there_before_keeps_its_mode(another: Open, file: Path) -> None:
    os.close(os.open(file, os.O_CREAT, 0o640))
    await start(await another())
    assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o640}


async def test_a_link_to_a_file_that_does_not_exist_is_not_followed(sqlite_url: str, linked: Path) -> None:
    with pytest.raises(Unavailable, match="it is a link to a file that does not exist"):
        await adapter(sqlite_url).open()
    assert os.listdir(linked.parent) == ["otelq.db"]


async def test_a_link_to_a_file_that_exists_is_followed(another: Open, linked: Path) -> None:
    os.close(os.open(linked, os.O_CREAT, 0o600))
    state = await another()
    assert await count_jobs(state, await start(state)) == 1


async def test_a_folder_that_may_not_be_written_in_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="cannot open"):
        await adapter("sqlite:////proc/otelq.db").open()
