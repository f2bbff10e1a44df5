"""Callbacks that hang in sessions of SQLAlchemy, which begin in the database no sooner than their first statement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

import otelq
from tests.conftest import StartServer

from .support import until

jobs = otelq.Jobs()


@jobs.job("echo")
async def echo(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@dataclass
class Late:
    """An application whose sessions begin with their first statement."""

    client: otelq.Client
    engine: AsyncEngine
    ran: list[object] = field(default_factory=list[object])

    def hang(self, name: object, tx: object) -> None:
        self.client.after_commit(lambda: self.ran.append(name), tx=tx)

    async def settled(self) -> list[object]:
        """What ran, once a later commit's callback has."""
        async with AsyncSession(self.engine) as session:
            self.hang("last", session)
            await session.commit()
        await until(lambda: "last" in self.ran)
        return self.ran[:-1]


@pytest.fixture(params=["sqlite+aiosqlite", "postgresql+asyncpg", "postgresql+psycopg"])
async def late(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: StartServer) -> AsyncIterator[Late]:
    """An application with an engine, for each driver under it."""
    dialect: str = request.param
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path}/otelq.db"
        if dialect.startswith("postgresql"):
            server = postgres_server(18)
            url = server.create_migrated_database()
            stack.callback(server.drop_database, url)
        client = await stack.enter_async_context(otelq.connect(url))
        engine = create_async_engine(f"{dialect}:{url.partition(':')[2]}")
        stack.push_async_callback(engine.dispose)
        yield Late(client, engine)


async def test_a_session_without_a_statement_commits_and_rolls_back_its_callbacks_all_the_same(late: Late) -> None:
    for end in ("commit", "rollback", "close"):
        async with AsyncSession(late.engine).begin() as begun:
            late.hang(end, begun.session)
            await getattr(begun.session, end)()
    assert await late.settled() == ["commit"]


async def test_what_a_closed_session_dropped_does_not_come_back_with_its_next_transaction(late: Late) -> None:
    async with AsyncSession(late.engine) as session:
        _ = await session.begin()
        late.hang("dropped", session)
        await session.close()
        await late.client.start(echo, 1, tx=session)
        late.hang("kept", session)
        await session.commit()
    assert await late.settled() == ["kept"]


async def test_a_callback_hung_before_a_session_begins_belongs_to_its_next_transaction(late: Late) -> None:
    async with AsyncSession(late.engine) as session:
        late.hang("first", session)
        await session.execute(text("SELECT 1"))
        assert late.ran == []
        await session.commit()
        late.hang("second", session)
        await session.execute(text("SELECT 1"))
        await session.rollback()
    assert await late.settled() == ["first"]


async def test_a_savepoint_kept_without_a_statement_leaves_its_callbacks_to_the_one_round_it(late: Late) -> None:
    async with AsyncSession(late.engine) as session, session.begin():
        outer = await session.begin_nested()
        async with session.begin_nested():
            late.hang("inner", session)
        late.hang("outer", session)
        await outer.rollback()
        async with session.begin_nested():
            late.hang("kept", session)
    assert await late.settled() == ["kept"]


async def test_a_savepoint_whose_first_statement_comes_after_the_hanging_drops_it(late: Late) -> None:
    async with AsyncSession(late.engine) as session, session.begin():
        nested = await session.begin_nested()
        late.hang("inside", session)
        await late.client.start(echo, 1, tx=session)
        await nested.rollback()
        late.hang("after", session)
    assert await late.settled() == ["after"]


async def test_a_session_without_a_statement_on_a_callers_connection_waits_for_that_ones_commit(late: Late) -> None:
    async with late.engine.connect() as connection:
        for end in ("commit", "rollback"):
            _ = await connection.begin()
            async with AsyncSession(connection) as session:
                late.hang(end, session)
                await session.commit()
            await asyncio.sleep(0)
            assert late.ran == ["commit"] * (end == "rollback")
            await getattr(connection, end)()
            await until(lambda: "commit" in late.ran)
    assert await late.settled() == ["commit"]
