"""SQLAlchemy over aiosqlite: the application's sessions and connections, and its engine as the whole connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import InvalidRequestError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import AsyncAdaptedQueuePool

import otelq
from otelq.errors import InvalidArgument, NotFound, Unavailable
from otelq.model import Closure, Completes, Status
from otelq.ports.state import Ending
from otelq.sqlite import adapter
from otelq.sqlite.state import SqliteState

from .conftest import Open, opened
from .shortcuts import count_jobs, elsewhere, job, start

Handle = AsyncSession | AsyncConnection
Begin = Callable[[], Handle]

COUNT = text("SELECT count(*) FROM otelq_job")


class Base(DeclarativeBase):
    pass


class Order(Base):
    """A row of a table that is not there."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str]


@pytest.fixture
async def engine(file: Path) -> AsyncIterator[AsyncEngine]:
    """The application's engine for the file."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    yield engine
    await engine.dispose()


@pytest.fixture
def sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine)


@pytest.fixture(params=["session", "connection"])
async def handle(request: pytest.FixtureRequest, engine: AsyncEngine) -> AsyncIterator[Handle]:
    """A session or a connection on which nothing was done yet."""
    async with AsyncSession(engine) if request.param == "session" else engine.connect() as handle:
        yield handle


@pytest.fixture
async def on_engine(
    another: Open, engine: AsyncEngine, sessions: async_sessionmaker[AsyncSession]
) -> AsyncIterator[SqliteState]:
    """An adapter that was given the engine and its sessions."""
    state = opened(adapter(engine, session=sessions))
    await state.open()
    yield state
    await state.close()


# The application's own transactions


async def test_a_start_as_the_first_statement_leaves_nothing_when_it_is_rolled_back(
    state: SqliteState, handle: Handle
) -> None:
    chain = await start(state, tx=state.join(handle))
    await handle.rollback()

    assert await count_jobs(state, chain) == 0


async def test_a_start_is_seen_by_others_after_the_commit_only(state: SqliteState, handle: Handle) -> None:
    chain = await start(state, tx=state.join(handle))
    before = await count_jobs(state, chain)
    await handle.commit()

    assert (before, await count_jobs(state, chain)) == (0, 1)


async def test_both_sides_writes_come_with_one_commit_or_not_at_all(state: SqliteState, handle: Handle) -> None:
    await handle.execute(text("CREATE TABLE orders (id INTEGER)"))
    await handle.commit()
    await handle.execute(text("INSERT INTO orders VALUES (1)"))
    kept = await start(state, tx=state.join(handle))
    await handle.commit()
    await handle.execute(text("INSERT INTO orders VALUES (2)"))
    dropped = await start(state, tx=state.join(handle))
    await handle.rollback()

    assert (await handle.execute(text("SELECT id FROM orders"))).scalars().all() == [1]
    assert (await count_jobs(state, kept), await count_jobs(state, dropped)) == (1, 0)


async def test_a_verb_that_fails_takes_back_its_own_writes_only(state: SqliteState, handle: Handle) -> None:
    chain = await start(state, tx=state.join(handle))
    halfway = [Closure(chain_id=id, step="a", outcome=Completes("1")) for id in (chain, "nobody")]
    with pytest.raises(NotFound):
        await state.complete_externally(halfway, tx=state.join(handle))
    await handle.commit()

    assert (await state.outcomes([chain]))[chain].status is Status.READY


async def test_a_question_sees_what_the_transaction_wrote(state: SqliteState, handle: Handle) -> None:
    tx = state.join(handle)
    chain = await start(state, tx=tx)

    assert list(await state.outcomes([chain], tx=tx)) == [chain]


async def test_what_a_session_read_before_does_not_keep_it_from_writing(state: SqliteState, handle: Handle) -> None:
    await handle.execute(COUNT)
    other = await start(state)
    chain = await start(state, tx=state.join(handle))
    await handle.commit()

    assert await count_jobs(state, chain, other) == 2


async def test_a_deferred_transaction_that_was_overtaken_is_told_how_to_begin(
    state: SqliteState, engine: AsyncEngine
) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def takes_control(connection: Any, _: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine.sync_engine, "begin")
    def begins(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    async with AsyncSession(engine) as session:
        await session.execute(COUNT)
        await start(state)
        with pytest.raises(Unavailable, match="BEGIN IMMEDIATE"):
            await start(state, tx=state.join(session))


async def test_a_connection_that_commits_by_itself_is_refused(state: SqliteState, engine: AsyncEngine) -> None:
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        with pytest.raises(InvalidArgument, match=r"tx: .*AUTOCOMMIT"):
            await start(state, tx=state.join(connection))


async def test_a_session_without_a_bind_is_refused(state: SqliteState) -> None:
    async with AsyncSession() as session:
        with pytest.raises(InvalidArgument, match=r"tx: has no bind"):
            state.join(session)


async def test_a_closed_connection_is_refused(state: SqliteState, engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        pass

    with pytest.raises(InvalidArgument, match=r"tx: is closed"):
        state.join(connection)


async def test_a_session_for_another_kind_of_database_is_refused(state: SqliteState) -> None:
    elsewhere = create_async_engine("postgresql+asyncpg://localhost/x")
    async with AsyncSession(elsewhere) as session:
        with pytest.raises(InvalidArgument, match=r"tx: is bound to postgresql"):
            state.join(session)


async def test_a_session_of_another_file_is_refused_by_the_first_verb(state: SqliteState, tmp_path: Path) -> None:
    other = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/other.db")
    async with AsyncSession(other) as session:
        with pytest.raises(InvalidArgument, match="another database"):
            await start(state, tx=state.join(session))
    await other.dispose()


async def test_a_transaction_that_ended_is_refused(state: SqliteState, handle: Handle) -> None:
    tx = state.join(handle)
    await start(state, tx=tx)
    await handle.commit()

    assert not tx.active
    with pytest.raises(InvalidArgument, match="tx: its transaction has ended"):
        await start(state, tx=tx)


# How they end


async def _watched(state: SqliteState, handle: Handle) -> list[Ending]:
    """What is told of the end of a start."""
    told: list[Ending] = []
    tx = state.join(handle)
    await start(state, tx=tx)
    assert tx.watch(told.append)
    return told


async def _until_told(told: list[Ending]) -> list[Ending]:
    while not told:
        await elsewhere(_pause())
    return told


async def _pause() -> None:
    pass


async def test_a_commit_is_told(state: SqliteState, handle: Handle) -> None:
    told = await _watched(state, handle)
    before = list(told)
    await handle.commit()

    assert (before, await _until_told(told)) == ([], [Ending.COMMITTED])


async def test_a_rollback_is_told(state: SqliteState, handle: Handle) -> None:
    told = await _watched(state, handle)
    await handle.rollback()

    assert await _until_told(told) == [Ending.ROLLED_BACK]


async def test_a_session_that_is_left_open_is_rolled_back_and_that_is_told(
    state: SqliteState, engine: AsyncEngine
) -> None:
    async with AsyncSession(engine) as session:
        told = await _watched(state, session)

    assert await _until_told(told) == [Ending.ROLLED_BACK]


async def test_a_savepoint_that_is_rolled_back_takes_its_own_alone(state: SqliteState, handle: Handle) -> None:
    outer = await _watched(state, handle)
    savepoint = await handle.begin_nested()
    inner = await _watched(state, handle)
    await savepoint.rollback()
    after = await _watched(state, handle)

    assert (outer, inner, after) == ([], [Ending.ROLLED_BACK], [])
    await handle.commit()
    assert [await _until_told(outer), await _until_told(after)] == [[Ending.COMMITTED]] * 2


async def test_a_savepoint_that_is_kept_ends_with_the_transaction(state: SqliteState, handle: Handle) -> None:
    await start(state, tx=state.join(handle))
    async with handle.begin_nested():
        told = await _watched(state, handle)
    kept = list(told)
    await handle.rollback()

    assert (kept, await _until_told(told)) == ([], [Ending.ROLLED_BACK])


async def test_a_savepoint_outside_of_any_transaction_of_sqlite_is_told_as_the_commit_that_it_is(
    state: SqliteState, handle: Handle
) -> None:
    told: list[Ending] = []
    async with handle.begin_nested():
        tx = state.join(handle)
        chain = await start(state, tx=tx)
        assert tx.watch(told.append)
    await handle.rollback()

    assert await _until_told(told) == [Ending.COMMITTED]
    assert await count_jobs(state, chain) == 1


async def test_what_ends_it_behind_sqlalchemys_back_must_be_looked_up(state: SqliteState, handle: Handle) -> None:
    told = await _watched(state, handle)
    await handle.execute(text("COMMIT"))
    await handle.commit()

    assert await _until_told(told) == [Ending.UNKNOWN]


async def test_a_begin_by_hand_after_the_watcher_leaves_no_doubt(state: SqliteState, handle: Handle) -> None:
    told: list[Ending] = []
    await handle.execute(text("SELECT 1"))
    assert state.join(handle).watch(told.append)
    await handle.execute(text("BEGIN IMMEDIATE"))
    await handle.commit()

    assert await _until_told(told) == [Ending.COMMITTED]


async def test_a_savepoint_with_a_name_of_several_words_takes_its_own_alone(state: SqliteState, handle: Handle) -> None:
    outer = await _watched(state, handle)
    await handle.execute(text('SAVEPOINT "My point"'))
    inner = await _watched(state, handle)
    await handle.execute(text("ROLLBACK TO 'my point'"))
    await handle.commit()

    assert (inner, await _until_told(outer)) == ([Ending.ROLLED_BACK], [Ending.COMMITTED])


async def test_the_next_transaction_of_a_handle_is_told_for_itself(state: SqliteState, handle: Handle) -> None:
    first = await _watched(state, handle)
    await handle.rollback()
    second = await _watched(state, handle)
    await handle.commit()

    assert (await _until_told(first), await _until_told(second)) == ([Ending.ROLLED_BACK], [Ending.COMMITTED])


async def test_a_statement_that_fails_in_the_next_transaction_is_no_failure_of_the_commit_before(
    state: SqliteState, handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otelq.sqlalchemy.watcher.COMMIT_POLL_INTERVAL", 0.2)
    told = await _watched(state, handle)
    await handle.commit()
    with pytest.raises(OperationalError, match="no such table: nobody"):
        await handle.execute(text("SELECT * FROM nobody"))

    assert await _until_told(told) == [Ending.COMMITTED]


async def test_a_session_that_must_be_rolled_back_first_is_refused_without_the_values_of_its_statement(
    state: SqliteState, engine: AsyncEngine
) -> None:
    async with AsyncSession(engine) as session:
        session.add(Order(id=1, note="secret"))
        with pytest.raises(OperationalError):
            await session.flush()
        with pytest.raises(InvalidArgument, match=r"tx: is aborted") as refused:
            await start(state, tx=state.join(session))

    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


@pytest.fixture
async def exhausted(file: Path) -> AsyncIterator[AsyncEngine]:
    """An engine whose one connection somebody has."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{file}",
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.01,
    )
    async with engine.connect():
        yield engine
    await engine.dispose()


