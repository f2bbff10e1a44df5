"""The worker: starting and stopping, sharing its slots out, and what it does when something is wrong."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest

import otelq

from .support import ONCE, Away, Deaf, Unreliable, becomes, ended, for_ever, status, until

jobs = otelq.Jobs()


@jobs.job("echo")
async def echo(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@jobs.job("twice")
async def twice(attempt: otelq.Attempt[int]) -> otelq.Continue[int]:
    return attempt.continue_with(echo, attempt.input * 2)


@jobs.job("sum")
async def total(attempt: otelq.Attempt[None]) -> int:
    return sum(attempt.blockers(twice))


async def some_work(client: otelq.Client, count: int = 12) -> int:
    """Chains of two steps, one delayed, and a fan-in of all; what the fan-in yields."""
    chains = await client.start_many(twice, range(count))
    chains.append(await client.start(twice, 100, delay=0.05))
    return await client.result(await client.start(total, None, blockers=chains), timeout=20)


# Starting and stopping


async def test_a_stopping_worker_lets_its_attempts_finish_and_claims_no_more(client: otelq.Client) -> None:
    patient, go_on = otelq.Jobs(), asyncio.Event()

    @patient.job("finishes")
    async def finishes(attempt: otelq.Attempt[int]) -> str:
        go_on.set()
        await attempt.stopping.wait()
        return "finished"

    chains = await client.start_many(finishes, range(3))
    async with otelq.Worker(client, patient, concurrency=1):
        await go_on.wait()
    assert sorted([str(await status(client, chain)) for chain in chains]) == ["completed", "ready", "ready"]


async def test_a_stopping_worker_releases_what_it_cannot_finish(client: otelq.Client) -> None:
    endless, began = otelq.Jobs(), list[int]()

    @endless.job("endless")
    async def never(attempt: otelq.Attempt[int]) -> None:
        began.append(attempt.number)
        await for_ever()

    chains = await client.start_many(never, range(5))
    async with otelq.Worker(client, endless, grace=0.05):
        await until(lambda: len(began) == 5)
    records = [(await client.chain(chain)).tail for chain in chains]
    assert {(str(job.status), job.attempt, job.crashes) for job in records} == {("ready", 0, 0)}
    assert {attempt.verb for attempt in await client.attempts(f"{chains[0].id}.0")} == {"release"}


async def test_a_worker_can_be_entered_again_but_not_twice_at_once(memory: otelq.Client) -> None:
    worker = otelq.Worker(memory, jobs)
    for n in range(2):
        async with worker:
            assert await memory.result(await memory.start(echo, n), timeout=10) == n
            with pytest.raises(otelq.OtelqError, match="running already"):
                await worker.__aenter__()


async def test_a_worker_that_is_cancelled_while_it_stops_leaves_nothing_running(memory: otelq.Client) -> None:
    endless, began = otelq.Jobs(), asyncio.Event()

    @endless.job("endless")
    async def never(attempt: otelq.Attempt[None]) -> None:
        began.set()
        await for_ever()

    async def work() -> None:
        async with otelq.Worker(memory, endless, grace=60):
            await began.wait()

    chain = await memory.start(never, None)
    before = asyncio.all_tasks()
    task = asyncio.create_task(work())
    await began.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await becomes(memory, chain, "ready")
    await until(lambda: asyncio.all_tasks() == before)


async def test_an_error_of_the_block_passes_through_a_graceful_stop(memory: otelq.Client) -> None:
    with pytest.raises(ZeroDivisionError):
        async with otelq.Worker(memory, jobs):
            raise ZeroDivisionError


# Hints may be lost, doubled or late


async def test_polling_alone_is_correct() -> None:
    async with otelq.connect("memory://", notify=Deaf()) as client, otelq.Worker(client, jobs, poll_interval=0.02):
        assert await some_work(client) == 2 * (sum(range(12)) + 100)


async def test_lost_and_doubled_hints_change_nothing() -> None:
    async with (
        otelq.connect("memory://", notify=Unreliable()) as client,
        otelq.Worker(client, jobs, poll_interval=0.05),
    ):
        assert await some_work(client) == 2 * (sum(range(12)) + 100)


async def test_a_delayed_job_runs_when_due_though_nobody_said_so() -> None:
    async with otelq.connect("memory://", notify=Deaf()) as client:
        chain = await client.start(echo, 1, delay=0.2)
        async with otelq.Worker(client, jobs, poll_interval=60):
            assert await client.result(chain, timeout=5) == 1


# Slots


async def test_no_more_jobs_of_a_type_run_at_once_than_its_concurrency(client: otelq.Client) -> None:
    limited, running, most = otelq.Jobs(), 0, 0
    arrived = asyncio.Event()

    @limited.job("limited", concurrency=2)
    async def narrow(attempt: otelq.Attempt[int]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if attempt.input < 2:
            await arrived.wait()
        running -= 1

    @limited.job("wide")
    async def wide(attempt: otelq.Attempt[None]) -> None:
        arrived.set()

    async with otelq.Worker(client, limited, concurrency=10):
        chains = await client.start_many(narrow, range(20))
        await client.result(await client.start(wide, None), timeout=10)
        for chain in chains:
            await client.result(chain, timeout=10)
    assert most == 2


async def test_no_more_jobs_run_at_once_than_the_worker_has_slots(client: otelq.Client) -> None:
    crowd, running, most, free = otelq.Jobs(), 0, 0, asyncio.Event()

    @crowd.job("crowd")
    async def crowded(attempt: otelq.Attempt[int]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await free.wait()
        running -= 1

    chains = await client.start_many(crowded, range(30))
    async with otelq.Worker(client, crowd, concurrency=3):
        await until(lambda: running >= 3)
        chains += await client.start_many(crowded, [30])
        chains += await client.start_many(crowded, [31])  # by now another claim would have been answered, too
        free.set()
        for chain in chains:
            await client.result(chain, timeout=10)
    assert most == 3


async def test_no_type_waits_more_than_one_rotation(memory: otelq.Client) -> None:
    many, ran = otelq.Jobs(), list[str]()
    types: list[otelq.JobType[int, None]] = []
    for n in range(10):

        @many.job(f"type-{n}")
        async def handler(attempt: otelq.Attempt[int], name: str = f"type-{n}") -> None:
            ran.append(name)

        types.append(handler)
    busy = types[:3] + types[7:]
    for type in busy:
        await memory.start_many(type, range(20))
    async with otelq.Worker(memory, many, concurrency=1):
        await until(lambda: len(ran) == 120)
    assert [sorted(ran[n : n + 6]) for n in range(0, 120, 6)] == [[type.name for type in busy]] * 20


async def test_two_workers_on_one_client_share_the_work_and_do_nothing_twice(client: otelq.Client) -> None:
    shared, ran = otelq.Jobs(), list[int]()

    @shared.job("once")
    async def once(attempt: otelq.Attempt[int]) -> None:
        ran.append(attempt.input)
        await asyncio.sleep(0)

    async with otelq.Worker(client, shared, concurrency=4), otelq.Worker(client, shared, concurrency=4):
        for chain in await client.start_many(once, range(60)):
            await client.result(chain, timeout=20)
    assert sorted(ran) == list(range(60))


async def test_a_worker_leaves_the_types_alone_that_it_does_not_serve(client: otelq.Client) -> None:
    other = otelq.JobType("served-elsewhere", input=int, output=int)
    chain = await client.start(other, 1)
    async with otelq.Worker(client, jobs):
        await client.result(await client.start(echo, 1), timeout=10)
    assert await status(client, chain) == "ready"


# Faults


async def test_a_lost_reply_to_a_claim_is_given_back() -> None:
    state = Away()
    claim = state.claim
    lost = list[int]()

    async def loses_the_first_reply(requests: Any, **call: Any) -> Any:
        found = await claim(requests, **call)
        if found[0] and not lost:
            lost.append(len(found[0]))
            raise otelq.Unavailable("the reply was lost")
        return found

    state.claim = loses_the_first_reply  # type: ignore[method-assign]
    async with otelq.connect(state) as client, otelq.Worker(client, jobs):
        chain = await client.start(echo, 1)
        assert await client.result(chain, timeout=10) == 1
        assert (lost, (await client.chain(chain)).tail.attempt) == ([1], 1)


async def test_work_goes_on_when_a_database_comes_back() -> None:
    state = Away()
    async with otelq.connect(state) as client, otelq.Worker(client, jobs, poll_interval=0.05):
        chain = await client.start(echo, 1)
        state.away |= {"claim", "settle", "renew", "reap", "outcomes", "next_due"}
        seen = state.asked.get("claim", 0)
        await until(lambda: state.asked.get("claim", 0) > seen + 1)
        state.away.clear()
        assert await client.result(chain, timeout=10) == 1


async def test_an_outcome_is_stored_though_the_database_was_away_when_the_handler_returned() -> None:
    state, once = Away(), otelq.Jobs()

    @once.job("returns")
    async def returns(attempt: otelq.Attempt[None]) -> int:
        state.away.add("settle")
        return attempt.number

    async with otelq.connect(state) as client, otelq.Worker(client, once):
        chain = await client.start(returns, None)
        await until(lambda: state.asked.get("settle", 0) >= 2)
        state.away.clear()
        assert await client.result(chain, timeout=10) == 1


@pytest.mark.parametrize("skips_first", [False, True])
async def test_a_job_that_is_claimed_during_a_stop_without_grace_is_given_back(skips_first: bool) -> None:
    state = Away()
    claim = state.claim
    asked, answered = asyncio.Event(), asyncio.Event()

    async def answers_late(*arguments: Any, **options: Any) -> Any:
        claimed = await claim(*arguments, **options)
        asked.set()
        await answered.wait()
        return claimed

    lingers = otelq.Jobs()

    @lingers.job("lingers")
    async def linger(attempt: otelq.Attempt[None]) -> None:
        await for_ever()

    async with otelq.connect(state) as client:
        chain = await client.start(linger, None)
        state.claim = answers_late  # type: ignore[method-assign]
        async with otelq.Worker(client, lingers, grace=3600) as worker:
            await asked.wait()
            if skips_first:
                worker.skip_grace()
            stop = asyncio.create_task(worker.__aexit__(None, None, None))
            await until(lambda: worker.health.problem == "it is stopping")
            if not skips_first:
                worker.skip_grace()
            answered.set()
            await stop
        tail = (await client.chain(chain)).tail
        assert (tail.status, tail.attempt) == ("ready", 0)


@pytest.mark.parametrize("verb", ["claim", "settle", "reap"])
async def test_a_loop_that_cannot_recover_makes_the_block_raise(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.setattr("otelq.loop.LONGEST_BACK_OFF", 0.001)
    monkeypatch.setattr("otelq.worker.run.LAST_WRITES", 0.05)
    state = Away()
    state.error = lambda: KeyError("a bug in the adapter")
    async with otelq.connect(state) as client:
        await client.start(echo, 1)
        state.away.add(verb)
        with pytest.raises(otelq.OtelqError, match="could not go on") as error:
            async with otelq.Worker(client, jobs, reap_interval=0.01, grace=0.05):
                await for_ever()
    assert isinstance(error.value.__cause__, KeyError)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_run_raises_too_when_a_loop_cannot_recover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelq.loop.LONGEST_BACK_OFF", 0.001)
    state = Away()
    state.error = lambda: KeyError("a bug in the adapter")
    async with otelq.connect(state) as client:
        state.away.add("claim")
        with pytest.raises(otelq.OtelqError, match="could not go on"):
            await otelq.Worker(client, jobs, grace=0.05).run()


async def test_a_handler_that_blocks_the_loop_keeps_its_lease(tmp_path: Any) -> None:
    blocking = otelq.Jobs()

    @blocking.job("blocks", lease=1, retry=ONCE)
    async def blocks(attempt: otelq.Attempt[None]) -> str:
        time.sleep(1.5)  # noqa: ASYNC251  # what the keeper's own thread is for
        return "kept"

    async with otelq.connect(f"sqlite:///{tmp_path}/otelq.db") as client:
        async with otelq.Worker(client, blocking, reap_interval=0.1):
            chain = await client.start(blocks, None)
            assert await client.result(chain, timeout=10) == "kept"
        assert (await client.chain(chain)).tail.crashes == 0


async def test_a_row_that_somebody_holds_delays_its_own_job_only(caplog: pytest.LogCaptureFixture) -> None:
    held, free = otelq.Jobs(), asyncio.Event()
    state = Away()
    settle = state.settle

    async def busy(settlements: Any, **call: Any) -> Any:
        if free.is_set() or all(item.job.type != "held" for item in settlements):
            return await settle(settlements, **call)
        others = [item for item in settlements if item.job.type != "held"]
        found = await settle(others, **call)
        verdicts = iter(found.results)
        answers = tuple(
            otelq.model.SettleResult.BUSY if item.job.type == "held" else next(verdicts) for item in settlements
        )
        return otelq.model.Settled(
            results=answers, transitions=found.transitions, claimed_successors=found.claimed_successors
        )

    state.settle = busy  # type: ignore[method-assign]

    @held.job("held")
    async def is_held(attempt: otelq.Attempt[None]) -> str:
        return "at last"

    with caplog.at_level(logging.ERROR):
        async with otelq.connect(state) as client, otelq.Worker(client, jobs, held):
            chain = await client.start(is_held, None)
            assert await some_work(client) == 2 * (sum(range(12)) + 100)
            assert await status(client, chain) == "running"
            free.set()
            assert await client.result(chain, timeout=10) == "at last"
    assert not caplog.records


async def test_a_due_job_that_somebody_holds_is_looked_at_less_and_less_often() -> None:
    state, looks, held = Away(), list[float](), True
    claim = state.claim

    async def passes_it_over(requests: Any, **call: Any) -> Any:
        looks.append(time.monotonic())
        return ((), ()) if held else await claim(requests, **call)

    state.claim = passes_it_over  # type: ignore[method-assign]
    async with otelq.connect(state) as client:
        chain = await client.start(echo, 1)
        async with otelq.Worker(client, jobs, poll_interval=60):
            await until(lambda: len(looks) == 8)
            held = False
            assert await client.result(chain, timeout=10) == 1
    assert looks[7] - looks[6] > 0.1


async def test_a_job_that_is_unblocked_by_another_process_is_found_by_polling() -> None:
    async with otelq.connect("memory://", notify=Deaf()) as client:
        first = await client.start(echo, 1, delay=3600)
        chain = await client.start(total, None, blockers=[first])
        async with otelq.Worker(client, jobs, poll_interval=0.02):
            await client.complete(first, 5, step=echo)
            assert (await ended(client, chain)).status == "completed"
