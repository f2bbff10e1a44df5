"""Claims beside other claims, and what they lock."""

from __future__ import annotations

import pytest

from otelq.model import Claimed, ReapRule
from otelq.postgres import claim
from otelq.postgres.drivers.asyncpg import AsyncpgConnection
from otelq.postgres.state import PostgresState

from .conftest import Connect
from .shortcuts import job, lease, wanted


async def claim_inside(state: PostgresState, connection: object, limit: int) -> list[Claimed]:
    """A claim whose commit is still to come."""
    session = state._database.session(AsyncpgConnection(connection), None)
    claimed, _ = await claim.claim(session, [wanted(limit=limit)], worker="other", token=99, include_suspect=True)
    return claimed


@pytest.mark.parametrize("priorities", [1, 3])
async def test_a_claim_during_another_claim_gets_the_next_ready_jobs(
    state: PostgresState, connect: Connect, priorities: int
) -> None:
    await state.create([job(priority=n % priorities) for n in range(600)])
    other = await connect()

    async with other.transaction():
        theirs = await claim_inside(state, other, 100)
        ours = await lease(state, limit=100)

    assert len(theirs) == len(ours) == 100
    assert not {each.lease.chain_id for each in theirs} & {each.lease.chain_id for each in ours}


async def test_a_claim_goes_on_to_the_next_priority_past_one_that_another_claim_holds(
    state: PostgresState, connect: Connect
) -> None:
    await state.create([job(priority=1) for _ in range(10)] + [job(priority=2) for _ in range(10)])
    other = await connect()

    async with other.transaction():
        await claim_inside(state, other, 10)
        ours = await lease(state, limit=10)

    assert [each.priority for each in ours] == [2] * 10


async def test_a_claim_locks_no_row_that_it_does_not_claim(state: PostgresState, connect: Connect) -> None:
    await state.create([job(priority=n % 3) for n in range(300)])
    other, observer = await connect(), await connect()

    async with other.transaction():
        await claim_inside(state, other, 10)
        free = await observer.fetch("SELECT FROM otelq.open_job FOR UPDATE SKIP LOCKED")

    assert len(free) == 290


async def test_a_claim_passes_over_rows_that_a_user_has_locked(state: PostgresState, connect: Connect) -> None:
    await state.create([job() for _ in range(10)])
    user = await connect()

    async with user.transaction():
        locked = await user.fetch("SELECT chain_id::text FROM otelq.open_job ORDER BY chain_id LIMIT 4 FOR UPDATE")
        ours = await lease(state, limit=10)

    assert len(ours) == 6
    assert not {row["chain_id"] for row in locked} & {each.lease.chain_id for each in ours}


async def test_at_most_one_suspect_is_claimed_at_a_time(state: PostgresState) -> None:
    await state.create([job() for _ in range(3)])
    await lease(state, limit=3, seconds=0.0)
    await state.reap([ReapRule(type="a", max_attempts=None, max_crashes=5)])
    await state.create([job()])

    claimed = await lease(state, limit=10)

    assert sorted(each.crashes for each in claimed) == [0, 1]


async def test_a_suspect_waits_its_turn_behind_better_priorities(state: PostgresState) -> None:
    await state.create([job(priority=5)])
    await lease(state, seconds=0.0)
    await state.reap([ReapRule(type="a", max_attempts=None, max_crashes=5)])
    await state.create([job(priority=1) for _ in range(2)])

    claimed = [await lease(state, limit=1) for _ in range(3)]

    assert [job.priority for (job,) in claimed] == [1, 1, 5]


async def test_a_claim_commits_without_waiting_for_the_disk_and_changes_no_setting(
    state: PostgresState, connect: Connect
) -> None:
    await state.create([job()])
    connection = await connect()

    (claimed,) = await claim_inside(state, connection, 1)

    assert claimed.attempt == 1
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
