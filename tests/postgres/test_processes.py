"""Workers in processes of their own, which nothing else wakes: a cancel reaches them, and a killed one is replaced."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import otelq

from ..cli.shell import ROOT
from .hint_process import LEASE, hold, pid

STARTING = 5.0
"""Seconds beyond the lease for the search of the reaper and the start of the handler."""


@asynccontextmanager
async def worker(url: str, *options: str) -> AsyncGenerator[Process]:
    """A worker that is up."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.postgres.hint_process", url, *options, cwd=ROOT, stdout=PIPE
    )
    try:
        assert await line(process) == ["up"]
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line(process: Process) -> list[str]:
    """The words of the next line that it prints."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().split()


async def cancelled_after(client: otelq.Client, process: Process) -> float:
    """Seconds from a cancel in this process until the handler in the other one ends."""
    chain = await client.start(hold, None)
    assert (await line(process))[0] == "begun"
    asked = time.time()
    await client.cancel(chain)
    word, at = await line(process)
    assert word == "ended"
    return float(at) - asked


async def test_a_cancel_reaches_a_handler_in_another_process_within_a_second(postgres_url: str) -> None:
    async with otelq.connect(postgres_url) as client, worker(postgres_url) as process:
        assert await cancelled_after(client, process) < 1.0


async def test_a_cancel_reaches_a_handler_without_hints_when_its_lease_is_renewed(postgres_url: str) -> None:
    async with otelq.connect(postgres_url, notify=None) as client, worker(postgres_url, "--deaf") as process:
        assert await cancelled_after(client, process) < LEASE


async def test_the_job_of_a_killed_worker_runs_again_soon_after_its_lease_without_other_traffic(
    postgres_url: str,
) -> None:
    async with (
        otelq.connect(postgres_url, notify=None) as client,
        worker(postgres_url) as one,
        worker(postgres_url) as other,
    ):
        chain = await client.start(hold, None)
        waits = [asyncio.create_task(line(process)) for process in (one, other)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        victim = one if waits[0].done() else other
        victim.kill()
        killed = time.time()

        assert await client.result(chain) - killed < LEASE + STARTING
        for each in waits:
            await each


async def test_a_job_and_its_result_go_between_processes(postgres_url: str) -> None:
    async with otelq.connect(postgres_url) as client, worker(postgres_url) as process:
        assert await client.result(await client.start(pid, None)) == process.pid
