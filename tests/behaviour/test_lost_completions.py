"""Completions of jobs that are no longer the worker's when its handler returns."""

from __future__ import annotations

import otelq

from .support import ONCE, Deaf


async def test_a_job_that_was_closed_meanwhile_keeps_nothing_of_its_completion(postgres_url: str) -> None:
    """Nobody tells the attempt, so that it finds its token gone only when it asks to be closed."""
    jobs = otelq.Jobs()
    other: otelq.JobType[int, int] = otelq.JobType("other", input=int, output=int)

    @jobs.job("unaware", retry=ONCE)
    async def unaware(attempt: otelq.Attempt[None]) -> str:
        await attempt.client.start(other, 1, tx=await attempt.completion())
        await attempt.client.cancel(attempt.chain_id)
        return "done"

    async with otelq.connect(postgres_url, notify=Deaf()) as client:
        async with otelq.Worker(client, jobs):
            chain = await client.start(unaware, None)
            while (await client.chain(chain)).tail.status != "cancelled":
                pass
        assert [job.type for job in (await client.jobs()).items] == ["unaware"]
