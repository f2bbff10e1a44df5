"""Applications that change how their event loop works: otelq neither depends on that nor changes it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

import pytest

import otelq

from .support import AT_ONCE

Factory: TypeAlias = Any
"""Their types say more than is true of those that applications write."""

jobs = otelq.Jobs()


@jobs.job("last")
async def last(attempt: otelq.Attempt[int]) -> int:
    return attempt.input + 1


@jobs.job("first")
async def first(attempt: otelq.Attempt[int]) -> otelq.Continue[int]:
    return attempt.continue_with(last, attempt.input)


@jobs.job("fails-once", retry=AT_ONCE)
async def fails_once(attempt: otelq.Attempt[int]) -> int:
    await attempt.completion()
    if attempt.number == 1:
        raise ValueError("again")
    return attempt.number


def plain(loop: asyncio.AbstractEventLoop, work: Any) -> asyncio.Task[Any]:
    """A factory as they were written before tasks had contexts."""
    return asyncio.Task(work, loop=loop)


def forgetful(loop: asyncio.AbstractEventLoop, work: Any, **_: Any) -> asyncio.Task[Any]:
    """A factory that drops what it does not know."""
    return asyncio.Task(work, loop=loop)


FACTORIES: list[Factory] = [plain, forgetful]
if eager := getattr(asyncio, "eager_task_factory", None):  # since Python 3.12
    FACTORIES.append(eager)


@contextmanager
def under(factory: Factory) -> Generator[None]:
    """Have the event loop make tasks by this factory."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        yield
    finally:
        loop.set_task_factory(None)


async def use(client: otelq.Client) -> None:
    """What most applications do."""
    for number in range(3):
        async with asyncio.timeout(10):
            chain = await client.start(last, number)
        assert await client.result(chain, timeout=10) == number + 1
    assert await client.result(await client.start(first, 5), timeout=10) == 6
    assert await client.result(await client.start(fails_once, 0), timeout=10) == 2


@pytest.mark.parametrize("factory", FACTORIES)
async def test_jobs_run_under_any_task_factory(client: otelq.Client, factory: Factory) -> None:
    with under(factory):
        async with otelq.Worker(client, jobs, poll_interval=0.05):
            await use(client)


async def test_no_task_of_the_engine_goes_through_the_factory_of_the_application(memory: otelq.Client) -> None:
    seen = list[str]()

    def noting(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        seen.append(work.__qualname__)
        return asyncio.Task(work, loop=loop, **options)

    with under(noting):
        async with otelq.Worker(memory, jobs):
            await use(memory)
    assert seen == []


async def test_ended_attempts_leave_no_deadline_behind(memory: otelq.Client) -> None:
    worker = otelq.Worker(memory, jobs)
    async with worker:
        await use(memory)
        assert worker._current is not None  # pyright: ignore[reportPrivateUsage]  # nothing public tells
        due = worker._current.slots.deadlines._due  # pyright: ignore[reportPrivateUsage]
        assert not any(due.values())


async def test_jobs_run_in_the_debug_mode_of_asyncio(client: otelq.Client, caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    async with otelq.Worker(client, jobs, poll_interval=0.05):
        await use(client)
    loop.set_debug(False)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_full_default_executor_does_not_keep_a_worker_from_working_and_stopping(client: otelq.Client) -> None:
    loop, release = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    blocked = [loop.run_in_executor(None, release.wait, 20) for _ in range(3)]
    began = time.monotonic()
    async with otelq.Worker(client, jobs, poll_interval=0.05):
        await use(client)
    took = time.monotonic() - began
    release.set()
    await asyncio.gather(*blocked)
    assert took < 15


async def test_a_handler_sees_nothing_of_the_callers_context(memory: otelq.Client) -> None:
    seen, caller = list[str](), contextvars.ContextVar("caller", default="nobody's")
    looking = otelq.Jobs()

    @looking.job("looks")
    async def looks(attempt: otelq.Attempt[None]) -> None:
        seen.append(caller.get())

    caller.set("the starter's")
    with under(forgetful):
        async with otelq.Worker(memory, looking):
            await memory.result(await memory.start(looks, None), timeout=10)
    assert seen == ["nobody's"]
