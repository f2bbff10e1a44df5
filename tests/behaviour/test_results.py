"""Waiting for the output of a chain."""

from __future__ import annotations

import asyncio

import pytest

import otelq

from .support import ONCE, Away, Deaf, ended, until

jobs = otelq.Jobs()


@jobs.job("answer")
async def answer(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@jobs.job("breaks", retry=ONCE)
async def breaks(attempt: otelq.Attempt[None]) -> None:
    raise ValueError("beyond repair")


async def waiting(client: otelq.Client, chain: otelq.Chain[int]) -> asyncio.Task[int]:
    """A task that waits for the chain, and has begun to."""
    task = asyncio.create_task(client.result(chain))
    await asyncio.sleep(0)
    return task


async def test_an_open_chain_makes_the_wait_time_out_and_goes_on(client: otelq.Client) -> None:
    chain = await client.start(answer, 1)
    with pytest.raises(TimeoutError, match=rf"{chain.id} is still open after 0\.05 seconds"):
        await client.result(chain, timeout=0.05)
    async with otelq.Worker(client, jobs):
        assert await client.result(chain, timeout=10) == 1


async def test_a_closed_chain_yields_its_output_even_without_time_to_wait(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        chain = await client.start(answer, 2)
        await client.result(chain, timeout=10)
    assert await client.result(chain, timeout=0) == 2
    with pytest.raises(TimeoutError, match="is there a worker"):
        await client.result(await client.start(answer, 3), timeout=0)


async def test_a_failed_chain_raises_what_was_stored(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        with pytest.raises(otelq.ChainFailed, match="beyond repair"):
            await client.result(await client.start(breaks, None), timeout=10)


async def test_a_cancel_is_told_to_who_waits(client: otelq.Client) -> None:
    chain = await client.start(answer, 1, delay=3600)
    task = await waiting(client, chain)
    await client.cancel(chain)
    with pytest.raises(otelq.ChainCancelled):
        await task


async def test_a_deletion_is_told_to_who_waits(client: otelq.Client) -> None:
    chain = await client.start(answer, 1, delay=3600)
    task = await waiting(client, chain)
    await client.delete(chain)
    with pytest.raises(otelq.NotFound):
        await task


async def test_a_chain_that_does_not_exist_is_not_found(client: otelq.Client) -> None:
    with pytest.raises(otelq.NotFound):
        await client.result(otelq.Chain(otelq.new_id(), answer), timeout=10)


async def test_many_wait_for_one_chain_and_one_who_gives_up_disturbs_no_other(client: otelq.Client) -> None:
    chain = await client.start(answer, 5)
    tasks = [await waiting(client, chain) for _ in range(10)]
    tasks[0].cancel()
    async with otelq.Worker(client, jobs):
        assert await asyncio.gather(*tasks[1:]) == [5] * 9


async def test_a_result_arrives_though_every_hint_is_lost() -> None:
    async with otelq.connect("memory://", notify=Deaf()) as client:
        chain = await client.start(answer, 6)
        async with otelq.Worker(client, jobs, poll_interval=0.05):
            assert await client.result(chain, timeout=10) == 6


async def test_an_output_that_no_longer_decodes_is_said_to_be_so(client: otelq.Client) -> None:
    chain = await client.start(answer, 7)
    async with otelq.Worker(client, jobs):
        await client.result(chain, timeout=10)
    with pytest.raises(otelq.UndecodablePayload, match="does not fit str"):
        await client.result(otelq.Chain(chain.id, otelq.JobType("answer", input=int, output=str)))


async def test_closing_the_client_tells_who_waits(client: otelq.Client) -> None:
    task = await waiting(client, await client.start(answer, 1, delay=3600))
    await client.aclose()
    with pytest.raises(otelq.OtelqError, match="closed while a result was awaited"):
        await task


async def test_waiting_outlives_a_database_that_is_out_of_reach() -> None:
    state = Away()
    async with otelq.connect(state) as client:
        state.away.add("outcomes")
        task = await waiting(client, await client.start(answer, 8))
        await until(lambda: state.asked.get("outcomes", 0) >= 2)
        state.away.clear()
        async with otelq.Worker(client, jobs):
            assert await task == 8


async def test_waiting_works_again_after_it_had_to_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelq.loop.LONGEST_BACK_OFF", 0.001)
    state = Away()
    state.error = lambda: KeyError("a bug in the adapter")
    async with otelq.connect(state) as client:
        state.away.add("outcomes")
        chain = await client.start(answer, 9)
        with pytest.raises(KeyError):
            await client.result(chain, timeout=10)
        state.away.clear()
        async with otelq.Worker(client, jobs):
            assert await client.result(chain, timeout=10) == 9


async def test_a_handle_of_another_type_is_a_mismatch_however_the_chain_ended(client: otelq.Client) -> None:
    jobs, other = otelq.Jobs(), otelq.JobType("other", input=int, output=int)

    @jobs.job("mine", retry=ONCE)
    async def mine(attempt: otelq.Attempt[bool]) -> int:
        if attempt.input:
            return 1
        raise ValueError("no")

    async with otelq.Worker(client, jobs):
        for chain in await client.start_many(mine, [True, False]):
            await ended(client, chain)
            with pytest.raises(otelq.JobTypeMismatch, match="began with 'mine', not with 'other'"):
                await client.result(otelq.Chain(chain.id, other))
