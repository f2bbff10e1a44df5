"""The lock of writers whose blocker rows may close a cycle: a row, beside the advisory lock of the release before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from otelq.errors import Unavailable
from otelq.model import Blocks, Claimed, Closure, Continues, SettleResult, Status, Successor
from otelq.postgres import adapter
from otelq.postgres.qualify import qualify
from otelq.postgres.state import PostgresState
from otelq.postgres.statements import Statement, read

from .conftest import Connect, Open, WaitForLock
from .shortcuts import lease, settle, start, status

BUSY = (SettleResult.BUSY,)
DONE = (SettleResult.DONE,)
ADVISORY = "SELECT pg_advisory_xact_lock(hashtextextended('otelq waits of \"otelq\"', 0))"


async def waited_on(state: PostgresState, type: str) -> Claimed:
    """Return a running job for whose chain another waits, so that a wait of it takes the lock."""
    chain = await start(state, type)
    await start(state, "dependent", blockers=(chain,))
    (running,) = await lease(state, type)
    return running


@pytest.fixture
async def elsewhere(state: PostgresState, postgres_url: str) -> AsyncIterator[PostgresState]:
    """An adapter whose advisory locks exclude nobody, as those of another node of a cluster."""
    other = adapter(postgres_url)
    assert isinstance(other, PostgresState)
    await other.open()
    queries = other._database.queries
    for name in ("lock_cycle_check", "try_lock_cycle_check"):
        text = read(f"sql/{name}.sql").replace("otelq waits of", "elsewhere")
        assert "elsewhere" in text
        queries._statements[name,] = Statement(qualify(queries.fill(text)), is_timed=False)
    yield other
    await other.close()


async def test_a_worker_is_kept_out_by_the_row_alone(
    state: PostgresState, elsewhere: PostgresState, opened: Open
) -> None:
    first, second = await waited_on(state, "a"), await waited_on(state, "b")
    wait = Blocks((await start(state, "target"),))
    transaction = await opened()
    await settle(state, [first], wait, tx=state.join(transaction.connection))
    before = await start(state, "target")

    meanwhile = await settle(elsewhere, [second], Blocks((before,)))
    await transaction.end()

    assert meanwhile.results == BUSY
    assert (await settle(elsewhere, [second], Blocks((before,)))).results == DONE


async def test_a_client_waits_for_the_row_alone(
    state: PostgresState, elsewhere: PostgresState, opened: Open, wait_for_lock: WaitForLock
) -> None:
    first, second = await waited_on(state, "a"), await waited_on(state, "b")
    targets = [await start(state, "target") for _ in range(2)]
    transaction = await opened()
    await settle(state, [first], Blocks((targets[0],)), tx=state.join(transaction.connection))

    following = Continues(Successor(type="next", input="1", blockers=(targets[1],)))
    closure = Closure(chain_id=second.lease.chain_id, step="b", outcome=following)
    going_on = asyncio.create_task(elsewhere.complete_externally([closure]))
    await wait_for_lock()
    await transaction.end()
    await going_on

    assert await status(state, second.lease.chain_id) is Status.BLOCKED


async def test_a_worker_of_the_release_before_is_kept_out_and_keeps_others_out(
    state: PostgresState, opened: Open
) -> None:
    running = await waited_on(state, "a")
    wait = Blocks((await start(state, "target"),))
    old = await opened()
    await old.connection.fetch(ADVISORY)

    meanwhile = await settle(state, [running], wait)
    await old.end()
    ours = await opened()
    settled = await settle(state, [running], wait, tx=state.join(ours.connection))
    old = await opened()
    was_free = await old.connection.fetchval(ADVISORY.replace("pg_advisory", "pg_try_advisory"))

    assert (meanwhile.results, settled.results, was_free) == (BUSY, DONE, False)


async def test_a_missing_row_is_an_error_that_says_how_to_restore_it(state: PostgresState, connect: Connect) -> None:
    running = await waited_on(state, "a")
    target = await start(state, "target")
    connection = await connect()
    await connection.execute("DELETE FROM otelq.cycle_check")
    following = Continues(Successor(type="next", input="1", blockers=(target,)))
    closure = Closure(chain_id=running.lease.chain_id, step="a", outcome=following)

    with pytest.raises(Unavailable, match="cycle_check"):
        await settle(state, [running], Blocks((target,)))
    with pytest.raises(Unavailable) as raised:
        await state.complete_externally([closure])
    await connection.execute(str(raised.value).rpartition(": ")[2])

    assert (await settle(state, [running], Blocks((target,)))).results == DONE


async def test_emptying_the_tables_keeps_the_row(state: PostgresState, connect: Connect) -> None:
    await state.truncate_all()

    assert await (await connect()).fetchval("SELECT count(*) FROM otelq.cycle_check") == 1


async def test_there_is_never_a_second_row(state: PostgresState, connect: Connect) -> None:
    connection = await connect()
    for value in ("DEFAULT", "false", "NULL"):
        with pytest.raises(Exception, match="constraint"):
            await connection.execute(f"INSERT INTO otelq.cycle_check VALUES ({value})")
