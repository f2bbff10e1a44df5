"""A row that a trigger of the user's refuses is shown nowhere."""

from __future__ import annotations

import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import otelq
from otelq.errors import Refused

SECRET = "-".join(("a", "row", "of", "ours"))
"""Put together here, so that no line of source in a traceback shows it."""
TRIGGER = f"""
CREATE TRIGGER ours BEFORE INSERT ON otelq_job WHEN new.input LIKE '%{SECRET}%'
BEGIN SELECT raise(ABORT, 'not with us'); END
"""
keep = otelq.JobType("keep", input=str, output=str)


@asynccontextmanager
async def transaction(way: str, url: str) -> AsyncGenerator[Any]:
    """A transaction of the caller's, or None for the client's own."""
    match way:
        case "aiosqlite":
            async with aiosqlite.connect(url.removeprefix("sqlite:///"), isolation_level=None) as connection:
                await connection.execute("BEGIN IMMEDIATE")
                yield connection
                await connection.rollback()
        case "sqlalchemy":
            engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
            async with AsyncSession(engine) as session:
                yield session
            await engine.dispose()
        case _:
            yield None


def everything(error: BaseException | None) -> str:
    """All that can be read of an error, its causes and its contexts."""
    if error is None:
        return ""
    said = [*traceback.format_exception(error), repr(error), repr(vars(error))]
    return "\n".join([*said, everything(error.__cause__), everything(error.__context__)])


@pytest.mark.parametrize("way", ["own", "aiosqlite", "sqlalchemy"])
async def test_a_start_that_is_refused_does_not_show_its_row(way: str, sqlite_url: str) -> None:
    async with otelq.connect(sqlite_url) as client:
        async with aiosqlite.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
            await connection.execute(TRIGGER)
        async with transaction(way, sqlite_url) as tx:
            with pytest.raises(Refused, match="not with us") as raised:
                await client.start(keep, SECRET, tx=tx)

    assert SECRET not in everything(raised.value)