async def test_a_session_for_which_the_pool_has_no_connection_left_is_unavailable(
    state: SqliteState, exhausted: AsyncEngine
) -> None:
    async with AsyncSession(exhausted) as session:
        with pytest.raises(Unavailable, match="no connection"):
            await start(state, tx=state.join(session))


@pytest.mark.parametrize("kind", [AsyncSession, AsyncConnection])
async def test_a_transaction_for_which_the_pool_has_no_connection_left_is_unavailable(
    exhausted: AsyncEngine, kind: type
) -> None:
    state = opened(adapter(exhausted))
    await state.open()
    with pytest.raises(Unavailable, match="no connection"):
        async with state.begin(kind):
            pass
    await state.close()


# The engine as the whole connection


@pytest.mark.parametrize(
    "kind, given",
    [(None, AsyncSession), *((kind, kind) for kind in (AsyncSession, AsyncConnection, aiosqlite.Connection))],
)
async def test_a_transaction_has_the_handle_that_was_asked_for(
    on_engine: SqliteState, kind: type | None, given: type
) -> None:
    async with on_engine.begin(kind) as tx:
        chain = await start(on_engine, tx=on_engine.join(tx.handle))
        assert isinstance(tx.handle, given)
        assert await count_jobs(on_engine, chain) == 0

    assert await count_jobs(on_engine, chain) == 1


