"""One write lock for all processes: who waits, who passes over, who goes first."""

from __future__ import annotations

import asyncio

import pytest

from otelq.errors import Unavailable
from otelq.model import ReapRule, Renewal, SettleResult
from otelq.sqlite.state import SqliteState

from .conftest import Connect, Open
from .shortcuts import count_jobs, elsewhere, lease, settle, start

RULE = ReapRule(type="a", max_attempts=None, max_crashes=5)


async def test_a_lock_held_too_long_is_unavailable(another: Open, connect: Connect) -> None:
    state, connection = await another(busy_timeout=0.05), await connect()
    await connection.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match="locked"):
        await start(state)
    with pytest.raises(Unavailable, match="locked"):
        async with state.begin():
            pass


async def test_a_transaction_of_the_same_process_held_too_long_is_unavailable(another: Open) -> None:
    state = await another(busy_timeout=0.05)
    async with state.begin():
        with pytest.raises(Unavailable, match="of this process"):
            await elsewhere(start(state))


async def test_a_lock_that_is_let_go_in_time_is_waited_for(state: SqliteState, connect: Connect) -> None:
    connection = await connect()
    await connection.execute("BEGIN IMMEDIATE")
    waiting = elsewhere(start(state))
    await asyncio.wait([waiting], timeout=0.02)
    await connection.rollback()

    assert await count_jobs(state, await waiting) == 1


async def test_what_a_worker_finds_locked_is_busy_or_passed_over(another: Open, connect: Connect) -> None:
    state, connection = await another(busy_timeout=0), await connect()
    await start(state)
    await start(state)
    (job,) = await lease(state)
    await connection.execute("BEGIN IMMEDIATE")

    assert (await settle(state, job)).results == (SettleResult.BUSY,)
    assert await state.renew([Renewal(job.lease, 30)]) == [SettleResult.BUSY]
    assert await lease(state) == []
    assert await state.reap([RULE]) == []
    assert await state.unblock_pending() == []

    await connection.rollback()
    assert (await settle(state, job)).results == (SettleResult.DONE,)


async def test_a_renewal_under_an_open_transaction_is_busy_and_then_done(another: Open) -> None:
    state, keeper = await another(), await another(busy_timeout=0.05)
    await start(state)
    (job,) = await lease(state)
    renewal = [Renewal(job.lease, 30)]

    async with state.begin():
        assert await state.renew(renewal) == [SettleResult.BUSY]
        assert await keeper.renew(renewal) == [SettleResult.BUSY]

    assert await keeper.renew(renewal) == [SettleResult.DONE]


async def test_a_renewal_that_waited_for_the_lock_is_not_lost_to_a_reaper_that_waited_too(another: Open) -> None:
    state, keeper, reaper = await another(), await another(), await another()
    await start(state)
    (job,) = await lease(state, seconds=0)

    async with state.begin():
        reaping = elsewhere(reaper.reap([RULE]))
        renewing = elsewhere(keeper.renew([Renewal(job.lease, 30)]))
        await asyncio.wait([reaping, renewing], timeout=0.05)

    assert await reaping == []
    assert await renewing == [SettleResult.DONE]
    assert await reaper.reap([RULE]) == []


async def test_a_reaper_that_did_not_wait_reaps(state: SqliteState) -> None:
    await start(state)
    await lease(state, seconds=0)

    assert len(await state.reap([RULE])) == 1


async def test_a_reaper_skips_the_round_in_which_its_own_process_held_the_lock(state: SqliteState) -> None:
    await start(state)
    await lease(state, seconds=0)

    async with state.begin():
        reaping = elsewhere(state.reap([RULE]))
        await asyncio.wait([reaping], timeout=0.02)

    assert await reaping == []


async def test_the_reader_notices_what_others_wrote(another: Open) -> None:
    mine, other = await another(), await another()
    await mine.changed()
    assert not await mine.changed()

    await start(other)

    assert await mine.changed()
    assert not await mine.changed()


async def test_a_sibling_works_on_the_same_jobs_in_another_loop(state: SqliteState) -> None:
    chain = await start(state)
    sibling = state.sibling()
    assert sibling is not None

    async def look() -> int:
        await sibling.open(migrate=False)
        try:
            return len(await sibling.outcomes([chain]))
        finally:
            await sibling.close()

    assert await asyncio.to_thread(asyncio.run, look()) == 1
