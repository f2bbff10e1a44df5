"""Fan-in: jobs that wait for other chains."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import otelq

from .support import ONCE, becomes, count, ended, rolled_back, status, statuses

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

    async with otelq.Worker(client, jobs, readers, undecodable_for=0):
        chain = await client.start(reads_as_text, None, blockers=[await client.start(part, 1)])
        with pytest.raises(otelq.ChainFailed, match="does not fit str"):
            await client.result(chain, timeout=10)


# Rules: any instead of all, and what a failed blocker means


@jobs.job("tell", retry=ONCE)
async def tell(attempt: otelq.Attempt[None]) -> list[str]:
    return [f"{one.type}: {one.output or one.status}" for one in attempt.blocker_outcomes()]


async def waiting(client: otelq.Client, *inputs: int) -> list[otelq.Chain[int]]:
    """Chains that do not run before they are triggered."""
    return [await client.start(part, number, delay=3600) for number in inputs]


async def test_any_of_several_is_enough_and_the_others_go_on(client: otelq.Client) -> None:
    slow, quick = await waiting(client, 1, 2)
    chain = await client.start(total, None, blockers=otelq.AnyOf(slow, quick))
    assert await status(client, chain) == "blocked"
    async with otelq.Worker(client, jobs):
        await client.trigger(quick)
        assert await client.result(chain, timeout=10) == [20]
        await client.trigger(slow)
        assert await client.result(slow, timeout=10) == 10


async def test_any_of_several_fails_when_all_of_them_failed(client: otelq.Client) -> None:
    chains = await waiting(client, 1, 2)
    chain = await client.start(total, None, blockers=otelq.AnyOf(chains))
    await client.cancel(chains[0])
    assert await status(client, chain) == "blocked"
    await client.cancel(chains[1])
    assert await status(client, chain) == "failed"


async def test_a_failure_that_is_ignored_counts_like_the_end_that_it_is(client: otelq.Client) -> None:
    broken, good = await client.start(breaks, None), await client.start(part, 4)
    every = await client.start(tell, None, blockers=otelq.AllOf(broken, good, on_failure="ignore"))
    first = await client.start(tell, None, blockers=otelq.AnyOf(broken, *await waiting(client, 9), on_failure="ignore"))
    async with otelq.Worker(client, jobs):
        assert await client.result(every, timeout=10) == ["breaks: failed", "part: 40"]
        assert await client.result(first, timeout=10) == ["breaks: failed", "part: scheduled"]


async def test_a_failure_that_is_waited_for_keeps_the_job_blocked(client: otelq.Client) -> None:
    broken, good = await waiting(client, 1, 2)
    every = await client.start(total, None, blockers=otelq.AllOf([broken, good], on_failure="wait"))
    one = await client.start(total, None, blockers=otelq.AnyOf([broken, good], on_failure="wait"))
    await client.cancel(broken)
    assert (await status(client, every), await status(client, one)) == ("blocked", "blocked")
    async with otelq.Worker(client, jobs):
        await client.trigger(good)
        assert await client.result(one, timeout=10) == [20]
        assert await status(client, every) == "blocked"
        await client.redrive(broken)
        assert await client.result(every, timeout=10) == [10, 20]


async def test_the_reason_of_a_failed_blocker_is_told_to_who_ignores_it(client: otelq.Client) -> None:
    seen, mixed = list[otelq.ChainOutcome](), otelq.Jobs()

    @mixed.job("look")
    async def look(attempt: otelq.Attempt[None]) -> None:
        seen.extend(attempt.blocker_outcomes())

    broken = await client.start(breaks, None)
    async with otelq.Worker(client, jobs, mixed):
        chain = await client.start(look, None, blockers=otelq.AllOf(broken, on_failure="ignore"))
        await client.result(chain, timeout=10)
    [outcome] = seen
    assert (outcome.chain_id, outcome.status, outcome.output) == (broken.id, "failed", None)
    assert outcome.failure is not None
    assert "broken part" in outcome.failure.text


async def test_blockers_that_closed_before_the_start_count_by_the_same_rules(client: otelq.Client) -> None:
    lost, late = await waiting(client, 1, 2)
    await client.cancel(lost)
    rules: dict[Any, str] = {
        otelq.AllOf(lost): "failed",
        otelq.AnyOf(lost): "failed",
        otelq.AnyOf(lost, late): "blocked",
        otelq.AllOf(lost, on_failure="ignore"): "ready",
        otelq.AnyOf(lost, late, on_failure="ignore"): "ready",
        otelq.AllOf(lost, on_failure="wait"): "blocked",
    }
    stand = [await status(client, await client.start(total, None, blockers=rule)) for rule in rules]
    assert stand == list(rules.values())


async def test_no_blockers_are_no_reason_to_wait(client: otelq.Client) -> None:
    nothing: list[Any] = [(), [], otelq.AllOf(), otelq.AllOf([])]
    for none in nothing:
        assert await status(client, await client.start(total, None, blockers=none)) == "ready"


# Later blockers: of continuations, and named by a handler


async def test_a_continuation_waits_for_blockers_of_its_own(client: otelq.Client) -> None:
    mixed = otelq.Jobs()

    @mixed.job("fans-out")
    async def fans_out(attempt: otelq.Attempt[int]) -> otelq.Continue[list[int]]:
        parts = [await attempt.client.start(part, number) for number in range(attempt.input)]
        return attempt.continue_with(total, None, blockers=parts)

    async with otelq.Worker(client, jobs, mixed):
        chain = await client.start(fans_out, 5)
        assert await client.result(chain, timeout=10) == [0, 10, 20, 30, 40]
    assert await statuses(client, chain) == ["continued", "completed"]


async def test_a_completion_from_outside_may_continue_into_a_job_with_blockers(client: otelq.Client) -> None:
    first, second = await waiting(client, 1, 2)
    chain = await client.start(total, None, delay=3600)
    await client.complete(chain, otelq.Continue(total, None, blockers=otelq.AnyOf(first, second)), step=total)
    assert await statuses(client, chain) == ["continued", "blocked"]
    async with otelq.Worker(client, jobs):
        await client.trigger(second)
        assert await client.result(chain, timeout=10) == [20]


async def test_a_chain_that_would_wait_for_itself_is_refused_when_completed_from_outside(
    client: otelq.Client,
) -> None:
    chain = await client.start(total, None, delay=3600)
    through = await client.start(total, None, blockers=[chain])
    for blocker in (chain, through):
        with pytest.raises(otelq.InvalidArgument, match=chain.id):
            await client.complete(chain, otelq.Continue(total, None, blockers=[blocker]), step=total)
    missing = otelq.Chain(otelq.new_id(), part)
    with pytest.raises(otelq.NotFound, match=missing.id):
        await client.complete(chain, otelq.Continue(total, None, blockers=[missing]), step=total)
    assert await statuses(client, chain) == ["scheduled"]


async def test_blockers_of_a_start_that_rolls_back_are_free_of_it(client: otelq.Client) -> None:
    [blocker] = await waiting(client, 1)
    async with rolled_back(client) as tx:
        await client.start(total, None, blockers=[blocker], tx=tx)
    await client.delete(blocker)
    assert await count(client) == 0
