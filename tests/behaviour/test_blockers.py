"""Fan-in: jobs that wait for other chains."""

from __future__ import annotations

import asyncio

import pytest

import otelq

from .support import ONCE, becomes, ended, status

jobs = otelq.Jobs()


@jobs.job("part")
async def part(attempt: otelq.Attempt[int]) -> int:
    return attempt.input * 10


@jobs.job("remark")
async def remark(attempt: otelq.Attempt[str]) -> str:
    return attempt.input


@jobs.job("sum")
async def total(attempt: otelq.Attempt[None]) -> list[int]:
    return attempt.blockers(part)


@jobs.job("breaks", retry=ONCE)
async def breaks(attempt: otelq.Attempt[None]) -> int:
    raise ValueError("broken part")


async def test_the_outputs_of_the_blockers_come_in_the_order_given_at_the_start(client: otelq.Client) -> None:
    parts = await client.start_many(part, range(20))
    shuffled = [*parts[10:], *parts[:10]]
    chain = await client.start(total, None, blockers=shuffled)
    assert await status(client, chain) == "blocked"
    async with otelq.Worker(client, jobs):
        assert await client.result(chain, timeout=10) == [*range(100, 200, 10), *range(0, 100, 10)]


async def test_blockers_of_one_type_are_told_from_those_of_another(client: otelq.Client) -> None:
    mixed = otelq.Jobs()

    @mixed.job("both")
    async def both(attempt: otelq.Attempt[None]) -> tuple[list[int], list[str]]:
        return attempt.blockers(part), attempt.blockers(remark)

    blockers = [await client.start(part, 1), await client.start(remark, "good"), await client.start(part, 2)]
    async with otelq.Worker(client, jobs, mixed):
        chain = await client.start(both, None, blockers=blockers)
        assert await client.result(chain, timeout=10) == ([10, 20], ["good"])


async def test_a_job_does_not_run_before_its_last_blocker_is_closed(client: otelq.Client) -> None:
    open_one = await client.start(part, 2, delay=3600)
    chain = await client.start(total, None, blockers=[await client.start(part, 1), open_one])
    async with otelq.Worker(client, jobs):
        await client.result(await client.start(part, 3), timeout=10)
        assert await status(client, chain) == "blocked"
        await client.trigger(open_one)
        assert await client.result(chain, timeout=10) == [10, 20]


async def test_a_chain_whose_blockers_are_closed_already_runs_at_once(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        first = await client.start(part, 7)
        await client.result(first, timeout=10)
        chain = await client.start(total, None, blockers=[first])
        assert await client.result(chain, timeout=10) == [70]


async def test_a_failed_blocker_fails_those_who_wait_for_it_and_those_who_wait_for_them(
    client: otelq.Client,
) -> None:
    broken = await client.start(breaks, None)
    middle = await client.start(total, None, blockers=[broken])
    last = await client.start(total, None, blockers=[middle])
    async with otelq.Worker(client, jobs):
        for chain in (middle, last):
            with pytest.raises(otelq.ChainFailed):
                await client.result(chain, timeout=10)
    assert (await client.chain(last)).tail.attempt == 0


async def test_a_cancelled_blocker_fails_those_who_wait_for_it(client: otelq.Client) -> None:
    blocker = await client.start(part, 1, delay=3600)
    chain = await client.start(total, None, blockers=[blocker])
    await client.cancel(blocker)
    assert (await ended(client, chain)).status == "failed"


async def test_a_chain_started_behind_a_failed_blocker_is_failed_from_the_beginning(client: otelq.Client) -> None:
    blocker = await client.start(part, 1, delay=3600)
    await client.cancel(blocker)
    chain = await client.start(total, None, blockers=[blocker])
    assert await status(client, chain) == "failed"


async def test_a_blocker_counts_when_its_whole_chain_is_closed_not_its_first_job(client: otelq.Client) -> None:
    mixed, go_on = otelq.Jobs(), asyncio.Event()

    @mixed.job("two-steps")
    async def two_steps(attempt: otelq.Attempt[None]) -> otelq.Continue[int]:
        return attempt.continue_with(part, 4, delay=3600)

    @mixed.job("sum.mixed")
    async def mixed_total(attempt: otelq.Attempt[None]) -> list[int]:
        go_on.set()
        return attempt.blockers(two_steps)

    blocker = await client.start(two_steps, None)
    chain = await client.start(mixed_total, None, blockers=[blocker])
    async with otelq.Worker(client, jobs, mixed):
        await becomes(client, blocker, "scheduled", position=1)
        assert (await status(client, chain), go_on.is_set()) == ("blocked", False)
        await client.trigger(blocker)
        assert await client.result(chain, timeout=10) == [40]


async def test_a_batch_may_start_a_chain_and_one_that_waits_for_it(client: otelq.Client) -> None:
    first = otelq.Start(part, 5)
    chains = await client.start_many([first, otelq.Start(total, None, blockers=[otelq.Chain(first.id, part)])])
    async with otelq.Worker(client, jobs):
        assert await client.result(chains[1], timeout=10) == [50]


async def test_two_workers_close_all_blockers_at_once_and_strand_nobody(client: otelq.Client) -> None:
    parts = await client.start_many(part, range(60))
    sums = [await client.start(total, None, blockers=parts[n : n + 6]) for n in range(0, 60, 6)]
    async with otelq.Worker(client, jobs, concurrency=8), otelq.Worker(client, jobs, concurrency=8):
        found = [await client.result(chain, timeout=20) for chain in sums]
    assert [number for outputs in found for number in outputs] == [n * 10 for n in range(60)]


async def test_an_output_that_the_blockers_type_does_not_fit_fails_the_attempt(client: otelq.Client) -> None:
    as_text = otelq.JobType("part", input=int, output=str)
    readers = otelq.Jobs()

    @readers.job("reads-as-text", retry=ONCE)
    async def reads_as_text(attempt: otelq.Attempt[None]) -> list[str]:
        return attempt.blockers(as_text)

    async with otelq.Worker(client, jobs, readers):
        chain = await client.start(reads_as_text, None, blockers=[await client.start(part, 1)])
        with pytest.raises(otelq.ChainFailed, match="does not fit str"):
            await client.result(chain, timeout=10)
