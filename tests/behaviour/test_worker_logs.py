"""Lines that a worker logs about jobs which change hands."""

from __future__ import annotations

import asyncio
import logging

import pytest

import otelq
from otelq.model import ClaimRequest
from otelq.worker import reaper

from .support import for_ever

jobs = otelq.Jobs()


@jobs.job("idle")
async def idle(attempt: otelq.Attempt[None]) -> None: ...


async def lost_jobs(client: otelq.Client, count: int) -> list[otelq.Chain[None]]:
    """Jobs that a worker claimed which died at once."""
    chains = await client.start_many(idle, [None] * count)
    request = ClaimRequest(type="idle", limit=count, lease=0.001, timeout=None)
    await client.engine.state.claim([request], worker="the dead one", token=7)
    return chains


def lines(caplog: pytest.LogCaptureFixture, *, above: int = logging.INFO) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno > above]


async def test_a_job_that_is_taken_from_a_dead_worker_is_logged_with_its_name(
    client: otelq.Client, caplog: pytest.LogCaptureFixture
) -> None:
    [chain] = await lost_jobs(client, 1)
    async with otelq.Worker(client, jobs, poll_interval=0.01, reap_interval=0.01):
        await client.result(chain)

    assert lines(caplog) == [
        f"idle {chain.id}.0 was taken from worker the dead one, whose lease ran out; it is ready now"
    ]


async def test_many_jobs_of_a_dead_worker_are_counted_after_the_first(
    client: otelq.Client, caplog: pytest.LogCaptureFixture
) -> None:
    chains = await lost_jobs(client, reaper.LOGGED + 2)
    async with otelq.Worker(client, jobs, poll_interval=0.01, reap_interval=0.01):
        for chain in chains:
            await client.result(chain)

    assert len(lines(caplog)) == reaper.LOGGED + 1
    assert lines(caplog)[-1] == "2 more jobs were taken from workers whose leases ran out"


async def test_jobs_that_a_worker_gives_back_at_its_stop_are_counted(
    client: otelq.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="otelq.worker")
    patient, begun = otelq.Jobs(), asyncio.Event()

    @patient.job("waits")
    async def waits(attempt: otelq.Attempt[None]) -> None:
        begun.set()
        await for_ever()

    await client.start(waits, None)
    async with otelq.Worker(client, patient, grace=0, name="mine"):
        await begun.wait()

    assert lines(caplog, above=logging.DEBUG)[-1] == "worker mine has stopped; attempts: 1 released"
