"""A handler that ends its own chain in its completion, by every way to PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import otelq

from ..behaviour.support import until
from ..conformance.test_drivers import WAYS, way
from ..servers import PostgresServer


@pytest.mark.parametrize("name", WAYS, ids=[f"postgres18-{name}" for name in WAYS])
async def test_a_handler_may_cancel_its_own_chain_in_its_completion(name: str, postgres18: PostgresServer) -> None:
    jobs, attempts, url = otelq.Jobs(), list[int](), postgres18.create_migrated_database()

    @jobs.job("selfish", lease=3600)
    async def selfish(attempt: otelq.Attempt[None]) -> None:
        attempts.append(attempt.number)
        tx: Any = await attempt.completion()
        await attempt.client.cancel(otelq.Chain(attempt.chain_id, selfish), tx=tx)

    async with way(name, url) as factory, otelq.connect(factory()) as client, otelq.Worker(client, jobs):
        chain = await client.start(selfish, None)
        with pytest.raises(otelq.ChainCancelled):
            await client.result(chain, timeout=10)
    postgres18.drop_database(url)
    assert attempts == [1]


async def test_an_attempt_whose_job_was_redriven_and_claimed_anew_cannot_end_it(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, attempts = otelq.Jobs(), list[int]()
    may_cancel, may_return = asyncio.Event(), asyncio.Event()

    @jobs.job("selfish", lease=3600)
    async def selfish(attempt: otelq.Attempt[None]) -> str:
        attempts.append(attempt.number)
        if len(attempts) == 2:
            may_cancel.set()
            await may_return.wait()
            return "by the second"
        tx: Any = await attempt.completion()
        await may_cancel.wait()
        await attempt.client.cancel(otelq.Chain(attempt.chain_id, selfish), tx=tx)
        return "by the first"

    async with (
        otelq.connect(postgres_url) as first,
        otelq.connect(postgres_url) as second,
        otelq.Worker(first, jobs),
    ):
        chain = await first.start(selfish, None)
        await until(lambda: attempts)
        await second.cancel(chain)
        await second.redrive(chain)
        async with otelq.Worker(second, jobs, poll_interval=0.05):
            await may_cancel.wait()
            await until(lambda: "lost its job" in caplog.text)
            may_return.set()
            assert await second.result(chain, timeout=10) == "by the second"
    assert attempts == [1, 1]
