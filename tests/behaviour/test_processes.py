"""Handlers with ``executor="process"``: what crosses over, what comes back, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import otelq
from otelq.model import Meta
from otelq.worker.process_protocol import RunRequest, frame

from . import process_work as work
from .support import becomes, ended, until

misplaced = otelq.Jobs()


def runs_in_main(attempt: otelq.Attempt[None]) -> None: ...


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def pids_in(file: Path) -> list[int]:
    await until(file.exists)
    return [int(pid) for pid in file.read_text().split()]  # noqa: ASYNC240  # a few bytes


async def test_a_handler_runs_in_another_process_and_its_output_comes_back(client: otelq.Client) -> None:
    async with otelq.Worker(client, work.jobs):
        chain = await client.start(work.sum_up, work.Range(1, 101))
        assert await client.result(chain, timeout=30) == 5050
        assert await client.result(await client.start(work.process_id, None), timeout=30) != os.getpid()


async def test_a_process_is_used_again_and_ends_with_its_worker(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs):
        pids = {await memory.result(await memory.start(work.process_id, None), timeout=30) for _ in range(3)}
        assert [is_alive(pid) for pid in pids] == [True]
    assert [is_alive(pid) for pid in pids] == [False]


async def test_the_attempt_is_there_as_it_is_in_the_worker(client: otelq.Client) -> None:
    blockers = await client.start_many(work.sum_up, [work.Range(0, 3), work.Range(0, 4)])
    async with otelq.Worker(client, work.jobs):
        chain = await client.start(work.tells, "tell me", blockers=blockers, tags={"tenant": "acme"})
        told = await client.result(chain, timeout=30)
    assert told == {
        "input": "tell me",
        "type": "tells",
        "number": 1,
        "chain": chain.id,
        "job": f"{chain.id}.0",
        "token": True,
        "tags": {"tenant": "acme"},
        "sums": [3, 6],
        "time_left": True,
        "stopping": False,
    }


async def test_what_belongs_to_the_worker_is_not_there_and_says_so(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs, provide=[Path("x")]):
        said = await memory.result(await memory.start(work.misses, None), timeout=30)
    assert len(said) == 5
    assert all('executor="process"' in text for text in said)


async def test_a_continuation_comes_back(client: otelq.Client) -> None:
    async with otelq.Worker(client, work.jobs):
        assert await client.result(await client.start(work.continues, 5), timeout=30) == 10


async def test_a_continuation_into_a_type_that_the_worker_does_not_serve_comes_back_whole(client: otelq.Client) -> None:
    async with otelq.Worker(client, work.jobs):
        chain = await client.start(work.goes_elsewhere, None)
        tail = await becomes(client, chain, "scheduled", position=1)
    assert (tail.type, tail.queue, tail.priority, tail.status) == ("elsewhere", "other", -3, "scheduled")
    assert json.loads(tail.input or "") == {"first": 1, "last": 2}


@pytest.mark.parametrize(
    "decision, result",
    [("snooze", "again, attempt 1"), ("retry-after", "again, attempt 2"), ("group", "again, attempt 1")],
)
async def test_decisions_come_back(memory: otelq.Client, tmp_path: Path, decision: str, result: str) -> None:
    async with otelq.Worker(memory, work.jobs):
        chain = await memory.start(work.decides, f"{decision}:{tmp_path}/marker")
        assert await memory.result(chain, timeout=30) == result
    causes = [attempt.failure and attempt.failure.type for attempt in await memory.attempts(f"{chain.id}.0")]
    assert causes[:-1] == ([f"{work.__name__}.Unwell"] if decision == "retry-after" else [None])


async def test_fail_comes_back(memory: otelq.Client, tmp_path: Path) -> None:
    async with otelq.Worker(memory, work.jobs):
        with pytest.raises(otelq.ChainFailed, match="not this one"):
            await memory.result(await memory.start(work.decides, f"fail:{tmp_path}/marker"), timeout=30)


async def test_an_exception_is_stored_as_it_would_be_and_retried_by_its_own_rule(client: otelq.Client) -> None:
    async with otelq.Worker(client, work.jobs):
        chain = await client.start(work.falls_ill, None)
        job = await ended(client, chain)
    assert job.failure is not None
    assert (job.attempt, job.failure.type) == (2, f"{work.__name__}.Unwell")
    assert job.failure.text.startswith("attempt 2\n")
    assert "in falls_ill" in job.failure.text


async def test_an_output_that_does_not_fit_fails_the_attempt(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs):
        job = await ended(memory, await memory.start(work.lies, None))
    assert job.failure is not None
    assert "return value" in job.failure.text


@pytest.mark.parametrize("how, words", [("exit", "exited with code 7"), ("signal", "was ended by SIGKILL")])
async def test_a_process_that_dies_fails_its_own_attempt_by_the_policy(
    memory: otelq.Client, how: str, words: str
) -> None:
    async with otelq.Worker(memory, work.jobs):
        neighbour = await memory.start(work.sum_up, work.Range(0, 3))
        job = await ended(memory, await memory.start(work.dies, how))
        assert await memory.result(neighbour, timeout=30) == 3
    assert job.failure is not None
    assert (job.status, job.attempt, job.crashes) == ("failed", 3, 0)
    assert job.failure.type == "otelq.errors.ProcessDied"
    assert words in job.failure.text


async def test_a_process_ends_with_all_that_it_started_when_its_chain_is_cancelled(
    client: otelq.Client, tmp_path: Path
) -> None:
    async with otelq.Worker(client, work.jobs):
        chain = await client.start(work.endless, f"{tmp_path}/pids")
        pids = await pids_in(tmp_path / "pids")
        await client.cancel(chain)
        await until(lambda: not any(is_alive(pid) for pid in pids))
    assert (await client.chain(chain)).tail.status == "cancelled"


async def test_a_process_ends_when_its_attempt_times_out(memory: otelq.Client, tmp_path: Path) -> None:
    async with otelq.Worker(memory, work.jobs):
        await memory.result(await memory.start(work.process_id, None), timeout=30)  # the process is up
        job = await ended(memory, await memory.start(work.overdue, f"{tmp_path}/pids"))
        pids = await pids_in(tmp_path / "pids")
        assert not any(is_alive(pid) for pid in pids)
    assert job.failure is not None
    assert job.failure.type == "TimeoutError"


async def test_a_process_ends_when_its_lease_is_lost(memory: otelq.Client, tmp_path: Path) -> None:
    async with otelq.Worker(memory, work.jobs):
        chain = await memory.start(work.endless, f"{tmp_path}/pids")
        pids = await pids_in(tmp_path / "pids")
        await memory.delete(chain)
        await until(lambda: not any(is_alive(pid) for pid in pids))


async def test_a_process_ends_when_the_grace_of_a_stopping_worker_is_over(memory: otelq.Client, tmp_path: Path) -> None:
    async with otelq.Worker(memory, work.jobs, grace=0.1):
        chain = await memory.start(work.endless, f"{tmp_path}/pids")
        pids = await pids_in(tmp_path / "pids")
    assert not any(is_alive(pid) for pid in pids)
    assert (await memory.chain(chain)).tail.status == "ready"


async def test_a_process_ends_when_its_worker_was_killed(tmp_path: Path) -> None:
    program = f"""
