"""Defects that others had, each as what must happen instead."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

import otelq

from .support import Away, until

jobs = otelq.Jobs()


@jobs.job("echo")
async def echo(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


async def test_a_burst_that_leaves_slots_free_is_claimed_with_one_look() -> None:
    store = Away()
    async with otelq.connect(store) as client, otelq.Worker(client, jobs, poll_interval=60, concurrency=10):
        await until(lambda: store.asked.get("next_due"))
        before = store.asked["claim"]
        for chain in await client.start_many(echo, range(3)):
            await client.result(chain, timeout=10)
        await until(lambda: store.asked["settle"] >= 1)

    assert store.asked["claim"] - before == 1


@pytest.mark.parametrize("backend", ["postgres18", "postgres16"], indirect=True)
async def test_no_transaction_is_open_while_a_handler_does_slow_work(backend: str) -> None:
    slow, begun, go_on = otelq.Jobs(), asyncio.Event(), asyncio.Event()

    @slow.job("slow")
    async def work(attempt: otelq.Attempt[None]) -> bool:
        begun.set()
        await go_on.wait()
        return True

    observer = await asyncpg.connect(backend)
    async with otelq.connect(backend) as client, otelq.Worker(client, slow):
        chain = await client.start(work, None)
        await begun.wait()
        leased = (await client.chain(chain)).tail.leased_until
        idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        async with asyncio.timeout(20):
            while await observer.fetchval(idle):  # another loop of the worker may be between two statements
                pass
        go_on.set()
        await client.result(chain, timeout=10)
    await observer.close()

    assert leased is not None, "the job is under a lease"
