"""The life of a chain: jobs that continue into jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import otelq

from .support import ONCE, becomes, ended, statuses

steps = otelq.Jobs()


@dataclass(frozen=True)
class Order:
    number: str
    total: int


@steps.job("order.check")
async def check(attempt: otelq.Attempt[Order]) -> str | otelq.Continue[str]:
    if attempt.input.total > 100:
        return attempt.continue_with(review, attempt.input)
    return attempt.continue_with(ship, attempt.input.number)


@steps.job("order.review")
async def review(attempt: otelq.Attempt[Order]) -> otelq.Continue[str]:
    return attempt.continue_with(ship, f"{attempt.input.number} (reviewed)")


@steps.job("order.ship")
async def ship(attempt: otelq.Attempt[str]) -> str:
    return f"shipped {attempt.input}"


@steps.job("count-down")
async def count_down(attempt: otelq.Attempt[int]) -> str | otelq.Continue[str]:
    return "lift-off" if attempt.input == 0 else attempt.continue_with(count_down, attempt.input - 1)


async def test_a_chain_yields_the_output_of_its_last_job(client: otelq.Client) -> None:
    async with otelq.Worker(client, steps):
        chain = await client.start(check, Order("A-1", 10))
        assert await client.result(chain, timeout=10) == "shipped A-1"
    assert await statuses(client, chain) == ["continued", "completed"]


async def test_a_job_chooses_its_successor(client: otelq.Client) -> None:
    async with otelq.Worker(client, steps):
        chain = await client.start(check, Order("A-2", 500))
        assert await client.result(chain, timeout=10) == "shipped A-2 (reviewed)"
    assert [job.type for job in (await client.jobs(chain=chain)).items] == [
        "order.check",
        "order.review",
        "order.ship",
    ]


async def test_a_chain_loops_beyond_the_hops_that_one_slot_runs_in_a_row(client: otelq.Client) -> None:
    async with otelq.Worker(client, steps, concurrency=2):
        chain = await client.start(count_down, 40)
        assert await client.result(chain, timeout=20) == "lift-off"
    assert len((await client.jobs(chain=chain)).items) == 41


async def test_a_continuation_into_a_type_of_another_output_fails_its_attempt(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("strays", retry=ONCE)
    async def strays(attempt: otelq.Attempt[None]) -> int | otelq.Continue[int]:
        return cast("otelq.Continue[int]", attempt.continue_with(ship, "astray"))

    async with otelq.Worker(client, jobs, steps):
        tail = await ended(client, await client.start(strays, None))
    assert (tail.status, tail.position) == ("failed", 0)
    assert tail.failure is not None
    assert "which yields <class 'str'>" in tail.failure.text


async def test_a_continuation_whose_input_does_not_fit_fails_its_attempt(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("missends", retry=ONCE)
    async def missends(attempt: otelq.Attempt[None]) -> otelq.Continue[str]:
        return attempt.continue_with(ship, cast(Any, 5))

    async with otelq.Worker(client, jobs, steps):
        tail = await ended(client, await client.start(missends, None))
    assert (tail.status, tail.position) == ("failed", 0)
    assert tail.failure is not None
    assert tail.failure.text.startswith("continuation: ")


async def test_chains_cross_from_one_slice_into_another_and_back(client: otelq.Client) -> None:
    there, back = otelq.Jobs(), otelq.Jobs()

    @there.job("there")
    async def go(attempt: otelq.Attempt[int]) -> str | otelq.Continue[str]:
        return "home" if attempt.input == 0 else attempt.continue_with(turn, attempt.input - 1)

    @back.job("back")
    async def turn(attempt: otelq.Attempt[int]) -> otelq.Continue[str]:
        return attempt.continue_with(go, attempt.input)

    async with otelq.Worker(client, there), otelq.Worker(client, back):
        chain = await client.start(go, 3)
        assert await client.result(chain, timeout=10) == "home"
    assert [job.type for job in (await client.chain_jobs(chain)).items] == ["there", "back"] * 3 + ["there"]


async def test_every_job_of_a_chain_has_attempts_and_an_id_of_its_own(client: otelq.Client) -> None:
    async with otelq.Worker(client, steps):
        chain = await client.start(check, Order("A-3", 1))
        await client.result(chain, timeout=10)
    [first] = await client.attempts(f"{chain.id}.0")
    [second] = await client.attempts(f"{chain.id}.1")
    assert (first.number, first.verb, second.verb) == (1, "continue", "complete")
    assert (await client.job(f"{chain.id}.1")).output == '"shipped A-3"'


async def test_a_continuation_may_be_delayed_and_keeps_the_priority(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("later.begin")
    async def begin(attempt: otelq.Attempt[None]) -> otelq.Continue[str]:
        return attempt.continue_with(ship, "later", delay=3600)

    async with otelq.Worker(client, jobs, steps):
        chain = await client.start(begin, None, priority=-7)
        tail = await becomes(client, chain, "scheduled", position=1)
        assert tail.priority == -7
        await client.trigger(chain)
        assert await client.result(chain, timeout=10) == "shipped later"


async def test_tags_of_the_start_reach_every_handler_of_the_chain(client: otelq.Client) -> None:
    jobs, seen = otelq.Jobs(), list[object]()

    @jobs.job("tagged.first")
    async def first(attempt: otelq.Attempt[None]) -> otelq.Continue[None]:
        seen.append(dict(attempt.tags))
        return attempt.continue_with(second, None)

    @jobs.job("tagged.second")
    async def second(attempt: otelq.Attempt[None]) -> None:
        seen.append(dict(attempt.tags))

    async with otelq.Worker(client, jobs):
        await client.result(await client.start(first, None, tags={"tenant": "acme"}), timeout=10)
    assert seen == [{"tenant": "acme"}, {"tenant": "acme"}]


async def test_lower_priority_runs_first_and_equals_in_the_order_of_their_start(client: otelq.Client) -> None:
    jobs, ran = otelq.Jobs(), list[str]()

    @jobs.job("ordered")
    async def ordered(attempt: otelq.Attempt[str]) -> None:
        ran.append(attempt.input)

    chains = [await client.start(ordered, name, priority=priority) for name, priority in _MIXED]
    async with otelq.Worker(client, jobs, concurrency=1):
        for chain in chains:
            await client.result(chain, timeout=10)
    assert ran == ["first", "second", "third", "fourth", "fifth", "last"]


_MIXED = [("last", 100), ("fourth", 0), ("second", -5), ("first", -100), ("fifth", 0), ("third", -5)]
