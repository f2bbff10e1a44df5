"""Nobody waits for ever for the one write lock, least of all for a transaction that the waiter holds itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import Context
from itertools import product
from typing import Any

import pytest

import otelq

Attempt = otelq.Attempt[str]
Way = Callable[[Attempt], AbstractAsyncContextManager[object]]

ONCE = otelq.RetryPolicy(max_attempts=1)
jobs = otelq.Jobs()


@asynccontextmanager
async def completion(attempt: Attempt) -> AsyncGenerator[object]:
    yield await attempt.completion()


@asynccontextmanager
async def own(attempt: Attempt) -> AsyncGenerator[object]:
    async with attempt.transaction() as tx:
        yield tx


@asynccontextmanager
async def clients(attempt: Attempt) -> AsyncGenerator[object]:
    async with attempt.client.transaction() as tx:
        yield tx


@asynccontextmanager
async def start(attempt: Attempt) -> AsyncGenerator[object]:
    yield await attempt.client.start(nothing, None)


WAYS: dict[str, Way] = {"completion": completion, "own": own, "client's": clients, "start": start}


@jobs.job("nothing")
async def nothing(attempt: otelq.Attempt[None]) -> None:
    pass


@jobs.job("nest", retry=ONCE)
async def nest(attempt: Attempt) -> str:
    """Open the transactions that the input names, each in the one before."""
    outer, inner = attempt.input.split(" and in it ")
    async with WAYS[outer](attempt), WAYS[inner](attempt):
        return "done"


@jobs.job("nest elsewhere", retry=ONCE)
async def nest_elsewhere(attempt: Attempt) -> str:
    """Wait in a transaction for a task that wants one too, and does not know of this one."""
    async with WAYS[attempt.input](attempt):
        return await asyncio.get_running_loop().create_task(_begin_and_end(attempt), context=Context())


async def _begin_and_end(attempt: Attempt) -> str:
    async with attempt.client.transaction():
        return "done"


async def ended(client: otelq.Client, chain: otelq.Chain[Any]) -> str:
    try:
        output: str = await client.result(chain, timeout=25)
    except otelq.ChainFailed as failed:
        return str(failed)
    return output


async def test_transactions_in_transactions_in_any_order_end_at_once_or_say_what_to_do(sqlite_url: str) -> None:
    orders = [f"{outer} and in it {inner}" for outer, inner in product(WAYS, WAYS)]
    async with otelq.connect(sqlite_url) as client, otelq.Worker(client, jobs, concurrency=10):
        began = time.monotonic()
        chains = await client.start_many(nest, orders)
        ends = [await ended(client, chain) for chain in chains]
        assert time.monotonic() - began < 10
    for order, end in zip(orders, ends, strict=True):
        assert end == "done" or "give tx=: this task holds the only write lock" in end, f"{order}: {end}"
    assert ends[orders.index("start and in it own")] == "done"


@pytest.mark.parametrize("way", ["completion", "own", "client's"])
async def test_a_wait_for_a_task_that_waits_for_this_one_ends_after_the_busy_timeout(sqlite_url: str, way: str) -> None:
    async with otelq.connect(sqlite_url, busy_timeout=0.2) as client, otelq.Worker(client, jobs):
        end = await ended(client, await client.start(nest_elsewhere, way))
        assert "write in it with tx=" in end
        async with client.transaction():
            pass  # the lock is free


async def test_waiting_for_the_lock_under_a_limit_takes_no_time_of_the_processor(sqlite_url: str) -> None:
    anyio = pytest.importorskip("anyio")
    async with otelq.connect(sqlite_url) as client, otelq.connect(sqlite_url) as other:
        async with other.transaction():
            used, began = time.process_time(), time.monotonic()
            for wait in (client.transaction, lambda: _starting(client)):
                with anyio.move_on_after(0.5) as scope:
                    async with wait():
                        pass
                assert scope.cancelled_caught
            assert time.process_time() - used < 0.2 * (time.monotonic() - began)
        async with client.transaction():
            pass


@asynccontextmanager
async def _starting(client: otelq.Client) -> AsyncGenerator[object]:
    yield await client.start(nothing, None)
