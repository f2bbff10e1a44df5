"""Which job gets a slot of the worker, and how long it keeps it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import otelq
from otelq.errors import Unavailable
from otelq.model import ClaimRequest, ReapRule

from .support import until

echoes = otelq.Jobs()


@echoes.job("echo")
async def echo(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


async def crash(client: otelq.Client, job_type: otelq.JobType[Any, Any], *, times: int) -> None:
    """Let a worker die that runs this many jobs of a type."""
    wanted = ClaimRequest(type=job_type.name, limit=times, lease=0.001)
    await client.engine.state.claim([wanted], worker="gone", token=7, include_suspect=False)
    rule, reaped = ReapRule(type=job_type.name, max_attempts=None, max_crashes=9), 0
    while reaped < times:
        reaped += len(await client.engine.state.reap([rule], except_tokens=[], limit=9))


async def test_one_suspect_runs_at_a_time(client: otelq.Client) -> None:
    jobs, running, most = otelq.Jobs(), 0, 0

    @jobs.job("heavy")
    async def heavy(attempt: otelq.Attempt[int]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await attempt.client.result(await attempt.client.start(echo, 1))  # so that the worker claims meanwhile
        running -= 1

    chains = await client.start_many(heavy, range(3))
    await crash(client, heavy, times=3)
    async with otelq.Worker(client, jobs, echoes, concurrency=10):
        for chain in chains:
            await client.result(chain, timeout=10)
    assert most == 1


async def test_a_chain_that_goes_on_and_on_gives_its_slot_to_others(client: otelq.Client) -> None:
    jobs, ran = otelq.Jobs(), list[int]()

    @jobs.job("other")
    async def other(attempt: otelq.Attempt[int]) -> None:
        ran.append(attempt.input)

    @jobs.job("loop")
    async def loop(attempt: otelq.Attempt[int]) -> int | otelq.Continue[int]:
        if attempt.input == 0:
            await attempt.client.start(other, 1)
        if ran or attempt.input == 100:
            return attempt.input
        return attempt.continue_with(loop, attempt.input + 1)

    async with otelq.Worker(client, jobs, concurrency=1):
        assert await client.result(await client.start(loop, 0), timeout=10) < 40


async def test_a_successor_waits_for_a_place_within_the_concurrency_of_its_type(client: otelq.Client) -> None:
    jobs, started, free = otelq.Jobs(), list[int](), asyncio.Event()

    @jobs.job("narrow", concurrency=1)
    async def narrow(attempt: otelq.Attempt[int]) -> None:
        started.append(attempt.input)
        await free.wait()

    @jobs.job("first")
    async def first(attempt: otelq.Attempt[int]) -> otelq.Continue[None]:
        return attempt.continue_with(narrow, attempt.input)

    async with otelq.Worker(client, jobs, concurrency=10):
        chains = [await client.start(narrow, 1), await client.start(first, 2)]
        await until(lambda: 1 in started)
        while (tail := (await client.chain(chains[1])).tail).position == 0:  # noqa: ASYNC110  # no event tells of it
            await asyncio.sleep(0.002)
        assert tail.status == "ready"
        free.set()
        for chain in chains:
            await client.result(chain, timeout=10)


async def test_a_reaper_leaves_alone_what_runs_beside_it(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = otelq.Jobs()

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("away")

    @jobs.job("patient", lease=1)
    async def patient(attempt: otelq.Attempt[None]) -> int:
        await attempt.client.result(await attempt.client.start(echo, 1, delay=1.5))
        return attempt.number

    async with otelq.connect(sqlite_url) as client:
        monkeypatch.setattr(type(client.engine.state), "renew", away)
        async with otelq.Worker(client, jobs, echoes, reap_interval=0.1):
            assert await client.result(await client.start(patient, None), timeout=10) == 1
