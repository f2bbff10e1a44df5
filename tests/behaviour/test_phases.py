"""The phases of an attempt: transactions on the way, the completion at the end, and what becomes of broken ones."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

import otelq

from .support import AT_ONCE, ONCE, RollBack, becomes, ended

other = otelq.JobType("other", input=int, output=int)

ON_SQL = pytest.mark.parametrize("client", ["sqlite", "postgres18", "postgres16"], indirect=True)


async def started(client: otelq.Client) -> list[str]:
    return sorted([job.input or "" for job in (await client.jobs(type="other")).items])


async def test_an_attempt_has_as_many_transactions_as_it_wants_and_one_completion(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("writes-much", retry=ONCE)
    async def writes_much(attempt: otelq.Attempt[None]) -> int:
        for n in range(3):
            with suppress(RollBack):
                async with attempt.transaction() as tx:
                    await attempt.client.start(other, n, tx=tx)
                    if n == 1:
                        raise RollBack
        tx = await attempt.completion()
        await attempt.client.start(other, 3, tx=tx)
        await attempt.client.start(other, 4, tx=await attempt.completion())
        return 2

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(writes_much, None), timeout=10) == 2
    assert await started(client) == ["0", "2", "3", "4"]


async def test_an_error_after_the_last_write_rolls_back_all_of_the_completion_and_the_job_comes_again(
    client: otelq.Client,
) -> None:
    jobs = otelq.Jobs()

    @jobs.job("throws-late", retry=otelq.RetryPolicy(initial=500, jitter=0))
    async def throws_late(attempt: otelq.Attempt[None]) -> str:
        tx = await attempt.completion()
        for n in range(3):
            await attempt.client.start(other, 10 * attempt.number + n, tx=tx)
        if attempt.number == 1:
            raise ValueError("after the last write")
        return "done"

    async with otelq.Worker(client, jobs):
        chain = await client.start(throws_late, None)
        job = await becomes(client, chain, "scheduled")
        assert (job.attempt, await started(client)) == (1, [])
        await client.trigger(chain)
        assert await client.result(chain, timeout=10) == "done"
    assert await started(client) == ["20", "21", "22"]


async def swallow_sql_error(tx: Any) -> None:
    with suppress(Exception):
        await tx.execute("SELECT no_such_column FROM no_such_table")


async def swallow_a_refused_start(attempt: otelq.Attempt[None], tx: Any) -> None:
    with suppress(otelq.OtelqError):
        await attempt.client.start(other, 1, tx=tx, id=attempt.chain_id)


@pytest.mark.parametrize("client", ["postgres18", "postgres16"], indirect=True)
async def test_a_completion_poisoned_by_a_swallowed_error_fails_the_attempt_with_back_off(
    client: otelq.Client,
) -> None:
    jobs = otelq.Jobs()

    @jobs.job("poisons", retry=otelq.RetryPolicy(initial=500, jitter=0))
    async def poisons(attempt: otelq.Attempt[None]) -> str:
        tx = await attempt.completion()
        await attempt.client.start(other, attempt.number, tx=tx)
        if attempt.number == 1:
            await swallow_sql_error(tx)
        return "done"

    async with otelq.Worker(client, jobs):
        chain = await client.start(poisons, None)
        job = await becomes(client, chain, "scheduled")
        [attempt] = await client.attempts(f"{chain.id}.0")
        assert (job.attempt, attempt.verb, await started(client)) == (1, "retry", [])
        assert attempt.failure is not None
        assert "current transaction is aborted" in attempt.failure.text
        await client.trigger(chain)
        assert await client.result(chain, timeout=10) == "done"
    assert await started(client) == ["2"]


@pytest.mark.parametrize("client", ["sqlite"], indirect=True)
async def test_a_swallowed_error_does_not_poison_where_the_database_goes_on(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("recovers", retry=ONCE)
    async def recovers(attempt: otelq.Attempt[None]) -> str:
        tx = await attempt.completion()
        await attempt.client.start(other, 1, tx=tx)
        await swallow_sql_error(tx)
        await attempt.client.start(other, 2, tx=tx)
        return "done"

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(recovers, None), timeout=10) == "done"
    assert await started(client) == ["1", "2"]


async def test_a_completion_whose_start_was_refused_neither_hangs_nor_closes_the_job_half(
    client: otelq.Client,
) -> None:
    jobs = otelq.Jobs()

    @jobs.job("collides", retry=AT_ONCE)
    async def collides(attempt: otelq.Attempt[None]) -> str:
        tx = await attempt.completion()
        await attempt.client.start(other, attempt.number, tx=tx)
        if attempt.number < 3:
            await swallow_a_refused_start(attempt, tx)
        return f"attempt {attempt.number}"

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(collides, None))
    assert job.status == "completed"
    assert await started(client) == [str(job.attempt)]  # the writes of the attempt that closed it, and of no other


@ON_SQL
async def test_a_transaction_of_its_own_that_is_poisoned_harms_nothing_else(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("poisons-one", retry=ONCE)
    async def poisons_one(attempt: otelq.Attempt[None]) -> str:
        with suppress(Exception):
            async with attempt.transaction() as tx:
                await attempt.client.start(other, 1, tx=tx)
                await tx.execute("SELECT no_such_column FROM no_such_table")
        await attempt.client.start(other, 2, tx=await attempt.completion())
        return "done"

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(poisons_one, None), timeout=10) == "done"
    assert await started(client) == ["2"]


# Concurrency of a type, where chains go on in one slot


async def test_no_more_jobs_of_a_type_run_at_once_though_chains_continue_into_it(client: otelq.Client) -> None:
    jobs = otelq.Jobs()
    running = most = 0

    @jobs.job("narrow", concurrency=2)
    async def narrow(attempt: otelq.Attempt[int]) -> int | otelq.Continue[int]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(3):
            await asyncio.sleep(0)  # let the others begin
        running -= 1
        return attempt.input if attempt.input == 0 else attempt.continue_with(narrow, attempt.input - 1)

    @jobs.job("wide")
    async def wide(attempt: otelq.Attempt[int]) -> otelq.Continue[int]:
        return attempt.continue_with(narrow, attempt.input)

    async with otelq.Worker(client, jobs, concurrency=10):
        for chain in await client.start_many(wide, [3] * 12):
            assert await client.result(chain, timeout=20) == 0
    assert most == 2


async def test_each_step_of_a_chain_has_the_lease_of_its_own_type(memory: otelq.Client) -> None:
    jobs = otelq.Jobs()

    async def lease_of(attempt: otelq.Attempt[None]) -> float:
        job = await attempt.client.job(attempt.job_id)
        assert job.leased_until is not None
        return (job.leased_until - job.created_at).total_seconds()

    @jobs.job("long", lease=500)
    async def long(attempt: otelq.Attempt[None]) -> float:
        return await lease_of(attempt)

    @jobs.job("short", lease=50)
    async def short(attempt: otelq.Attempt[None]) -> float | otelq.Continue[float]:
        assert 45 < await lease_of(attempt) < 55
        return attempt.continue_with(long, None)

    async with otelq.Worker(memory, jobs):
        assert 495 < await memory.result(await memory.start(short, None), timeout=10) < 505
