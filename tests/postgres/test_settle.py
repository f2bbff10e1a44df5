"""Batches of outcomes beside locks, lost replies and poison."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from otelq.errors import Refused
from otelq.model import (
    ClaimSuccessor,
    Completes,
    Continues,
    Fails,
    Failure,
    NewJob,
    Outcome,
    Releases,
    Renewal,
    Retries,
    Settlement,
    SettleResult,
    Snoozes,
    Status,
    Successor,
)
from otelq.postgres.state import PostgresState

from .conftest import Connect
from .shortcuts import job, lease, settle, start, status

OUTCOMES: list[Outcome] = [
    Completes('{"a": 1}'),
    Fails(Failure("E", "no")),
    Retries(5.0, Failure("E", "no")),
    Retries(0.0, Failure("E", "no")),
    Snoozes(5.0),
    Releases(),
    Continues(Successor(type="b", input="2")),
    Continues(Successor(type="b", input="2", delay=5.0)),
    Continues(Successor(type="b", input="2"), ClaimSuccessor(token=7, lease=30.0)),
]


async def test_a_users_lock_on_one_row_stops_no_other_renewal(state: PostgresState, connect: Connect) -> None:
    await state.create([job() for _ in range(100)])
    claimed = await lease(state, limit=100)
    user = await connect()

    async with user.transaction():
        locked = claimed[50].lease.chain_id
        await user.execute("SELECT FROM otelq.open_job WHERE chain_id = $1 FOR UPDATE", locked)
        verdicts = await state.renew([Renewal(each.lease, 30.0) for each in claimed])

    assert verdicts.count(SettleResult.DONE) == 99
    assert verdicts[50] is SettleResult.BUSY


async def test_a_users_lock_on_one_row_stops_no_other_settlement(state: PostgresState, connect: Connect) -> None:
    await state.create([job() for _ in range(100)])
    claimed = await lease(state, limit=100)
    user = await connect()

    async with user.transaction():
        locked = claimed[50].lease.chain_id
        await user.execute("SELECT FROM otelq.open_job WHERE chain_id = $1 FOR UPDATE", locked)
        settled = await settle(state, claimed)

    assert settled.results.count(SettleResult.DONE) == 99
    assert settled.results[50] is SettleResult.BUSY
    assert (await settle(state, [claimed[50]])).results == (SettleResult.DONE,)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
async def test_an_outcome_sent_again_after_a_lost_reply_gives_the_same_reply(
    state: PostgresState, outcome: Outcome
) -> None:
    await start(state)
    claimed = await lease(state)

    first = await settle(state, claimed, outcome)
    second = await settle(state, claimed, outcome)

    assert first.results == (SettleResult.DONE,)
    assert second == first


@pytest.mark.parametrize("outcome", OUTCOMES[:2], ids=["completes", "fails"])
async def test_a_lost_reply_is_told_again_with_what_happened_to_those_who_waited(
    state: PostgresState, outcome: Outcome
) -> None:
    blocker = await start(state)
    dependent = await start(state, "b", blockers=(blocker,))
    await start(state, "c", blockers=(dependent,))
    claimed = await lease(state)

    first = await settle(state, claimed, outcome)

    assert len(first.transitions) > 1
    assert await settle(state, claimed, outcome) == first


@pytest.mark.parametrize("blocked", [False, True])
async def test_a_start_sent_again_after_a_lost_reply_is_the_same_start(state: PostgresState, blocked: bool) -> None:
    new: NewJob = job(delay=10.0, blockers=(await start(state),) if blocked else ())

    first = await state.create([new])
    second = await state.create([new], resent=True)

    assert second == first
    assert not first[0][0].exists


async def test_one_poison_value_refuses_the_batch_and_writes_nothing(state: PostgresState) -> None:
    await state.create([job() for _ in range(3)])
    claimed = await lease(state, limit=3)
    outcomes: list[Outcome] = [Completes("1"), Completes("1e400000"), Retries(1.0, Failure("E", "no"))]

    with pytest.raises(Refused):
        await state.settle([Settlement(each, what, "w") for each, what in zip(claimed, outcomes, strict=True)])

    assert [await status(state, each.lease.chain_id) for each in claimed] == [Status.RUNNING] * 3


async def test_settlements_in_any_order_never_wait_for_each_other(state: PostgresState) -> None:
    await state.create([job() for _ in range(200)])
    claimed = await lease(state, limit=200)
    chance = random.Random(7)
    batches = [chance.sample(claimed, 200) for _ in range(4)]

    settled = await asyncio.gather(*(settle(state, batch) for batch in batches))

    assert {verdict for each in settled for verdict in each.results} <= {SettleResult.DONE, SettleResult.BUSY}
    assert set((await settle(state, claimed)).results) == {SettleResult.DONE}


async def test_in_the_users_transaction_a_settlement_waits_for_the_lock(
    state: PostgresState, connect: Connect, wait_for_lock: Callable[..., Awaitable[None]]
) -> None:
    await start(state)
    claimed = await lease(state)
    user, own = await connect(), await connect()
    lock = user.transaction()
    await lock.start()
    await user.execute("SELECT FROM otelq.open_job FOR UPDATE")

    async with own.transaction():
        settling = asyncio.create_task(settle(state, claimed, tx=state.join(own)))
        await wait_for_lock()
        await lock.rollback()
        settled = await settling

    assert settled.results == (SettleResult.DONE,)


async def test_a_verb_that_lost_a_deadlock_against_a_user_is_done_again(
    state: PostgresState, connect: Connect, wait_for_lock: Callable[..., Awaitable[None]]
) -> None:
    first, second = sorted([await start(state), await start(state)])
    user = await connect()
    await user.execute("SET deadlock_timeout = '1min'")
    lock = "SELECT FROM otelq.open_job WHERE chain_id = $1 FOR UPDATE"
    transaction = user.transaction()
    await transaction.start()
    await user.execute(lock, second)

    cancelling = asyncio.create_task(state.cancel([second, first]))
    await wait_for_lock()
    await user.execute(lock, first)
    await transaction.commit()

    assert [change.chain_id for change in await cancelling] == [second, first]
