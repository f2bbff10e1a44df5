"""Handlers that are plain functions: they run in threads, and end when they choose to."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import pytest

import otelq

from .support import AT_ONCE, ONCE, becomes, ended, until

seen_by_all: ContextVar[str] = ContextVar("seen_by_all", default="nothing")


async def test_a_handler_runs_in_a_thread_and_its_output_is_stored(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("threaded")
    def threaded(attempt: otelq.Attempt[int]) -> list[int]:
        return [attempt.input, threading.get_ident()]

    async with otelq.Worker(client, jobs):
        given, thread = await client.result(await client.start(threaded, 5), timeout=10)
    assert given == 5
    assert thread != threading.get_ident()


async def test_a_continuation_out_of_a_thread_is_one(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("counts-down")
    def counts_down(attempt: otelq.Attempt[int]) -> str | otelq.Continue[str]:
        return "lift-off" if attempt.input == 0 else attempt.continue_with(counts_down, attempt.input - 1)

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(counts_down, 3), timeout=10) == "lift-off"


async def test_as_many_handlers_run_at_once_as_there_are_slots_and_no_thread_stays(memory: otelq.Client) -> None:
    jobs, together = otelq.Jobs(), threading.Barrier(4)

    @jobs.job("meets")
    def meets(attempt: otelq.Attempt[int]) -> None:
        together.wait(timeout=20)

    before = threading.active_count()
    async with otelq.Worker(memory, jobs, concurrency=4):
        for chain in await memory.start_many(meets, range(12)):
            await memory.result(chain, timeout=20)
    await until(lambda: threading.active_count() == before)


async def test_the_event_loop_goes_on_while_a_handler_blocks(memory: otelq.Client) -> None:
    jobs, go_on = otelq.Jobs(), threading.Event()

    @jobs.job("blocks")
    def blocks(attempt: otelq.Attempt[None]) -> bool:
        return go_on.wait(timeout=20)

    @jobs.job("frees")
    async def frees(attempt: otelq.Attempt[None]) -> None:
        go_on.set()

    async with otelq.Worker(memory, jobs):
        blocked = await memory.start(blocks, None)
        await becomes(memory, blocked, "running")
        await memory.start(frees, None)
        assert await memory.result(blocked, timeout=20)


async def test_what_middleware_set_for_the_attempt_is_seen_in_its_thread(memory: otelq.Client) -> None:
    class Sets(otelq.Middleware):
        async def attempt(self, attempt: otelq.Attempt[Any], call: Any) -> Any:
            seen_by_all.set(f"attempt {attempt.number} of {attempt.input}")
            return await call(attempt)

    jobs = otelq.Jobs(middleware=[Sets()])

    @jobs.job("reads")
    def reads(attempt: otelq.Attempt[str]) -> str:
        return seen_by_all.get()

    async with otelq.Worker(memory, jobs):
        assert await memory.result(await memory.start(reads, "work"), timeout=10) == "attempt 1 of work"
    assert seen_by_all.get() == "nothing"


async def test_a_handler_in_a_thread_raises_and_decides_like_any_other(client: otelq.Client) -> None:
    jobs, seen = otelq.Jobs(), list[int]()

    @jobs.job("indecisive", retry=AT_ONCE)
    def indecisive(attempt: otelq.Attempt[None]) -> str:
        seen.append(attempt.number)
        if len(seen) == 1:
            raise otelq.Snooze(0)
        if len(seen) == 2:
            raise ConnectionError("not yet")
        raise otelq.Fail("no more")

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(indecisive, None))
    assert seen == [1, 1, 2]
    assert job.failure == otelq.model.Failure("otelq.Fail", "no more")


async def test_transactions_are_refused_in_a_thread_and_the_fix_is_named(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("asks")
    def asks(attempt: otelq.Attempt[None]) -> list[str]:
        said = list[str]()
        for ask in (attempt.transaction, attempt.completion):
            try:
                ask()
            except otelq.InvalidArgument as error:
                said.append(str(error))
        return said

    async with otelq.Worker(client, jobs):
        said = await client.result(await client.start(asks, None), timeout=10)
    assert ["transaction()" in said[0], "completion()" in said[1]] == [True, True]
    assert all("async def" in text for text in said)


async def test_what_was_provided_and_the_blockers_are_there_in_a_thread(memory: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("feeds")
    def feeds(attempt: otelq.Attempt[int]) -> int:
        return attempt.input

    @jobs.job("gathers")
    def gathers(attempt: otelq.Attempt[None]) -> list[Any]:
        return [attempt.get(Path).name, attempt.blockers(feeds), attempt.client is memory, attempt.cancel_reason]

    async with otelq.Worker(memory, jobs, provide=[Path("things")]):
        fed = await memory.start_many(feeds, [1, 2])
        found = await memory.result(await memory.start(gathers, None, blockers=fed), timeout=10)
    assert found == ["things", [1, 2], True, None]


async def test_a_handler_that_gives_a_coroutine_fails_and_is_told_why(memory: otelq.Client) -> None:
    async def coroutine(attempt: otelq.Attempt[None]) -> None: ...

    def gives_it(attempt: otelq.Attempt[None]) -> None:
        return cast(None, coroutine(attempt))

    jobs = otelq.Jobs()
    job_type = jobs.job("gives-it", retry=ONCE)(gives_it)
    async with otelq.Worker(memory, jobs):
        job = await ended(memory, await memory.start(job_type, None))
    assert job.failure is not None
    assert "declare it with async def" in job.failure.text


# Cancellation


@pytest.mark.parametrize(
    "reason, status", [("timeout", "failed"), ("cancelled", "cancelled"), ("shutdown", "completed")]
)
async def test_a_handler_sees_why_it_is_cancelled_and_ends_by_itself(
    memory: otelq.Client, reason: str, status: str
) -> None:
    jobs, seen = otelq.Jobs(), list[str]()

    @jobs.job("looks", retry=ONCE, timeout=0.2 if reason == "timeout" else 50)
    def looks(attempt: otelq.Attempt[None]) -> str:
        while attempt.cancel_reason is None:
            pause.wait(0.002)
        seen.append(str(attempt.cancel_reason))
        return "what it had by then"

    pause = threading.Event()
    async with otelq.Worker(memory, jobs, grace=0.1 if reason == "shutdown" else 20):
        chain = await memory.start(looks, None)
        await becomes(memory, chain, "running")
        if reason == "cancelled":
            await memory.cancel(chain)
        if reason != "shutdown":
            await until(lambda: seen)
    assert seen == [reason]
    assert (await memory.chain(chain)).tail.status == status


async def test_a_handler_asks_whether_its_worker_stops(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("asks")
    def asks(attempt: otelq.Attempt[None]) -> str:
        while not attempt.stopping.is_set():
            pause.wait(0.002)
        return f"{attempt.stop_reason}, not cancelled: {attempt.cancel_reason}"

    pause = threading.Event()
    async with otelq.Worker(client, jobs):
        chain = await client.start(asks, None)
        await becomes(client, chain, "running")
    assert await client.result(chain, timeout=10) == "shutdown, not cancelled: None"


async def test_a_thread_that_ignores_its_cancel_is_abandoned_with_its_stack_until_it_returns(
    memory: otelq.Client, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, let_go = otelq.Jobs(), threading.Event()

    @jobs.job("stubborn", retry=ONCE, timeout=0.05)
    def stubborn(attempt: otelq.Attempt[None]) -> None:
        let_go.wait(timeout=30)

    @jobs.job("modest")
    def modest(attempt: otelq.Attempt[None]) -> str:
        return "served"

    async with otelq.Worker(memory, jobs, concurrency=2, grace=0.05) as worker:
        with caplog.at_level(logging.ERROR):
            job = await ended(memory, await memory.start(stubborn, None))
        assert (job.status, worker.leaked) == ("failed", 1)
        assert await memory.result(await memory.start(modest, None), timeout=10) == "served"
        let_go.set()
        await until(lambda: worker.leaked == 0)
    [told] = [record.getMessage() for record in caplog.records if "abandoned" in record.getMessage()]
    assert "let_go.wait(timeout=30)" in told


async def test_a_time_limit_of_a_middleware_holds_when_the_thread_returns(memory: otelq.Client) -> None:
    let_go = threading.Event()

    class Impatient(otelq.Middleware):
        async def attempt(self, attempt: otelq.Attempt[Any], call: Any) -> Any:
            asyncio.get_running_loop().call_later(0.05, let_go.set)
            async with asyncio.timeout(0.01):
                return await call(attempt)

    jobs = otelq.Jobs(middleware=[Impatient()])

    @jobs.job("slow", retry=ONCE)
    def slow(attempt: otelq.Attempt[None]) -> None:
        let_go.wait(timeout=20)

    async with otelq.Worker(memory, jobs):
        job = await ended(memory, await memory.start(slow, None))
    assert job.failure is not None
    assert job.failure.type == "TimeoutError"


def test_a_thread_that_never_returns_does_not_keep_the_process_from_ending() -> None:
    program = """
import asyncio, threading, otelq

jobs = otelq.Jobs()

@jobs.job("never-returns", timeout=0.05, retry=otelq.RetryPolicy(max_attempts=1))
def never_returns(attempt: otelq.Attempt[None]) -> None:
    threading.Event().wait()

async def main():
    async with otelq.connect("memory://") as client, otelq.Worker(client, jobs, grace=0.05):
        try:
            await client.result(await client.start(never_returns, None))
        except otelq.ChainFailed:
            print("left behind")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "left behind\n"
