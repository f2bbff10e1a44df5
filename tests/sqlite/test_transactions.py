"""Writing in the application's transactions, and in those that the adapter begins."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import aiosqlite
import pytest

from otelq.errors import InvalidArgument, NotFound, Unavailable
from otelq.model import Closure, Completes, Status
from otelq.ports.state import Ending
from otelq.sqlite.state import SqliteState

from .conftest import Connect, Open
from .shortcuts import count_jobs, elsewhere, job, lease, start

# The application's own connection


async def test_a_joined_rollback_leaves_nothing(state: SqliteState, connect: Connect) -> None:
    connection = await connect()
    await connection.execute("BEGIN IMMEDIATE")
    created, made = await state.create([job()], tx=state.join(connection))
    await connection.rollback()

    assert await count_jobs(state, created[0].chain_id) == 0
    assert await state.were_committed(made) == [False]
    assert await lease(state) == []


async def test_a_joined_commit_leaves_both_sides_writes(state: SqliteState, connect: Connect) -> None:
    connection = await connect()
    await connection.execute("CREATE TABLE orders (id INTEGER)")
    await connection.execute("INSERT INTO orders VALUES (7)")  # the driver begins a transaction by itself here
    chain = await start(state, tx=state.join(connection))
    assert await count_jobs(state, chain) == 0

    await connection.commit()

    assert await count_jobs(state, chain) == 1


class SlowCommit(sqlite3.Connection):
    """Says from the beginning of a COMMIT on that no transaction is open, as SQLite does, and takes long for it."""

    is_committing = False
    begun, may_end = threading.Event(), threading.Event()

    @property
    def in_transaction(self) -> bool:
        return super().in_transaction and not self.is_committing

    def commit(self) -> None:
        self.is_committing = True
        self.begun.set()
        self.may_end.wait()
        super().commit()
        self.is_committing = False


async def test_a_commit_under_way_is_not_taken_for_the_end_of_a_transaction(
    state: SqliteState, connect: Connect
) -> None:
    connection = await connect(factory=SlowCommit)
    await connection.execute("BEGIN IMMEDIATE")
    tx = state.join(connection)
    _, made = await state.create([job()], tx=tx)

    commit = asyncio.create_task(connection.commit())
    await asyncio.to_thread(SlowCommit.begun.wait)
    found_during = tx.active, await tx.is_over(), await state.were_committed(made)
    SlowCommit.may_end.set()
    await commit

    assert found_during == (False, False, [False])
    assert (await tx.is_over(), await state.were_committed(made)) == (True, [True])


async def test_a_verb_that_fails_in_a_joined_transaction_takes_back_its_own_writes_only(
    state: SqliteState, connect: Connect
) -> None:
    connection = await connect()
    await connection.execute("BEGIN IMMEDIATE")
    tx = state.join(connection)
    chain = await start(state, tx=tx)
    halfway = [Closure(chain_id=id, step="a", outcome=Completes("1")) for id in (chain, "nobody")]
    with pytest.raises(NotFound):
        await state.complete_externally(halfway, tx=tx)
    await connection.commit()

    assert (await state.outcomes([chain]))[chain].status is Status.READY


async def test_concurrent_verbs_in_one_transaction_take_turns(state: SqliteState, connect: Connect) -> None:
    connection = await connect()
    await connection.execute("BEGIN IMMEDIATE")
    chains = await asyncio.gather(*(start(state, tx=state.join(connection)) for _ in range(10)))
    await connection.commit()

    assert await count_jobs(state, *chains) == 10


async def test_a_deferred_transaction_that_has_read_and_was_overtaken_is_told_how_to_begin(
    state: SqliteState, connect: Connect
) -> None:
    connection = await connect()
    await connection.execute("BEGIN")
    await connection.execute_fetchall("SELECT count(*) FROM otelq_job")
    await start(state)

    with pytest.raises(Unavailable, match="BEGIN IMMEDIATE"):
        await start(state, tx=state.join(connection))


async def test_a_deferred_transaction_that_has_read_nothing_waits_for_the_lock(another: Open, connect: Connect) -> None:
    state, other, connection = await another(), await another(), await connect()
    await connection.execute("BEGIN")
    async with other.begin() as tx:
        first = await start(other, tx=tx)
        waiting = elsewhere(start(state, tx=state.join(connection)))
        await asyncio.wait([waiting], timeout=0.05)
    second = await waiting
    await connection.commit()

    assert await count_jobs(state, first, second) == 2


async def test_joining_without_an_open_transaction_says_how_to_open_one(state: SqliteState, connect: Connect) -> None:
    with pytest.raises(InvalidArgument, match=r"tx: no transaction is open.*BEGIN IMMEDIATE"):
        state.join(await connect())


async def test_joining_what_is_no_connection_names_what_is_needed(state: SqliteState) -> None:
    with pytest.raises(InvalidArgument, match=r"tx: is a str; give an open aiosqlite.Connection"):
        state.join("a string")


async def test_joining_a_closed_connection_is_refused(state: SqliteState, file: Path) -> None:
    async with aiosqlite.connect(file) as connection:
        pass

    with pytest.raises(InvalidArgument, match="tx"):
        state.join(connection)


@pytest.mark.parametrize("other", ["other.db", ":memory:"])
async def test_a_transaction_of_another_database_is_refused_by_the_first_verb(
    state: SqliteState, tmp_path: Path, other: str
) -> None:
    async with aiosqlite.connect(tmp_path / other if other != ":memory:" else other) as connection:
        await connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(InvalidArgument, match="another database"):
            await start(state, tx=state.join(connection))


async def test_a_transaction_that_ended_is_refused(state: SqliteState, connect: Connect) -> None:
    connection = await connect()
    await connection.execute("BEGIN IMMEDIATE")
    tx = state.join(connection)
    open_before = tx.active
    await connection.commit()

    assert (open_before, tx.active) == (True, False)
    with pytest.raises(InvalidArgument, match="tx"):
        await start(state, tx=tx)


async def test_the_driver_does_not_tell_how_a_joined_transaction_ends(state: SqliteState, connect: Connect) -> None:
    connection = await connect()
    await connection.execute("BEGIN IMMEDIATE")
    told: list[Ending] = []

    assert not state.join(connection).watch(told.append)

    await connection.commit()
    assert told == []


# The adapter's own


async def test_a_verb_without_tx_inside_a_transaction_raises_instead_of_waiting_for_itself(
    state: SqliteState,
) -> None:
    async with state.begin():
        with pytest.raises(InvalidArgument, match="tx"):
            await start(state)
        with pytest.raises(InvalidArgument, match="tx"):
            await asyncio.create_task(start(state))
        with pytest.raises(InvalidArgument, match="tx"):
            async with state.begin():
                pass
    await start(state)


async def test_a_question_without_tx_inside_a_transaction_sees_what_is_committed(state: SqliteState) -> None:
    async with state.begin() as tx:
        chain = await start(state, tx=tx)

        assert await count_jobs(state, chain) == 0
        assert list(await state.outcomes([chain], tx=tx)) == [chain]


async def test_a_verb_of_another_task_waits_for_the_transaction(state: SqliteState) -> None:
    async with state.begin() as tx:
        waiting = elsewhere(start(state))
        inside = await start(state, tx=tx)
        assert not waiting.done()

    assert await count_jobs(state, inside, await waiting) == 2


async def test_a_transaction_holds_the_write_lock_from_the_first_moment(state: SqliteState, connect: Connect) -> None:
    connection = await connect(timeout=0)
    async with state.begin():
        with pytest.raises(aiosqlite.OperationalError, match="locked"):
            await connection.execute("BEGIN IMMEDIATE")


async def test_transactions_of_one_process_take_turns(state: SqliteState) -> None:
    async def write() -> str:
        async with state.begin() as tx:
            return await start(state, tx=tx)

    chains = await asyncio.gather(*(elsewhere(write()) for _ in range(20)))

    assert await count_jobs(state, *chains) == 20


async def test_a_cancelled_transaction_is_rolled_back_and_the_lock_is_free(state: SqliteState) -> None:
    inside = asyncio.Event()
    new = job()

    async def write() -> None:
        async with state.begin() as tx:
            await state.create([new], tx=tx)
            inside.set()
            await asyncio.Event().wait()

    writing = elsewhere(write())
    await inside.wait()
    writing.cancel()
    await asyncio.wait([writing])

    assert await count_jobs(state, new.chain_id, await start(state)) == 1


FOR_EVER = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


async def test_a_cancel_ends_a_statement_that_would_keep_the_lock_for_ever(state: SqliteState) -> None:
    began = asyncio.Event()

    async def write() -> None:
        async with state.begin() as tx:
            await start(state, tx=tx)
            began.set()
            await tx.handle.execute(FOR_EVER)

    writing = elsewhere(write())
    await began.wait()
    writing.cancel()
    await asyncio.wait([writing])

    assert await count_jobs(state, await start(state)) == 1


async def _endings(state: SqliteState, *statements: str) -> Sequence[Ending]:
    """What a watcher is told that begins to watch before the application runs the statements itself."""
    told: list[Ending] = []
    async with state.begin() as tx:
        await start(state, tx=tx)
        assert tx.watch(told.append)
        for statement in statements:
            await tx.handle.execute(statement)
    return told


async def test_a_watcher_is_told_of_the_commit(state: SqliteState) -> None:
    assert await _endings(state) == [Ending.COMMITTED]


async def test_savepoints_that_are_kept_leave_no_doubt(state: SqliteState) -> None:
    assert await _endings(state, "SAVEPOINT a", "RELEASE a") == [Ending.COMMITTED]


@pytest.mark.parametrize("statements", [["COMMIT"], ["ROLLBACK", "BEGIN IMMEDIATE"]])
async def test_what_the_application_ends_by_hand_must_be_looked_up(state: SqliteState, statements: list[str]) -> None:
    assert await _endings(state, *statements) == [Ending.UNKNOWN]


async def test_a_block_that_is_left_well_after_its_user_rolled_back_is_not_taken_for_a_commit(
    state: SqliteState,
) -> None:
    with pytest.raises(Unavailable, match="ended by its user"):
        await _endings(state, "rollback")


async def test_a_savepoint_that_is_rolled_back_takes_what_was_written_in_it_and_no_more(state: SqliteState) -> None:
    assert await _endings(state, "SAVEPOINT a", 'ROLLBACK TO "a"') == [Ending.COMMITTED]

    told: list[list[Ending]] = [[], [], []]
    async with state.begin() as tx:
        await tx.handle.execute("SAVEPOINT a")
        for nr, statement in enumerate(("SAVEPOINT b", "RELEASE b", "ROLLBACK TRANSACTION TO SAVEPOINT A;")):
            await start(state, tx=tx)
            tx.watch(told[nr].append)
            await tx.handle.execute(statement)
        await start(state, tx=tx)
        tx.watch(told[2].append)
        assert told == [[Ending.ROLLED_BACK], [Ending.ROLLED_BACK], [Ending.ROLLED_BACK]]

    assert told[2][1:] == [Ending.COMMITTED]


async def test_a_savepoint_with_a_name_of_several_words_takes_back_what_was_written_in_it(state: SqliteState) -> None:
    told: list[Ending] = []
    async with state.begin() as tx:
        await tx.handle.execute('SAVEPOINT "My point"')
        await start(state, tx=tx)
        tx.watch(told.append)
        await tx.handle.execute("ROLLBACK TO [my point]")

    assert told == [Ending.ROLLED_BACK]


async def test_a_rollback_to_a_savepoint_that_sqlite_does_not_know_takes_nothing(state: SqliteState) -> None:
    told: list[Ending] = []
    async with state.begin() as tx:
        chain = await start(state, tx=tx)
        tx.watch(told.append)
        with pytest.raises(aiosqlite.OperationalError, match="no such savepoint"):
            await tx.handle.execute("ROLLBACK TO nobody")

    assert (told, await count_jobs(state, chain)) == ([Ending.COMMITTED], 1)


async def test_a_verb_that_failed_inside_leaves_no_doubt_about_the_others(state: SqliteState) -> None:
    told: list[Ending] = []
    async with state.begin() as tx:
        await start(state, tx=tx)
        tx.watch(told.append)
        with pytest.raises(Exception, match="refuses a value"):
            await start(state, tx=tx, input="{")

    assert told == [Ending.COMMITTED]


async def test_a_handle_of_another_kind_is_refused(state: SqliteState) -> None:
    with pytest.raises(InvalidArgument, match="kind"):
        state.begin(dict)


async def test_two_adapters_of_one_file_do_not_share_a_transaction_by_mistake(another: Open) -> None:
    mine, other = await another(), await another(busy_timeout=0)
    async with mine.begin() as tx:
        chain = await start(other, tx=other.join(tx.handle))
        with pytest.raises(Unavailable):
            await start(other)

    assert await count_jobs(other, chain) == 1
