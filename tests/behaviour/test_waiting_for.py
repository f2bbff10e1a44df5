"""``WaitFor``: a handler that finds out what it has to wait for, and continuations that wait."""

from __future__ import annotations

from typing import Any

import pytest

import otelq

from .support import AT_ONCE, ONCE, becomes, ended, statuses

pytestmark = pytest.mark.parametrize("client", ["sqlite"], indirect=True)
"""PostgreSQL joins as soon as its adapter stores waits: then this mark goes."""

jobs = otelq.Jobs()


@jobs.job("part")
async def part(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@jobs.job("fails", retry=ONCE)
async def fails(attempt: otelq.Attempt[None]) -> int:
    raise ValueError("this part fails")


later = otelq.JobType("later", input=int, output=int)
"""Completed by the test."""


async def test_a_job_waits_for_what_its_handler_started_and_gets_the_outputs(client: otelq.Client) -> None:
    gathering, numbers = otelq.Jobs(), list[int]()

    @gathering.job("gathers", retry=ONCE)
    async def gathers(attempt: otelq.Attempt[int]) -> int:
        numbers.append(attempt.number)
        if parts := attempt.blockers(part):
            return sum(parts)
        raise otelq.WaitFor(*await attempt.client.start_many(part, range(attempt.input)))

    async with otelq.Worker(client, jobs, gathering):
        chain = await client.start(gathers, 5)
        assert await client.result(chain, timeout=10) == 10
    assert numbers == [1, 1]  # waiting spends no attempt
    verbs = [str(attempt.verb) for attempt in await client.attempts(f"{chain.id}.0")]
    assert verbs == ["block", "complete"]


async def test_a_job_may_wait_again_and_keeps_what_it_had_before(client: otelq.Client) -> None:
    gathering, seen = otelq.Jobs(), list[list[int]]()

    @gathering.job("gathers", retry=ONCE)
    async def gathers(attempt: otelq.Attempt[None]) -> list[int]:
        seen.append(attempt.blockers(part))
        if len(seen) < 3:
            raise otelq.WaitFor(await attempt.client.start(part, len(seen)))
        return attempt.blockers(part)

    async with otelq.Worker(client, jobs, gathering):
        first = await client.start(part, 0)
        assert await client.result(await client.start(gathers, None, blockers=[first]), timeout=10) == [0, 1, 2]
    assert seen == [[0], [0, 1], [0, 1, 2]]


async def test_a_job_that_waits_is_blocked_and_holds_no_slot(client: otelq.Client) -> None:
    waiting = otelq.Jobs()

    @waiting.job("waits", retry=ONCE)
    async def waits(attempt: otelq.Attempt[str]) -> int:
        if outputs := attempt.blockers(later):
            return sum(outputs)
        raise otelq.WaitFor(otelq.Chain(attempt.input, later))

    async with otelq.Worker(client, jobs, waiting, concurrency=1):
        awaited = await client.start(later, 1)
        chain = await client.start(waits, awaited.id)
        job = await becomes(client, chain, "blocked")
        assert (job.attempt, job.blocked_by) == (0, 1)
        assert await client.result(await client.start(part, 7), timeout=10) == 7
        await client.complete(awaited, 30, step=later)
        assert await client.result(chain, timeout=10) == 30


async def test_a_job_may_wait_for_any_one_of_several_or_whatever_becomes_of_them(client: otelq.Client) -> None:
    waiting = otelq.Jobs()

    @waiting.job("any", retry=ONCE)
    async def first_of(attempt: otelq.Attempt[None]) -> int:
        if outputs := attempt.blockers(part):
            return outputs[0]
        slow = await attempt.client.start(later, 0)
        raise otelq.WaitFor(otelq.AnyOf(slow, await attempt.client.start(part, 3)))

    @waiting.job("all", retry=ONCE)
    async def all_ended(attempt: otelq.Attempt[None]) -> list[str]:
        if outcomes := attempt.blocker_outcomes():
            return [str(outcome.status) for outcome in outcomes]
        chains: list[otelq.Chain[Any]] = [await attempt.client.start(fails, None), await attempt.client.start(part, 1)]
        raise otelq.WaitFor(otelq.AllOf(chains, on_failure="ignore"))

    async with otelq.Worker(client, jobs, waiting):
        assert await client.result(await client.start(first_of, None), timeout=10) == 3
        assert await client.result(await client.start(all_ended, None), timeout=10) == ["failed", "completed"]


async def test_a_job_fails_with_what_it_waits_for_unless_it_says_otherwise(client: otelq.Client) -> None:
    waiting, ran = otelq.Jobs(), list[int]()

    @waiting.job("waits", retry=AT_ONCE)
    async def waits(attempt: otelq.Attempt[None]) -> None:
        ran.append(attempt.number)
        raise otelq.WaitFor(await attempt.client.start(fails, None))

    async with otelq.Worker(client, jobs, waiting):
        job = await ended(client, await client.start(waits, None))
    assert (job.status, ran) == ("failed", [1])


@pytest.mark.parametrize("what", ["itself", "in a circle", "nobody"])
async def test_a_wait_without_end_is_refused_and_fails_the_attempt(client: otelq.Client, what: str) -> None:
    waiting = otelq.Jobs()

    @waiting.job("waits", retry=AT_ONCE)
    async def waits(attempt: otelq.Attempt[str]) -> None:
        raise otelq.WaitFor(otelq.Chain(attempt.input or attempt.chain_id, later))

    ids = {"itself": "", "nobody": otelq.new_id(), "in a circle": otelq.new_id()}
    chain = await client.start(waits, ids[what])
    if what == "in a circle":
        await client.start(later, 1, id=ids[what], blockers=[chain])
    async with otelq.Worker(client, jobs, waiting):
        job = await ended(client, chain)
        assert await client.result(await client.start(part, 1), timeout=10) == 1
    assert job.failure is not None
    assert (job.status, job.attempt, job.failure.type) == ("failed", 3, "otelq.errors.Refused")
    assert (ids[what] or chain.id) in job.failure.text


async def test_what_was_written_in_the_completion_of_a_waiting_attempt_is_rolled_back(client: otelq.Client) -> None:
    waiting = otelq.Jobs()

    @waiting.job("writes", retry=ONCE)
    async def writes(attempt: otelq.Attempt[None]) -> str:
        if attempt.blockers(part):
            return "done"
        awaited = await attempt.client.start(part, 1)
        await attempt.client.start(later, 1, tx=await attempt.completion())
        raise otelq.WaitFor(awaited)

    async with otelq.Worker(client, jobs, waiting):
        assert await client.result(await client.start(writes, None), timeout=10) == "done"
    assert (await client.jobs(type=later)).items == []


# Continuations that wait


async def test_a_continuation_waits_for_its_blockers_and_gets_their_outputs(client: otelq.Client) -> None:
    waiting = otelq.Jobs()

    @waiting.job("gathers")
    async def gathers(attempt: otelq.Attempt[None]) -> list[int]:
        return attempt.blockers(later)

    @waiting.job("splits")
    async def splits(attempt: otelq.Attempt[list[str]]) -> otelq.Continue[list[int]]:
        chains = [otelq.Chain(id, later) for id in attempt.input]
        return attempt.continue_with(gathers, None, blockers=chains)

    awaited = await client.start_many(later, [0, 0])
    async with otelq.Worker(client, jobs, waiting):
        chain = await client.start(splits, [one.id for one in awaited])
        await becomes(client, chain, "blocked", position=1)
        assert await statuses(client, chain) == ["continued", "blocked"]
        for n, one in enumerate(awaited):
            await client.complete(one, n + 5, step=later)
        assert await client.result(chain, timeout=10) == [5, 6]


async def test_a_continuation_that_would_wait_for_its_own_chain_fails_the_attempt(client: otelq.Client) -> None:
    waiting = otelq.Jobs()

    @waiting.job("circles", retry=ONCE)
    async def circles(attempt: otelq.Attempt[None]) -> otelq.Continue[int]:
        return attempt.continue_with(part, 1, blockers=otelq.AnyOf(otelq.Chain(attempt.chain_id, circles)))

    async with otelq.Worker(client, jobs, waiting):
        job = await ended(client, await client.start(circles, None))
    assert job.failure is not None
    assert (job.status, job.position, job.failure.type) == ("failed", 0, "otelq.errors.Refused")
