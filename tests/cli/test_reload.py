"""``--reload`` starts the workers anew when a file changes, loses no job, and waits while the application is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

import otelq
from otelq.cli.main import run
from otelq.cli.reload import watch

from .shell import read_until, started

SHOP = """
import asyncio, otelq

jobs = otelq.Jobs()
print("version {version}", flush=True)


@jobs.job("linger")
async def linger(attempt: otelq.Attempt[None]) -> int:
    print("lingering in", {version}, flush=True)
    if {version} == 1:
        await attempt.stopping.wait()
    return {version}
"""
linger = otelq.JobType("linger", input=type(None), output=int)


async def test_a_change_starts_the_workers_anew_and_a_broken_application_is_waited_for(
    sqlite_url: str, tmp_path: Path
) -> None:
    shop = tmp_path / "shop.py"
    shop.write_text(SHOP.format(version=1))
    async with otelq.connect(sqlite_url) as client:
        chain = await client.start(linger, None)
        command = ["otelq", "worker", "shop:jobs", "--url", sqlite_url, "--reload"]
        with started(command, folder=tmp_path, PYTHONDONTWRITEBYTECODE="1") as worker:
            read_until(worker, "lingering in 1")
            shop.write_text(SHOP.format(version=2))
            assert "shop.py changed; the workers start anew" in read_until(worker, "version 2")
            assert await client.result(chain, timeout=10) == 1  # the old process has finished what it ran
            read_until(worker, "serves linger")
            shop.write_text("jobs = (\n")
            assert "SyntaxError: '(' was never closed" in read_until(worker, "waiting for a file to change")
            shop.write_text(SHOP.format(version=3))
            read_until(worker, "serves linger")
            assert await client.result(await client.start(linger, None), timeout=10) == 3
            worker.terminate()
            read_until(worker, "all worker processes have ended")
            assert worker.wait() == 0


def test_it_is_for_one_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", "shop:jobs", "--reload", "--processes", "2"]) == 2
    assert "--reload is for one process; leave out --processes" in capsys.readouterr().err


async def test_files_that_cannot_be_watched_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await watch(tmp_path / "nowhere", print)
    assert f"the files in {tmp_path / 'nowhere'} are not watched" in caplog.text
