"""Callbacks after a commit, where several clients are open: each belongs to the client that follows the transaction."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

import otelq
from tests.conftest import StartServer

from .support import RollBack, until

Begin = Callable[[], Any]


class Two:
    """An application with two clients, and transactions of its own in the database of each."""

    def __init__(self, clients: list[otelq.Client], begin: list[Begin]) -> None:
        self.first, self.second = clients
        self.begin_first, self.begin_second = begin
        self.ran: list[str] = []

    def note(self, name: str) -> Callable[[], None]:
        return lambda: self.ran.append(name)

    async def settled(self) -> list[str]:
        """What ran, once the callback of a later commit has."""
        async with self.begin_second() as tx:
            self.second.after_commit(self.note("last"), tx=tx)
        await until(lambda: "last" in self.ran)
        return [name for name in self.ran if name != "last"]


@pytest.fixture(params=["sqlite", "postgres"])
async def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["one database", "two databases"])
async def two(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path, postgres_server: StartServer
) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        urls = [f"sqlite:///{tmp_path}/{name}.db" for name in "ab"]
        if kind == "postgres":
            server = postgres_server(18)
            urls = [server.create_database() for _ in "ab"]
            for url in urls:
                stack.callback(server.drop_database, url)
        urls = [urls[0], urls[request.param == "two databases"]]
        clients = [await stack.enter_async_context(otelq.connect(url)) for url in urls]
        yield Two(clients, [await stack.enter_async_context(_engine(url)) for url in urls])


@asynccontextmanager
async def _engine(url: str) -> AsyncGenerator[Begin]:
    scheme, _, place = url.partition(":")
    engine = create_async_engine(("sqlite+aiosqlite:" if scheme == "sqlite" else "postgresql+asyncpg:") + place)
    yield engine.begin
    await engine.dispose()


async def _write(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))


async def test_a_callback_runs_once_after_the_commit_of_the_transaction_it_was_given(two: Two) -> None:
    async with two.begin_first() as tx:
        two.first.after_commit(two.note("first"), tx=tx)
        await _write(tx)
        assert two.ran == []
    async with two.begin_second() as tx:
        two.second.after_commit(two.note("second"), tx=tx)
    assert await two.settled() == ["first", "second"]


async def test_closing_the_other_client_before_the_commit_changes_nothing(two: Two) -> None:
    async with two.begin_second() as tx:
        two.second.after_commit(two.note("second"), tx=tx)
        await _write(tx)
        await two.first.aclose()
        two.second.after_commit(two.note("and again"), tx=tx)
    assert await two.settled() == ["second", "and again"]


async def test_closing_the_other_client_before_a_rollback_changes_nothing(two: Two) -> None:
    with suppress(RollBack):
        async with two.begin_second() as tx:
            two.second.after_commit(two.note("never"), tx=tx)
            await _write(tx)
            await two.first.aclose()
            raise RollBack
    assert await two.settled() == []


async def test_closing_the_client_of_a_callback_before_the_commit_keeps_the_callback(two: Two) -> None:
    async with two.begin_first() as tx:
        two.first.after_commit(two.note("first"), tx=tx)
        await _write(tx)
        await two.first.aclose()
        assert two.ran == []
    assert await two.settled() == ["first"]


async def test_a_closed_client_takes_no_callback(two: Two) -> None:
    await two.first.aclose()
    async with two.begin_first() as tx:
        with pytest.raises(otelq.WrongLoop, match="not open"):
            two.first.after_commit(two.note("never"), tx=tx)


async def test_without_tx_a_callback_belongs_to_the_client_whose_transaction_it_is_in(two: Two) -> None:
    with suppress(RollBack):
        async with two.first.transaction():
            otelq.after_commit(two.note("never"))
            raise RollBack
    async with two.second.transaction():
        otelq.after_commit(two.note("second"))
        await two.first.aclose()
    assert await two.settled() == ["second"]
