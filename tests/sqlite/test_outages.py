"""What is wrong with a file for a while passes: no worker gives up. What is wrong from the start is an error."""

from __future__ import annotations

import asyncio
import logging
import sqlite3

import pytest

import otelq
from otelq.errors import OtelqError, Refused, Unavailable
from otelq.sqlite.errors import opening_failure, translated

from .conftest import Connect

FEW = 3
REFUSED = ("CONSTRAINT", "MISMATCH", "RANGE", "TOOBIG")
CONFIGURATION = ("AUTH", "CORRUPT", "ERROR", "FORMAT", "NOTADB", "PERM", "SCHEMA")
PASSING = (
    *("ABORT", "BUSY", "CANTOPEN", "FULL", "INTERNAL", "INTERRUPT", "IOERR", "LOCKED", "MISUSE", "NOLFS", "NOMEM"),
    *("PROTOCOL", "READONLY"),
)

jobs = otelq.Jobs()


@jobs.job("greet")
async def greet(attempt: otelq.Attempt[str]) -> str:
    return attempt.input.upper()


def error_of(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError("asked for")
    error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{name}")
    return error


@pytest.mark.parametrize("name", REFUSED)
def test_what_lies_in_a_value_is_refused(name: str) -> None:
    assert type(translated(error_of(name), "cannot write")) is Refused


@pytest.mark.parametrize("name", PASSING)
def test_what_lies_in_the_machine_passes(name: str) -> None:
    ours = translated(error_of(name), "cannot write")
    assert isinstance(ours, Unavailable)
    assert isinstance(opening_failure(ours, was_open=False), Unavailable)


@pytest.mark.parametrize("name", CONFIGURATION)
def test_what_lies_in_the_file_ends_who_was_never_open_and_passes_for_who_was(name: str) -> None:
    ours = translated(error_of(name), "cannot write")
    assert isinstance(opening_failure(ours, was_open=True), Unavailable)
    assert type(opening_failure(ours, was_open=False)) is OtelqError


async def test_a_worker_lives_through_a_table_that_is_away(
    sqlite_url: str, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("otelq.loop.MOST_ERRORS", FEW)
    monkeypatch.setattr("otelq.loop.LONGEST_BACK_OFF", 0.02)
    async with otelq.connect(sqlite_url) as client, otelq.Worker(client, jobs, poll_interval=0.02, reap_interval=0.02):
        assert await client.result(await client.start(greet, "before"), timeout=10) == "BEFORE"
        other = await connect(isolation_level=None)
        await other.execute("ALTER TABLE otelq_job RENAME TO away")
        caplog.clear()
        caplog.set_level(logging.DEBUG, logger="otelq.loop")
        met: list[str] = []
        while met.count("fetcher") <= FEW or met.count("reaper") <= FEW:
            await asyncio.sleep(0.005)
            met = [record.__dict__["otelq.loop"] for record in caplog.records if record.name == "otelq.loop"]
        with pytest.raises(Unavailable, match="no such table"):
            await client.start(greet, "meanwhile")
        await other.execute("ALTER TABLE away RENAME TO otelq_job")
        assert await client.result(await client.start(greet, "after"), timeout=10) == "AFTER"


async def test_a_file_without_the_tables_ends_who_was_never_open(sqlite_url: str) -> None:
    with pytest.raises(OtelqError, match="run `otelq migrate`") as raised:
        await otelq.connect(sqlite_url, migrate=False).open()

    assert not isinstance(raised.value, Unavailable)
