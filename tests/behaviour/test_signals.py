"""``Worker.run``: it ends on SIGINT and SIGTERM, beside others of the same event loop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

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
