"""Soft timeouts, and what an attempt knows of its time."""

from __future__ import annotations

import asyncio

import otelq

from .support import ONCE, becomes, ended, for_ever


async def test_a_soft_timeout_lets_the_handler_reach_a_good_place(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("long", soft_timeout=0.1, timeout=60)
    async def long(attempt: otelq.Attempt[int]) -> str | otelq.Continue[str]:
        await attempt.stopping.wait()
        assert attempt.stop_reason is otelq.CancelReason.TIMEOUT
        assert attempt.cancel_reason is None
        return "done" if attempt.input == 0 else attempt.continue_with(long, attempt.input - 1)

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(long, 2), timeout=10) == "done"


async def test_only_the_attempt_whose_time_is_over_is_told(memory: otelq.Client) -> None:
    jobs, told = otelq.Jobs(), asyncio.Event()

    @jobs.job("short", soft_timeout=0.05)
    async def short(attempt: otelq.Attempt[None]) -> None:
        await attempt.stopping.wait()
        told.set()

    @jobs.job("patient", soft_timeout=60)
    async def patient(attempt: otelq.Attempt[None]) -> list[str]:
        await told.wait()
        return [f"{attempt.stopping.is_set()}, {attempt.stop_reason}"]

    @jobs.job("careless")
    async def careless(attempt: otelq.Attempt[None]) -> list[str]:
        await told.wait()
        return [f"{attempt.stopping.is_set()}, {attempt.stop_reason}"]

    async with otelq.Worker(memory, jobs):
        others = [await memory.start(patient, None), await memory.start(careless, None)]
        await memory.start(short, None)
        assert [await memory.result(chain, timeout=10) for chain in others] == [["False, None"]] * 2


async def test_a_handler_that_ignores_its_soft_timeout_is_cancelled_by_the_hard_one(memory: otelq.Client) -> None:
    jobs, seen = otelq.Jobs(), list[object]()

    @jobs.job("deaf", soft_timeout=0.05, timeout=0.2, retry=ONCE)
    async def deaf(attempt: otelq.Attempt[None]) -> None:
        try:
            await for_ever()
        finally:
            seen.extend([attempt.stop_reason, attempt.cancel_reason, attempt.time_left])

    async with otelq.Worker(memory, jobs):
        job = await ended(memory, await memory.start(deaf, None))
    assert job.failure is not None
    assert job.failure.type == "TimeoutError"
    assert seen == ["timeout", "timeout", 0.0]


async def test_a_job_is_told_of_a_shutdown_before_and_instead_of_its_soft_timeout(memory: otelq.Client) -> None:
    jobs, began, late, seen = otelq.Jobs(), asyncio.Event(), asyncio.Event(), list[object]()

    @jobs.job("both", soft_timeout=0.2)
    async def both(attempt: otelq.Attempt[None]) -> None:
        began.set()
        await attempt.stopping.wait()
        seen.append(attempt.stop_reason)
        await late.wait()
        seen.append(attempt.stop_reason)

    async with otelq.Worker(memory, jobs):
        await memory.start(both, None)
        await began.wait()
        asyncio.get_running_loop().call_later(0.3, late.set)
    assert seen == ["shutdown", "shutdown"]


async def test_a_soft_timeout_stays_the_reason_though_the_worker_stops_too(memory: otelq.Client) -> None:
    jobs, told, stopped, seen = otelq.Jobs(), asyncio.Event(), asyncio.Event(), list[object]()

    @jobs.job("first", soft_timeout=0.05)
    async def first(attempt: otelq.Attempt[None]) -> None:
        await attempt.stopping.wait()
        told.set()
        await stopped.wait()
        seen.append(attempt.stop_reason)

    @jobs.job("second")
    async def second(attempt: otelq.Attempt[None]) -> None:
        await attempt.stopping.wait()
        stopped.set()

    async with otelq.Worker(memory, jobs):
        await becomes(memory, await memory.start(second, None), "running")
        await memory.start(first, None)
        await told.wait()
    assert seen == ["timeout"]


async def test_an_attempt_knows_how_much_time_is_left(memory: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("timed", timeout=60)
    async def timed(attempt: otelq.Attempt[None]) -> list[float | None]:
        return [attempt.time_left]

    @jobs.job("timeless", timeout=None)
    async def timeless(attempt: otelq.Attempt[None]) -> list[float | None]:
        return [attempt.time_left]

    async with otelq.Worker(memory, jobs):
        [left] = await memory.result(await memory.start(timed, None), timeout=10)
        assert left is not None
        assert 50 < left <= 60
        assert await memory.result(await memory.start(timeless, None), timeout=10) == [None]
