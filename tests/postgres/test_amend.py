"""Jobs that are taken over, expire or are amended while others claim or close them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from otelq.errors import InvalidArgument, JobAlreadyClosed
from otelq.model import Amendment, ChainOutcome, Completes, NewJob, Settlement, SettleResult, Status, Verb
from otelq.postgres.state import PostgresState

from .conftest import Open, WaitForLock
from .shortcuts import job, lease, settle, start, status, verbs, wanted


@pytest.mark.parametrize("committed", [True, False])
async def test_a_take_over_waits_for_a_completion_that_is_open(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, committed: bool
) -> None:
    chain = await start(state)
    claimed = await lease(state)
    transaction = await opened()
    await settle(state, claimed, tx=state.join(transaction.connection))

    taking = asyncio.create_task(state.take_over([chain]))
    await wait_for_lock()
    await transaction.end(committed=committed)

    if committed:
        with pytest.raises(JobAlreadyClosed):
            await taking
    else:
        assert verbs(await taking) == [Verb.TAKE_OVER]
    assert await status(state, chain) is (Status.COMPLETED if committed else Status.READY)


@pytest.mark.parametrize("committed", [True, False])
async def test_a_worker_does_not_wait_for_a_take_over_and_loses_its_lease_with_it(
    state: PostgresState, opened: Open, committed: bool
) -> None:
    chain = await start(state)
    claimed = await lease(state)
    transaction = await opened()
    await state.take_over([chain], tx=state.join(transaction.connection))

    meanwhile = await settle(state, claimed)
    await transaction.end(committed=committed)
    settled = await settle(state, claimed)

    assert meanwhile.results == (SettleResult.BUSY,)
    assert settled.results == (SettleResult.LOST if committed else SettleResult.DONE,)


async def test_take_overs_and_completions_at_once_give_each_job_to_one(state: PostgresState) -> None:
    await state.create([job() for _ in range(60)])
    claimed = await lease(state, limit=60)
    chains = [each.lease.chain_id for each in claimed]

    async def take(chain: str) -> bool:
        try:
            return bool(await state.take_over([chain]))
        except JobAlreadyClosed:
            return False

    taking = asyncio.gather(*(take(chain) for chain in chains))
    completing = asyncio.gather(*(state.settle([Settlement(each, Completes("1"), "w")]) for each in claimed))
    taken, settled = await taking, [answer.results[0] for answer in await completing]

    assert all(
        verdict is SettleResult.BUSY or (verdict is SettleResult.DONE) is not was_taken
        for verdict, was_taken in zip(settled, taken, strict=True)
    )


async def test_each_expiring_job_is_either_claimed_or_cancelled(state: PostgresState) -> None:
    before = datetime.now(UTC) - timedelta(hours=1)
    after = before + timedelta(seconds=11)
    for _ in range(10):
        jobs = [job(expires=10.0) for _ in range(40)]
        await state.create(jobs, now=before)

        claiming = asyncio.gather(_claim(state, before + timedelta(seconds=1)))
        expiring = asyncio.gather(*(state.expire(limit=15, now=after) for _ in range(4)))
        (leased,) = await claiming
        closed = [change.chain_id for made in await expiring for change in made]

        assert len(closed) == len(set(closed))
        assert not leased & set(closed)
        await state.expire(now=after)
        assert {chain: outcome.status for chain, outcome in (await _outcomes(state, jobs)).items()} == {
            each.chain_id: Status.RUNNING if each.chain_id in leased else Status.CANCELLED for each in jobs
        }
        await state.truncate_all()


async def _claim(state: PostgresState, now: datetime) -> set[str]:
    claimed, _ = await state.claim([wanted(limit=20)], worker="w", token=1, now=now)
    return {each.lease.chain_id for each in claimed}


async def _outcomes(state: PostgresState, jobs: list[NewJob]) -> Mapping[str, ChainOutcome]:
    return await state.outcomes([each.chain_id for each in jobs])


async def test_an_expiring_job_that_somebody_has_locked_is_passed_over(state: PostgresState, opened: Open) -> None:
    before = datetime.now(UTC) - timedelta(hours=1)
    jobs = [job(expires=10.0), job(expires=10.0)]
    await state.create(jobs, now=before)
    transaction = await opened()
    await state.lock([jobs[0].chain_id], tx=state.join(transaction.connection))

    meanwhile = await state.expire()
    await transaction.end()

    assert [change.chain_id for change in meanwhile] == [jobs[1].chain_id]
    assert [change.chain_id for change in await state.expire()] == [jobs[0].chain_id]


async def test_an_amendment_waits_for_a_lock_and_refuses_what_runs_by_then(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock
) -> None:
    chain = await start(state)
    transaction = await opened()
    await state.lock([chain], tx=state.join(transaction.connection))

    amending = asyncio.create_task(state.amend([Amendment(chain_id=chain, priority=3)]))
    await wait_for_lock()
    claimed = await lease(state)
    await transaction.end()

    assert claimed == []
    assert verbs(await amending) == [Verb.AMEND]
    (running,) = await lease(state)
    assert running.priority == 3
    with pytest.raises(InvalidArgument, match="running"):
        await state.amend([Amendment(chain_id=chain, priority=4)])


async def test_a_locked_chain_is_not_moved_until_its_transaction_ends(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock
) -> None:
    chain = await start(state)
    transaction = await opened()
    (record,) = await state.lock([chain], tx=state.join(transaction.connection))

    cancelling = asyncio.create_task(state.cancel([chain]))
    await wait_for_lock()
    assert await lease(state) == []
    await transaction.end()

    assert (record.chain_id, record.status) == (chain, Status.READY)
    assert verbs(await cancelling) == [Verb.CANCEL]