async def test_without_sessions_the_usual_handle_is_a_connection(another: Open, engine: AsyncEngine) -> None:
    state = opened(adapter(engine))
    await state.open()
    async with state.begin() as tx:
        assert isinstance(tx.handle, AsyncConnection)
    async with state.begin(AsyncSession) as tx:
        assert isinstance(tx.handle, AsyncSession)
    await state.close()


async def test_a_handle_of_another_kind_is_refused(on_engine: SqliteState) -> None:
    with pytest.raises(
        InvalidArgument, match=r"kind: .*hands out aiosqlite.Connection, AsyncSession and AsyncConnection"
    ):
        on_engine.begin(dict)


@pytest.mark.parametrize("kind", [AsyncSession, AsyncConnection])
async def test_a_transaction_holds_the_write_lock_and_takes_it_back(on_engine: SqliteState, kind: type) -> None:
    new, waiting = job(), list[asyncio.Task[str]]()
    with suppress(ZeroDivisionError):
        async with on_engine.begin(kind) as tx:
            waiting.append(elsewhere(start(on_engine)))
            await on_engine.create([new], tx=tx)
            assert not waiting[0].done()
            raise ZeroDivisionError

    assert await count_jobs(on_engine, new.chain_id, await waiting[0]) == 1


@pytest.mark.parametrize("kind", [AsyncSession, AsyncConnection])
@pytest.mark.parametrize("fails", [False, True])
async def test_the_end_of_its_own_transactions_is_told(on_engine: SqliteState, kind: type, fails: bool) -> None:
    told: list[Ending] = []
    with suppress(ZeroDivisionError):
        async with on_engine.begin(kind) as tx:
            await start(on_engine, tx=tx)
            assert tx.watch(told.append)
            if fails:
                raise ZeroDivisionError

    assert told == [Ending.ROLLED_BACK if fails else Ending.COMMITTED]