import asyncio, otelq
from tests.behaviour import process_work as work

async def main():
    async with otelq.connect("memory://") as client, otelq.Worker(client, work.jobs):
        await client.result(await client.start(work.endless, {f"{tmp_path}/pids"!r}))

asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    worker = subprocess.Popen([sys.executable, "-c", program], cwd=root)  # noqa: ASYNC220  # quickly begun
    try:
        pids = await pids_in(tmp_path / "pids")
        assert all(is_alive(pid) for pid in pids)
    finally:
        worker.kill()
        worker.wait()
    await until(lambda: not any(is_alive(pid) for pid in pids))


async def test_a_handler_is_told_of_its_soft_timeout(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs):
        chain = await memory.start(work.reaches_a_good_place, None)
        assert await memory.result(chain, timeout=30) == "timeout with time left: True"


async def test_a_handler_is_told_that_its_worker_stops(memory: otelq.Client, tmp_path: Path) -> None:
    async with otelq.Worker(memory, work.jobs):
        chain = await memory.start(work.is_told_to_stop, f"{tmp_path}/began")
        await until((tmp_path / "began").exists)
    assert await memory.result(chain, timeout=5) == "shutdown"


def test_a_handler_that_another_process_would_not_find_is_refused_when_the_worker_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undecorated = otelq.Jobs()
    undecorated.job("undecorated", executor="process")(runs_in_main)
    with pytest.raises(otelq.InvalidArgument, match=r"executor: of 'undecorated'.*is not its handler, decorated"):
        otelq.Worker(otelq.connect("memory://"), undecorated)
    monkeypatch.setattr(runs_in_main, "__module__", "__main__")
    with pytest.raises(otelq.InvalidArgument, match=r"is in the main program"):
        otelq.Worker(otelq.connect("memory://"), undecorated)


