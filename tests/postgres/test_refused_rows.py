"""A row that the server refuses is shown nowhere: not in errors and their chains, failures, spans or logs."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

import otelq
from otelq.errors import Refused, Unavailable

from ..servers import PostgresServer
from ..telemetry.sdk import Sdk
from .drivers import WAYS, own_provider, target

SECRET = "-".join(("a", "row", "of", "ours"))
"""Put together here, so that no line of source in a traceback shows it."""
ONCE = otelq.RetryPolicy(max_attempts=1)
CHECKS = f"""
ALTER TABLE otelq.job ADD CONSTRAINT input_ours CHECK (input::text NOT LIKE '%{SECRET}%');
ALTER TABLE otelq.outcome ADD CONSTRAINT output_ours CHECK (output::text NOT LIKE '%{SECRET}%');
CREATE TABLE late (value text UNIQUE DEFERRABLE INITIALLY DEFERRED);
"""
TWICE = f"INSERT INTO late VALUES ('{SECRET}'), ('{SECRET}')"

jobs = otelq.Jobs()


@jobs.job("echo", retry=ONCE)
async def echo(attempt: otelq.Attempt[str]) -> str:
    return SECRET


@jobs.job("complete", retry=ONCE)
async def complete(attempt: otelq.Attempt[str]) -> str:
    await attempt.completion()
    return SECRET


@pytest.fixture
def url(postgres18: PostgresServer) -> Iterator[str]:
    """A fresh database."""
    made = postgres18.create_migrated_database()
    yield made
    postgres18.drop_database(made)


@asynccontextmanager
async def connected(way: str, url: str, **options: Any) -> AsyncGenerator[otelq.Client]:
    """A client whose tables have constraints of the user's."""
    place = own_provider(url) if way == "provider" else target(way, url)
    async with place as it, otelq.connect(it, **options) as client:
        connection = await asyncpg.connect(url)
        await connection.execute(CHECKS)
        await connection.close()
        yield client


def everything(error: BaseException | None) -> str:
    """All that can be read of an error, its causes and its contexts."""
    if error is None:
        return ""
    said = [*traceback.format_exception(error), repr(error), repr(vars(error)), repr(getattr(error, "diag", None))]
    return "\n".join([*said, everything(error.__cause__), everything(error.__context__)])


def check(error: BaseException) -> None:
    assert SECRET not in everything(error)
    assert error.__cause__ is not None
    assert getattr(error.__cause__, "sqlstate", "23")[:2] == "23"


@pytest.mark.parametrize("way", [*WAYS, "provider"])
async def test_a_start_that_is_refused_does_not_show_its_row(
    way: str, url: str, sdk: Sdk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "otelq")
    async with connected(way, url, tracer_provider=sdk.tracers) as client:
        for refused in (
            client.start(echo, SECRET),
            client.start(echo, SECRET, dedup=otelq.Dedup("k")),
            client.start_many(echo, [SECRET] * 600),
        ):
            with pytest.raises(Refused, match="violates check constraint") as raised:
                await refused
            check(raised.value)
        async with client.transaction() as tx:
            with pytest.raises(Refused, match="violates check constraint") as raised:
                await client.start(echo, SECRET, tx=tx, dedup=otelq.Dedup("k"))
        check(raised.value)

    assert SECRET not in caplog.text
    assert not [span.name for span in sdk.exporter.get_finished_spans() if SECRET in span.to_json()]


@pytest.mark.parametrize("way", [*WAYS, "provider"])
async def test_an_output_that_is_refused_is_shown_in_no_failure_no_span_and_no_log(
    way: str, url: str, sdk: Sdk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "otelq")
    async with connected(way, url, tracer_provider=sdk.tracers) as client, otelq.Worker(client, jobs):
        for job in (echo, complete):
            chain = await client.start(job, "in")
            with pytest.raises(otelq.ChainFailed, match="output_ours") as raised:
                await client.result(chain, timeout=10)
            assert SECRET not in everything(raised.value)
            [attempt] = await client.attempts(f"{chain.id}.0")
            assert SECRET not in repr(attempt)

    assert SECRET not in caplog.text
    spans = sdk.exporter.get_finished_spans()
    assert len(spans) > 2
    assert not [span.name for span in spans if SECRET in span.to_json()]


@pytest.mark.parametrize("way", WAYS)
async def test_a_commit_that_is_refused_does_not_show_the_row(way: str, url: str) -> None:
    async with connected(way, url) as client:
        with pytest.raises(Unavailable, match="the commit was refused: duplicate key") as raised:
            async with client.transaction() as tx:
                await tx.execute(text(TWICE) if way.startswith("sqlalchemy") else TWICE)
        check(raised.value)
