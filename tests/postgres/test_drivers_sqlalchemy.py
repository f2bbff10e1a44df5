"""SQLAlchemy's sessions and connections as the caller's transaction, and what follows their commit."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool

import otelq
from otelq.errors import InvalidArgument, NotFound, Refused
from otelq.inprocess.notify import InProcessNotify
from otelq.ports.notify import Hint, HintKind
from otelq.ports.state import Ending

from ..servers import PostgresServer
from .drivers import DIALECTS, engine_for
from .shortcuts import job

greet = otelq.JobType("greet", input=str, output=str)
Sessions = async_sessionmaker[AsyncSession]


@dataclass
class Remembering(InProcessNotify):
    """A notifier that remembers what became due."""

    due: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def publish(self, hints: Sequence[Hint]) -> None:
        self.due += [hint.subject for hint in hints if hint.kind is HintKind.DUE]
        super().publish(hints)


@pytest.fixture
def url(postgres18: PostgresServer) -> Iterator[str]:
    """A fresh database."""
    made = postgres18.create_migrated_database()
    yield made
    postgres18.drop_database(made)


@pytest.fixture(params=DIALECTS)
async def engine(request: pytest.FixtureRequest, url: str) -> AsyncIterator[AsyncEngine]:
    """An engine for it, over each driver."""
    made = engine_for(url, request.param)
    yield made
    await made.dispose()


@pytest.fixture
def sessions(engine: AsyncEngine) -> Sessions:
    return async_sessionmaker(engine)


@pytest.fixture
def hints() -> Remembering:
    return Remembering()


@pytest.fixture
async def client(engine: AsyncEngine, sessions: Sessions, hints: Remembering) -> AsyncIterator[otelq.Client]:
    async with otelq.connect(engine, session=sessions, notify=hints) as opened:
        yield opened


async def count(client: otelq.Client) -> int:
    return len((await client.jobs(limit=1000)).items)


async def until_told(ends: list[Ending]) -> None:
    """Wait until a watcher was told an end."""
    while not ends:  # noqa: ASYNC110  # as below
        await asyncio.sleep(0.001)


async def started(hints: Remembering, number: int) -> None:
    """Wait until so many starts were told."""
    while len(hints.due) < number:  # noqa: ASYNC110  # the driver sets no event
        await asyncio.sleep(0.001)


def is_free(engine: AsyncEngine) -> bool:
    """Whether all connections are back in the pool."""
    return engine.sync_engine.pool.status().endswith("Current Checked out connections: 0")


# The caller's session


async def test_a_start_as_the_first_statement_rolled_back_leaves_nothing(
    client: otelq.Client, sessions: Sessions, hints: Remembering
) -> None:
    async with sessions() as session:
        await client.start(greet, "ada", tx=session)
        await session.rollback()

    assert await count(client) == 0
    assert hints.due == []


async def test_a_session_closed_without_a_commit_leaves_nothing(client: otelq.Client, sessions: Sessions) -> None:
    async with sessions() as session:
        await client.start(greet, "ada", tx=session)

    assert await count(client) == 0


async def test_a_start_is_told_as_soon_as_the_session_has_committed(
    client: otelq.Client, sessions: Sessions, hints: Remembering
) -> None:
    async with sessions() as session:
        await client.start(greet, "ada", tx=session)
        assert (hints.due, await count(client)) == ([], 0)

        await session.commit()

        assert (hints.due, await count(client)) == (["greet"], 1)


async def test_a_block_that_begins_a_session_commits_the_start(
    client: otelq.Client, sessions: Sessions, hints: Remembering
) -> None:
    async with sessions.begin() as session:
        await session.execute(text("CREATE TABLE orders (n int)"))
        await client.start(greet, "ada", tx=session)

    assert hints.due == ["greet"]
    assert await count(client) == 1


async def test_one_session_serves_one_transaction_after_the_other(
    client: otelq.Client, sessions: Sessions, hints: Remembering
) -> None:
    async with sessions() as session:
        for name, commits in [("a", True), ("b", False), ("c", True)]:
            await client.start(greet, name, tx=session)
            await (session.commit() if commits else session.rollback())

    assert len(hints.due) == await count(client) == 2


async def test_a_savepoint_takes_back_what_was_started_in_it_and_in_those_inside_it(
    client: otelq.Client, sessions: Sessions, hints: Remembering
) -> None:
    async with sessions.begin() as session:
        await client.start(greet, "kept", tx=session)
        outer = await session.begin_nested()
        await client.start(greet, "gone", tx=session)
        async with session.begin_nested():
            await client.start(greet, "gone with the outer one", tx=session)
        await outer.rollback()
        async with session.begin_nested():
            await client.start(greet, "kept too", tx=session)

    assert len(hints.due) == await count(client) == 2


async def test_two_sessions_at_once_end_each_for_itself(
    client: otelq.Client, sessions: Sessions, hints: Remembering
) -> None:
    async with sessions() as first, sessions() as second:
        await client.start(greet, "first", tx=first)
        await client.start(greet, "second", tx=second)
        await second.rollback()
        await first.commit()

    assert len(hints.due) == await count(client) == 1


async def test_a_commit_that_fails_leaves_nothing_and_tells_nothing(
    client: otelq.Client, sessions: Sessions, hints: Remembering
) -> None:
    async with sessions.begin() as session:
        await session.execute(text("CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
    async with sessions() as session:
        await client.start(greet, "ada", tx=session)
        await session.execute(text("INSERT INTO late VALUES (1), (1)"))
        with pytest.raises(DBAPIError):
            await session.commit()

    assert hints.due == []
    assert await count(client) == 0


async def test_the_commit_of_a_transaction_in_which_a_statement_failed_tells_nothing(
    client: otelq.Client, engine: AsyncEngine
) -> None:
    async with engine.connect() as connection:
        tx, ends = client.engine.state.join(connection), list[Ending]()
        await client.engine.state.create([job()], tx=tx)
        tx.watch(ends.append)
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT 1 / 0"))
        await connection.commit()
        await until_told(ends)

    assert ends == [Ending.ROLLED_BACK]
    assert await count(client) == 0


async def test_a_connection_that_dies_before_its_commit_leaves_the_end_to_be_looked_up(
    client: otelq.Client, sessions: Sessions, hints: Remembering, url: str
) -> None:
    session = sessions()
    tx = client.engine.state.join(session)
    await client.engine.state.create([job()], tx=tx)
    ends = list[Ending]()
    assert tx.watch(ends.append)
    other = await asyncpg.connect(url)
    pid = await session.scalar(text("SELECT pg_backend_pid()"))
    await other.execute("SELECT pg_terminate_backend($1)", pid)
    await other.close()

    with pytest.raises((SQLAlchemyError, asyncpg.PostgresError, OSError)):
        await session.commit()
    await until_told(ends)
    await session.close()

    assert ends == [Ending.UNKNOWN]
    assert await count(client) == 0


async def test_a_refused_verb_leaves_the_session_where_it_was(client: otelq.Client, sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await session.execute(text("CREATE TABLE orders (n int)"))
        with pytest.raises(NotFound):
            await client.cancel(otelq.new_id(), tx=session)
        await session.execute(text("INSERT INTO orders VALUES (1)"))
        await client.start(greet, "ada", tx=session)

    async with sessions() as session:
        assert await session.scalar(text("SELECT count(*) FROM orders")) == 1
    assert await count(client) == 1


async def test_a_value_that_the_database_refuses_leaves_the_session_usable(
    client: otelq.Client, sessions: Sessions
) -> None:
    async with sessions.begin() as session:
        tx = client.engine.state.join(session)
        with pytest.raises(Refused):
            await client.engine.state.create([job(input='"\\u0000"')], tx=tx)
        await client.start(greet, "ada", tx=session)

    assert await count(client) == 1


async def test_nothing_stays_hooked_into_sqlalchemy_after_the_transaction(
    client: otelq.Client, sessions: Sessions, engine: AsyncEngine
) -> None:
    async with sessions() as session:
        await client.start(greet, "ada", tx=session)
        watched = len(engine.sync_engine.dialect.dispatch.handle_error)
        await session.commit()
        await asyncio.sleep(0)

        assert (watched, len(engine.sync_engine.dialect.dispatch.handle_error)) == (1, 0)
        assert len(session.sync_session.dispatch.after_commit) == 0


async def test_a_session_that_is_forgotten_with_a_start_in_it_gives_its_connection_back(
    client: otelq.Client, sessions: Sessions, engine: AsyncEngine
) -> None:
    session = sessions()
    await client.start(greet, "ada", tx=session)
    await session.close()
    del session
    gc.collect()

    assert is_free(engine)
    assert len(engine.sync_engine.dialect.dispatch.handle_error) == 0


# The caller's connection


async def test_a_connections_start_is_told_after_its_commit(
    client: otelq.Client, engine: AsyncEngine, hints: Remembering
) -> None:
    async with engine.begin() as connection:
        await client.start(greet, "ada", tx=connection)
        assert hints.due == []
    await started(hints, 1)

    assert await count(client) == 1


async def test_a_connections_savepoint_takes_back_what_was_started_in_it(
    client: otelq.Client, engine: AsyncEngine, hints: Remembering
) -> None:
    async with engine.connect() as connection:
        await client.start(greet, "kept", tx=connection)
        nested = await connection.begin_nested()
        await client.start(greet, "gone", tx=connection)
        await nested.rollback()
        await connection.commit()
        await started(hints, 1)

        await client.start(greet, "rolled back", tx=connection)
        await connection.rollback()

    assert len(hints.due) == await count(client) == 1


async def test_a_statement_that_is_refused_in_the_next_transaction_is_no_failure_of_the_commit_before(
    client: otelq.Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otelq.sqlalchemy.watcher.COMMIT_POLL_INTERVAL", 0.2)
    ends = list[Ending]()
    async with engine.connect() as connection:
        tx = client.engine.state.join(connection)
        await client.engine.state.create([job()], tx=tx)
        assert tx.watch(ends.append)
        await connection.commit()
        with pytest.raises(DBAPIError, match="by zero"):
            await connection.execute(text("SELECT 1 / 0"))
        await until_told(ends)

    assert ends == [Ending.COMMITTED]


async def test_a_session_on_a_connection_of_the_callers_waits_for_the_connections_commit(
    client: otelq.Client, engine: AsyncEngine, hints: Remembering
) -> None:
    async with engine.connect() as connection:
        _ = await connection.begin()
        async with AsyncSession(connection, join_transaction_mode="create_savepoint") as session:
            await client.start(greet, "ada", tx=session)
            await session.commit()
        assert hints.due == []
        await connection.commit()
        await started(hints, 1)

    assert await count(client) == 1


async def test_a_cancelled_commit_is_looked_up(client: otelq.Client, engine: AsyncEngine) -> None:
    ends = list[Ending]()

    async def commit() -> None:
        async with engine.connect() as connection:
            tx = client.engine.state.join(connection)
            await client.engine.state.create([job()], tx=tx)
            tx.watch(ends.append)
            asyncio.get_running_loop().call_soon(task.cancel)
            await connection.commit()

    task = asyncio.ensure_future(commit())
    with suppress(asyncio.CancelledError):
        await task
    await until_told(ends)

    assert ends in ([Ending.UNKNOWN], [Ending.COMMITTED], [Ending.ROLLED_BACK])
    if ends != [Ending.UNKNOWN]:
        assert await count(client) == (ends == [Ending.COMMITTED])


# What cannot be joined


async def test_a_session_without_a_bind_is_refused(client: otelq.Client) -> None:
    async with AsyncSession() as session:
        with pytest.raises(InvalidArgument, match=r"tx: has no bind.*async_sessionmaker"):
            await client.start(greet, "ada", tx=session)


async def test_a_session_of_another_kind_of_database_is_refused(client: otelq.Client) -> None:
    other = create_async_engine("sqlite+aiosqlite://")
    async with AsyncSession(other) as session:
        with pytest.raises(InvalidArgument, match="tx: is bound to sqlite"):
            await client.start(greet, "ada", tx=session)
    await other.dispose()


async def test_a_session_of_another_database_is_refused_and_left_usable(
    client: otelq.Client, engine: AsyncEngine, postgres18: PostgresServer
) -> None:
    other = engine_for(postgres18.create_migrated_database(), engine.dialect.driver)
    async with AsyncSession(other) as session:
        with pytest.raises(InvalidArgument, match="tx: belongs to another database"):
            await client.start(greet, "ada", tx=session)
        assert await session.scalar(text("SELECT 1")) == 1
    await other.dispose()


async def test_a_connection_that_commits_by_itself_is_refused(client: otelq.Client, engine: AsyncEngine) -> None:
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        with pytest.raises(InvalidArgument, match="tx: is in AUTOCOMMIT mode"):
            await client.start(greet, "ada", tx=connection)

    assert await count(client) == 0


async def test_a_closed_connection_is_refused(client: otelq.Client, engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        pass

    with pytest.raises(InvalidArgument, match="tx: is closed"):
        await client.start(greet, "ada", tx=connection)


# Handlers' transactions


async def run(client: otelq.Client, handler: Callable[[otelq.Attempt[str]], Any]) -> otelq.JobRecord:
    """What became of one job that this handler ran once."""
    jobs = otelq.Jobs()
    jobs.handles(greet, retry=otelq.RetryPolicy(max_attempts=1))(handler)
    chain = await client.start(greet, "ada")
    async with otelq.Worker(client, jobs):
        with suppress(otelq.ChainFailed):
            await client.result(chain, timeout=20)
    return (await client.chain(chain)).tail


async def names(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        return list(await session.scalars(text("SELECT name FROM greeted")))


@pytest.fixture
async def greeted(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await session.execute(text("CREATE TABLE greeted (name text)"))


INSERT = text("INSERT INTO greeted VALUES ('ada')")


@pytest.mark.parametrize("kind", [None, AsyncSession, AsyncConnection])
async def test_a_handlers_writes_commit_with_its_job(
    client: otelq.Client, sessions: Sessions, greeted: None, kind: type | None
) -> None:
    async def handler(attempt: otelq.Attempt[str]) -> str:
        handle: Any = await (attempt.completion(kind) if kind else attempt.completion())
        assert kind in (None, type(handle))
        await handle.execute(INSERT)
        return "done"

    assert (await run(client, handler)).status == "completed"
    assert await names(sessions) == ["ada"]


async def test_a_handler_that_fails_leaves_nothing_of_its_writes(
    client: otelq.Client, sessions: Sessions, greeted: None
) -> None:
    async def handler(attempt: otelq.Attempt[str]) -> str:
        session = await attempt.completion(AsyncSession)
        await session.execute(INSERT)
        raise ValueError("no")

    assert (await run(client, handler)).status == "failed"
    assert await names(sessions) == []


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
@pytest.mark.parametrize("kind", [AsyncSession, AsyncConnection])
async def test_a_handler_that_ends_its_completion_by_itself_fails(
    client: otelq.Client, sessions: Sessions, greeted: None, kind: type, end: str
) -> None:
    async def handler(attempt: otelq.Attempt[str]) -> str:
        handle: Any = await attempt.completion(kind)
        await handle.execute(INSERT)
        await getattr(handle, end)()
        return "done"

    ended = await run(client, handler)

    assert (ended.status, ended.failure and ended.failure.type) == ("failed", "otelq.errors.InvalidArgument")
    assert await names(sessions) == []


async def test_a_handler_may_use_savepoints_in_its_completion(
    client: otelq.Client, sessions: Sessions, greeted: None
) -> None:
    async def handler(attempt: otelq.Attempt[str]) -> str:
        session = await attempt.completion(AsyncSession)
        async with session.begin_nested():
            await session.execute(INSERT)
        nested = await session.begin_nested()
        await session.execute(INSERT)
        await nested.rollback()
        return "done"

    assert (await run(client, handler)).status == "completed"
    assert await names(sessions) == ["ada"]


@pytest.mark.parametrize("kind", [AsyncSession, AsyncConnection])
async def test_a_handle_is_dead_after_its_transaction(client: otelq.Client, kind: type) -> None:
    kept = list[Any]()
    async with client.transaction(kind) as handle:
        kept.append(handle)

    with pytest.raises(SQLAlchemyError):
        await kept[0].execute(text("SELECT 1"))


async def test_what_was_started_in_a_transaction_of_the_clients_is_told_at_its_end(
    client: otelq.Client, hints: Remembering
) -> None:
    async with client.transaction(AsyncSession) as session:
        await client.start(greet, "ada", tx=session)
        assert hints.due == []

    assert hints.due == ["greet"]


async def test_leaving_a_transaction_in_which_a_statement_failed_is_an_error(client: otelq.Client) -> None:
    async def swallow_an_error() -> None:
        async with client.transaction(AsyncConnection) as connection:
            await client.start(greet, "ada", tx=connection)
            with suppress(DBAPIError):
                await connection.execute(text("SELECT 1 / 0"))

    with pytest.raises(otelq.Unavailable, match="rolled back"):
        await swallow_an_error()

    assert await count(client) == 0


async def test_a_session_dependency_commits_after_the_request(
    client: otelq.Client, sessions: Sessions, hints: Remembering
) -> None:
    async def dependency() -> AsyncIterator[AsyncSession]:
        async with sessions.begin() as session:
            yield session

    async with aclosing(dependency()) as opened:  # type: ignore[type-var]  # it is a generator
        session = await anext(opened)
        await client.start(greet, "ada", tx=session)
        assert hints.due == []
        with suppress(StopAsyncIteration):
            await anext(opened)

    assert hints.due == ["greet"]


# Another way in than the client's own


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_client_connected_by_url_joins_sessions_too(url: str, dialect: str) -> None:
    engine = engine_for(url, dialect, poolclass=NullPool)
    async with otelq.connect(url) as client:
        async with AsyncSession(engine) as session:
            await client.start(greet, "gone", tx=session)
            await session.rollback()
            await client.start(greet, "kept", tx=session)
            await session.commit()

        assert await count(client) == 1
    await engine.dispose()
