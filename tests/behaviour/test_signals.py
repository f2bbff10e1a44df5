"""``Worker.run``: it ends on SIGINT and SIGTERM, beside others of the same event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

import otelq

from .support import for_ever, until


async def two_workers(
    client: otelq.Client, jobs: otelq.Jobs, began: Callable[[], bool], *, grace: float
) -> list[asyncio.Task[None]]:
    """Two running workers, once their handlers are under way."""
    tasks = [asyncio.create_task(otelq.Worker(client, jobs, concurrency=1, grace=grace).run()) for _ in range(2)]
    await until(began)
    return tasks


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_every_worker_of_the_process_hears_a_signal_and_finishes(
    memory: otelq.Client, number: signal.Signals
) -> None:
    jobs, began = otelq.Jobs(), list[int]()

    @jobs.job("finishes")
    async def finishes(attempt: otelq.Attempt[int]) -> str:
        began.append(attempt.input)
        await attempt.stopping.wait()
        return "finished"

    chains = await memory.start_many(finishes, range(2))
    tasks = await two_workers(memory, jobs, lambda: len(began) == 2, grace=30)
    os.kill(os.getpid(), number)
    await asyncio.gather(*tasks)
    assert [await memory.result(chain, timeout=1) for chain in chains] == ["finished"] * 2


async def test_a_second_signal_cancels_what_every_worker_still_runs(memory: otelq.Client) -> None:
    jobs, began, stopping = otelq.Jobs(), list[int](), list[int]()

    @jobs.job("endless")
    async def endless(attempt: otelq.Attempt[int]) -> None:
        began.append(attempt.input)
        await attempt.stopping.wait()
        stopping.append(attempt.input)
        await for_ever()

    chains = await memory.start_many(endless, range(2))
    tasks = await two_workers(memory, jobs, lambda: len(began) == 2, grace=3600)
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: len(stopping) == 2)
    assert not any(task.done() for task in tasks)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.gather(*tasks)
    assert {str((await memory.chain(chain)).tail.status) for chain in chains} == {"ready"}


async def test_a_worker_that_has_ended_leaves_the_signals_to_the_others(memory: otelq.Client) -> None:
    jobs, began = otelq.Jobs(), list[int]()

    @jobs.job("waits")
    async def waits(attempt: otelq.Attempt[int]) -> None:
        began.append(attempt.input)
        await attempt.stopping.wait()

    await memory.start_many(waits, range(2))
    first, second = await two_workers(memory, jobs, lambda: len(began) == 2, grace=30)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    os.kill(os.getpid(), signal.SIGTERM)
    await first
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@contextmanager
def handler_of(number: signal.Signals, handler: Any) -> Generator[None]:
    """The handler that an application has set."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


async def run_for_a_moment(client: otelq.Client) -> asyncio.Task[None]:
    """A worker that runs, and has heard of the signals."""
    jobs, began = otelq.Jobs(), asyncio.Event()

    @jobs.job("begins")
    async def begins(attempt: otelq.Attempt[None]) -> None:
        began.set()

    task = asyncio.create_task(otelq.Worker(client, jobs).run())
    await client.start(begins, None)
    await began.wait()
    return task


def note(number: int, frame: object) -> None:
    """An application's own handler."""


@pytest.mark.parametrize("ends", ["by a signal", "by a cancel"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_handlers_of_the_application_are_there_again_after_run(
    memory: otelq.Client, number: signal.Signals, ends: str
) -> None:
    with handler_of(number, note):
        task = await run_for_a_moment(memory)
        os.kill(os.getpid(), number) if ends == "by a signal" else task.cancel()
        await asyncio.wait([task])
        assert signal.getsignal(number) is note


async def test_a_handler_of_the_event_loop_hears_its_signal_during_run_and_after(memory: otelq.Client) -> None:
    loop, heard = asyncio.get_running_loop(), list[int]()
    loop.add_signal_handler(signal.SIGTERM, heard.append, 1)
    task = await run_for_a_moment(memory)
    os.kill(os.getpid(), signal.SIGTERM)
    await task
    await until(lambda: heard == [1])
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: heard == [1, 1])
    loop.remove_signal_handler(signal.SIGTERM)


async def test_a_handler_that_the_application_sets_during_run_stays(memory: otelq.Client) -> None:
    with handler_of(signal.SIGTERM, signal.SIG_DFL):
        task = await run_for_a_moment(memory)
        signal.signal(signal.SIGTERM, note)
        task.cancel()
        await asyncio.wait([task])
        assert signal.getsignal(signal.SIGTERM) is note


async def test_a_signal_that_is_ignored_stays_ignored(memory: otelq.Client) -> None:
    with handler_of(signal.SIGHUP, signal.SIG_IGN):
        task = await run_for_a_moment(memory)
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM)
        await task


async def test_a_closed_terminal_stops_a_worker_and_its_jobs_finish(memory: otelq.Client) -> None:
    task = await run_for_a_moment(memory)
    os.kill(os.getpid(), signal.SIGHUP)
    await task
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


async def test_a_sighup_of_the_application_is_not_taken(memory: otelq.Client) -> None:
    heard = list[int]()

    def reload(number: int, frame: object) -> None:
        heard.append(number)

    with handler_of(signal.SIGHUP, reload):
        task = await run_for_a_moment(memory)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: heard)
        assert not task.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await task


def test_run_in_another_thread_serves_without_signals(sqlite_url: str) -> None:
    before, done = [signal.getsignal(number) for number in signal.valid_signals()], list[str]()

    async def serve() -> None:
        async with otelq.connect(sqlite_url) as client:
            task = await run_for_a_moment(client)
            task.cancel()
            await asyncio.wait([task])
            done.append("cancelled" if task.cancelled() else repr(task.exception()))

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    thread.join(20)
    assert done == ["cancelled"]
    assert [signal.getsignal(number) for number in signal.valid_signals()] == before