@pytest.mark.parametrize("kind", [AsyncSession, AsyncConnection])
async def test_its_own_transactions_are_not_the_applications_to_commit(on_engine: SqliteState, kind: type) -> None:
    own = on_engine.begin(kind)
    tx = await own.__aenter__()
    chain = await start(on_engine, tx=tx)
    with pytest.raises(InvalidArgument, match="is committed by otelq") as refused:
        await tx.handle.commit()

    assert not await own.__aexit__(refused.type, refused.value, refused.tb)
    assert await count_jobs(on_engine, chain) == 0


@pytest.mark.parametrize("kind", [AsyncSession, AsyncConnection])
async def test_a_transaction_that_the_application_rolled_back_is_not_reported_as_committed(
    on_engine: SqliteState, kind: type
) -> None:
    own = on_engine.begin(kind)
    tx = await own.__aenter__()
    chain = await start(on_engine, tx=tx)
    await tx.handle.rollback()

    with pytest.raises(Unavailable, match="ended by its user"):
        await own.__aexit__(None, None, None)
    assert await count_jobs(on_engine, chain) == 0


@pytest.mark.parametrize("kind", [AsyncSession, AsyncConnection])
async def test_a_transaction_that_was_rolled_back_as_text_is_not_reported_as_committed(
    on_engine: SqliteState, kind: type
) -> None:
    own = on_engine.begin(kind)
    tx = await own.__aenter__()
    chain = await start(on_engine, tx=tx)
    await tx.handle.execute(text("ROLLBACK"))

    with pytest.raises(Unavailable, match="ended by its user"):
        await own.__aexit__(None, None, None)
    assert await count_jobs(on_engine, chain) == 0


