"""Exceptions that are no errors, raised by a handler: what ends, and that jobs are given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import otelq

from .support import ONCE, ended, for_ever, until

RAISED = [
    KeyboardInterrupt("by hand"),
    SystemExit(3),
    GeneratorExit("by hand"),
    asyncio.CancelledError("by hand"),
    BaseExceptionGroup("by hand", [SystemExit(3), ValueError("beside it")]),
]


def raising(error: BaseException, *, thread: bool) -> tuple[otelq.Jobs, otelq.JobType[None, None]]:
    jobs = otelq.Jobs()

    async def in_the_loop(attempt: otelq.Attempt[None]) -> None:
        raise error

    def in_a_thread(attempt: otelq.Attempt[None]) -> None:
        raise error

    handler: Any = in_a_thread if thread else in_the_loop
    return jobs, jobs.job("raises", retry=ONCE)(handler)


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
async def test_what_a_thread_raises_fails_its_attempt_alone(memory: otelq.Client, error: BaseException) -> None:
    jobs, raises = raising(error, thread=True)
    async with otelq.Worker(memory, jobs):
        job = await ended(memory, await memory.start(raises, None))
        again = await ended(memory, await memory.start(raises, None))
    assert (job.status, again.status) == ("failed", "failed")
    assert job.failure is not None
    assert type(error).__name__ in job.failure.type


@pytest.mark.parametrize("error", RAISED[1:], ids=lambda error: type(error).__name__)
async def test_what_the_event_loop_raises_fails_its_attempt_alone(memory: otelq.Client, error: BaseException) -> None:
    jobs, raises = raising(error, thread=False)
    async with otelq.Worker(memory, jobs):
        job = await ended(memory, await memory.start(raises, None))
        again = await ended(memory, await memory.start(raises, None))
    assert (job.status, again.status) == ("failed", "failed")


def interrupted(url: str, serve: Callable[[otelq.Client, otelq.Jobs], Any]) -> list[otelq.JobRecord]:
    """The jobs of a program that was interrupted while a handler ran: as by Ctrl-C where nobody handles SIGINT."""
    jobs = otelq.Jobs()
    begun = list[str]()

    @jobs.job("neighbour")
    async def neighbour(attempt: otelq.Attempt[None]) -> None:
        begun.append("neighbour")
        await for_ever()

    @jobs.job("interrupted")
    async def unlucky(attempt: otelq.Attempt[None]) -> None:
        await until(lambda: begun)
        raise KeyboardInterrupt

    async def program() -> None:
        async with otelq.connect(url) as client:
            await client.start(neighbour, None)
            await client.start(unlucky, None)
            await serve(client, jobs)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(program())

    async def look() -> list[otelq.JobRecord]:
        async with otelq.connect(url) as client:
            return list((await client.jobs()).items)

    return asyncio.run(look())


async def in_a_block(client: otelq.Client, jobs: otelq.Jobs) -> None:
    async with otelq.Worker(client, jobs, grace=0.1):
        await for_ever()


async def by_run(client: otelq.Client, jobs: otelq.Jobs) -> None:
    await otelq.Worker(client, jobs, grace=0.1).run()


@pytest.mark.parametrize("serve", [in_a_block, by_run])
def test_an_interrupt_in_a_handler_ends_the_block_and_every_job_is_given_back(sqlite_url: str, serve: Any) -> None:
    jobs = interrupted(sqlite_url, serve)
    assert {(job.status, job.attempt, job.crashes) for job in jobs} == {(otelq.Status.READY, 0, 0)}


@pytest.mark.parametrize("when", ["the handler returned", "the handler raised"])
async def test_middleware_that_exits_round_a_completion_fails_its_attempt_alone(
    client: otelq.Client, when: str
) -> None:
    jobs = otelq.Jobs()

    class Exits(otelq.Middleware):
        @asynccontextmanager
        async def transaction(self, attempt: otelq.Attempt[Any], tx: Any) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                raise SystemExit(3)

    @jobs.job("completes", retry=ONCE)
    async def completes(attempt: otelq.Attempt[str]) -> None:
        await attempt.completion()
        if attempt.input == "the handler raised":
            raise ValueError

    async with otelq.Worker(client, jobs, middleware=[Exits()], poll_interval=0.05):
        first = await ended(client, await client.start(completes, when))
        second = await ended(client, await client.start(completes, when))
    assert (first.status, second.status) == ("failed", "failed")


@pytest.mark.parametrize("error", RAISED[1:], ids=lambda error: type(error).__name__)
async def test_what_a_callback_raises_keeps_no_other_from_running(memory: otelq.Client, error: BaseException) -> None:
    ran = list[str]()

    def raises() -> None:
        raise error

    async with memory.transaction():
        otelq.after_commit(raises)
        otelq.after_commit(lambda: ran.append("the next"))
    await until(lambda: ran)