async def test_a_handler_in_a_process_waits_too(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs):
        awaited = await memory.start(work.sum_up, work.Range(0, 4))
        assert await memory.result(await memory.start(work.waits, awaited.id), timeout=30) == 6


@pytest.mark.parametrize("how, code", [("exits", 3), ("raises", 1), ("returns", 0)])
async def test_what_a_fork_of_a_handler_comes_to_is_no_reply(memory: otelq.Client, how: str, code: int) -> None:
    async with otelq.Worker(memory, work.jobs, concurrency=1):
        assert await memory.result(await memory.start(work.forks, how), timeout=30) == f"{how}: {code}"
        assert await memory.result(await memory.start(work.sum_up, work.Range(0, 4)), timeout=30) == 6


async def test_a_handler_can_end_what_it_forked(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs):
        chain = await memory.start(work.ends_its_fork, None)
        assert await memory.result(chain, timeout=30) == -signal.SIGTERM


async def test_a_process_that_dies_beside_a_fork_of_its_own_is_missed_at_once(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs, grace=0.1):
        job = await ended(memory, await memory.start(work.dies_beside_its_fork, None))
    assert job.failure is not None
    assert job.failure.type == "otelq.errors.ProcessDied"


async def test_what_a_handler_left_behind_does_not_keep_a_slot_when_the_next_one_times_out(
    memory: otelq.Client, tmp_path: Path
) -> None:
    async with otelq.Worker(memory, work.jobs, concurrency=1) as worker:
        left = await memory.result(await memory.start(work.leaves_a_fork, None), timeout=30)
        try:
            job = await ended(memory, await memory.start(work.overdue, f"{tmp_path}/pids"))
            assert worker.leaked == 0
        finally:
            os.kill(left, signal.SIGKILL)
    assert job.failure is not None
    assert job.failure.type == "TimeoutError"


async def test_a_context_variable_does_not_outlive_the_attempt_that_set_it(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs, concurrency=1):
        chains = await memory.start_many(work.remembers, ["one", "two"])
        assert [await memory.result(chain, timeout=30) for chain in chains] == ["", ""]


async def test_a_process_outlives_a_handler_that_closes_its_output(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs, concurrency=1):
        pids = [await memory.result(await memory.start(work.closes_its_output, None), timeout=30) for _ in range(3)]
    assert len(set(pids)) == 1


def test_a_process_ends_when_its_worker_dies_in_the_middle_of_an_order() -> None:
    order = RunRequest(
        module=work.__name__,
        name="sum_up",
        input="[]",
        number=1,
        chain_id="",
        job_id="",
        token=1,
        meta=Meta(),
        blockers=[],
        time_left=None,
        stop_reason=None,
        carrier={},
        payload_limit=1 << 20,
    )
    command = [sys.executable, "-c", "from otelq.worker.process_main import main; main()"]
    child = subprocess.run(command, input=frame(order)[:-1], capture_output=True, timeout=30, check=False)
    assert (child.returncode, child.stdout, child.stderr) == (0, b"", b"")


@pytest.mark.parametrize("way", [work.shouts, work.shouts_in_a_thread], ids=["a process", "a thread"])
@pytest.mark.parametrize("how", ["fail", "raise"])
async def test_the_text_of_an_exception_is_cut_before_it_leaves(
    memory: otelq.Client, caplog: pytest.LogCaptureFixture, way: otelq.JobType[str, None], how: str
) -> None:
    async with otelq.Worker(memory, work.jobs):
        with pytest.raises(otelq.ChainFailed, match="xxx") as failed:
            await memory.result(await memory.start(way, how), timeout=30)
    assert len(str(failed.value)) < 9_000
    assert len(caplog.text) < 20_000