@pytest.mark.parametrize("kind", [AsyncSession, AsyncConnection])
async def test_a_handle_is_of_no_use_after_its_transaction(on_engine: SqliteState, kind: type) -> None:
    async with on_engine.begin(kind) as tx:
        pass

    with pytest.raises(InvalidRequestError):
        await tx.handle.execute(COUNT)
    with pytest.raises(InvalidArgument, match="tx"):
        await start(on_engine, tx=on_engine.join(tx.handle))


async def test_a_savepoint_of_a_session_may_be_left_well(on_engine: SqliteState) -> None:
    async with on_engine.begin(AsyncSession) as tx, tx.handle.begin_nested():
        chain = await start(on_engine, tx=tx)

    assert await count_jobs(on_engine, chain) == 1


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite:///file::memory:?uri=true",
        "sqlite+aiosqlite:///file:shared?mode=memory&cache=shared&uri=true",
    ],
)
@pytest.mark.filterwarnings("ignore:Selection of the StaticPool")
async def test_an_engine_in_memory_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument, match=r"target: is an engine in memory.*sqlite\+aiosqlite:///jobs\.db"):
        adapter(create_async_engine(url))


async def test_an_engine_for_a_file_uri_is_taken(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///file:{tmp_path}/a%20file.db?uri=true")
    state = opened(adapter(engine))
    await state.open()
    async with state.begin() as tx:
        chain = await start(state, tx=tx)

    assert await count_jobs(state, chain) == 1
    assert (tmp_path / "a file.db").exists()
    await state.close()
    await engine.dispose()


async def test_sessions_of_another_engine_are_refused(engine: AsyncEngine, tmp_path: Path) -> None:
    other = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/other.db")
    with pytest.raises(InvalidArgument, match="session: is bound to another engine"):
        adapter(engine, session=async_sessionmaker(other))
    with pytest.raises(InvalidArgument, match="session: is dict"):
        adapter(engine, session={})


async def test_sessions_without_an_engine_are_refused(sessions: object) -> None:
    with pytest.raises(InvalidArgument, match="session: goes with an AsyncEngine"):
        adapter("sqlite:///jobs.db", session=sessions)


async def test_the_engine_stays_the_applications(on_engine: SqliteState, engine: AsyncEngine) -> None:
    await on_engine.close()

    async with engine.connect() as connection:
        assert (await connection.execute(COUNT)).scalar() == 0


jobs = otelq.Jobs()


@jobs.job("count")
async def counts(attempt: otelq.Attempt[int]) -> int:
    session = await attempt.completion(AsyncSession)
    await session.execute(text("INSERT INTO seen VALUES (:number)"), {"number": attempt.input})
    return attempt.input + 1


async def test_a_worker_closes_a_job_in_the_session_that_its_handler_wrote_in(
    engine: AsyncEngine, sessions: async_sessionmaker[AsyncSession]
) -> None:
    async with otelq.connect(engine, session=sessions) as client, otelq.Worker(client, jobs):
        async with sessions.begin() as session:
            await session.execute(text("CREATE TABLE seen (number INTEGER)"))
            chain = await client.start(counts, 7, tx=session)
        assert await client.result(chain, timeout=10) == 8

    async with sessions() as session:
        assert (await session.execute(text("SELECT number FROM seen"))).scalars().all() == [7]
