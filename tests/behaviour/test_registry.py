"""The list of live workers, as every process sees it, and what `explain` says by it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import pytest
from msgspec.structs import replace

import otelq
from otelq import ReasonCode
from otelq.model import WorkerBeat

from .support import Away, until

jobs = otelq.Jobs()


@jobs.job("part", lease=1)
async def part(attempt: otelq.Attempt[None]) -> None: ...


@jobs.job("held", lease=1)
async def held(attempt: otelq.Attempt[None]) -> None:
    await asyncio.Event().wait()


def elsewhere(id: str, *types: str, **fields: object) -> WorkerBeat:
    """The beat of a worker on another machine."""
    usual = WorkerBeat(id=id, name=f"worker {id}", host="elsewhere.example", pid=7, version="1", types=types, slots=2)
    return replace(usual, **fields)


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    while not await check():  # noqa: ASYNC110  # another connection writes
        await asyncio.sleep(0.005)


async def listed(client: otelq.Client, *names: str) -> list[otelq.WorkerRecord]:
    """The live workers, once these are their names."""

    async def are_listed() -> bool:
        return [worker.name for worker in await client.workers()] == [*names]

    await eventually(are_listed)
    return await client.workers()


async def test_a_worker_is_listed_from_its_start_to_its_stop(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs, name="first", concurrency=7):
        (worker,) = await listed(client, "first")
    assert await client.workers() == []
    assert (worker.host, worker.pid, worker.version) == (socket.gethostname(), os.getpid(), version("otelq"))
    assert (tuple(sorted(worker.types)), worker.queues, worker.refused) == (("held", "part"), (), {})
    assert (worker.slots, worker.running) == (7, 0)
    assert worker.started_at <= worker.seen_at


async def test_workers_are_sorted_by_name_and_start(memory: otelq.Client) -> None:
    state = memory.engine.state
    await state.beat([elsewhere("a", name="one", age=1), elsewhere("b", name="one", age=2), elsewhere("c", name="a")])
    assert [worker.id for worker in await memory.workers()] == ["c", "b", "a"]


async def test_each_run_of_a_worker_is_another_entry(memory: otelq.Client) -> None:
    worker = otelq.Worker(memory, jobs, name="again")
    ids = set[str]()
    for _ in range(2):
        async with worker:
            ids |= {each.id for each in await listed(memory, "again")}
    assert len(ids) == 2


async def test_a_job_that_nobody_serves_says_so_in_every_process(client: otelq.Client) -> None:
    chain = await client.start(part, None)
    (due, nobody) = (await client.explain(chain)).reasons
    assert (due.code, nobody.code) == (ReasonCode.DUE, ReasonCode.NO_WORKER)
    assert nobody.text == "no live worker is known to serve 'part'; none is listed"
    await client.engine.state.beat([elsewhere("a", "other")])
    nobody = (await client.explain(chain)).reasons[-1]
    assert nobody.text == "no live worker is known to serve 'part'; the 1 that are listed serve other types"
    await client.engine.state.beat([elsewhere("b", "other", "part")])
    assert [reason.code for reason in (await client.explain(chain)).reasons] == [ReasonCode.DUE]


async def test_a_type_that_workers_refuse_is_told_with_their_reasons(client: otelq.Client) -> None:
    chain = await client.start(part, None)
    refused = {"part": "it asks for an AsyncSession"}
    await client.engine.state.beat([elsewhere(f"{n}", "part", refused=refused) for n in range(5)])
    told = (await client.explain(chain)).reasons[1:]
    assert [reason.code for reason in told] == [ReasonCode.TYPE_REFUSED] * 4
    assert told[0].text.endswith("has stopped to claim 'part': it asks for an AsyncSession")
    assert told[-1].text == "2 more workers have stopped to claim it"


async def test_a_job_that_waits_for_a_slot_says_so(client: otelq.Client) -> None:
    chain = await client.start(part, None)
    later = await client.start(part, None, delay=3600)
    await client.engine.state.beat([elsewhere("a", "part", running=2), elsewhere("b", "part", running=2)])
    told = (await client.explain(chain)).reasons[-1]
    assert told.code is ReasonCode.ALL_BUSY
    assert told.at == min(worker.seen_at for worker in await client.workers())
    assert told.text.startswith("all 4 slots of 2 live workers for 'part' were in use when last seen, at 20")
    assert [reason.code for reason in (await client.explain(later)).reasons] == [ReasonCode.DELAYED]
    await client.engine.state.beat([elsewhere("b", "part", running=1)])
    assert [reason.code for reason in (await client.explain(chain)).reasons] == [ReasonCode.DUE]


async def test_a_type_that_a_worker_stops_to_claim_is_told_at_once(client: otelq.Client) -> None:
    chain = await client.start(part, None, delay=3600)
    async with otelq.Worker(client, jobs, name="picky") as worker:
        await listed(client, "picky")
        assert worker._current is not None  # pyright: ignore[reportPrivateUsage]  # nothing public refuses a type
        worker._current.context.refuse(["part"], "no\nsession")  # pyright: ignore[reportPrivateUsage]  # as above
        await eventually(lambda: refuses(client))
        told = (await client.explain(chain)).reasons[-1]
        assert told.text == r"worker picky has stopped to claim 'part': no\nsession"


async def test_a_worker_that_stops_says_so_while_attempts_run(client: otelq.Client) -> None:
    lingering, begun, go_on = otelq.Jobs(), asyncio.Event(), asyncio.Event()

    @lingering.job("linger")
    async def linger(attempt: otelq.Attempt[None]) -> None:
        begun.set()
        await go_on.wait()

    worker = otelq.Worker(client, lingering, name="last")
    await worker.__aenter__()
    await client.start(linger, None)
    await begun.wait()
    stop = asyncio.ensure_future(worker.__aexit__(None, None, None))
    await eventually(lambda: refuses(client))
    told = (await client.explain(await client.start(linger, None))).reasons[-1]
    assert told.text == "worker last has stopped to claim 'linger': it is stopping"
    go_on.set()
    await stop
    assert await client.workers() == []


async def refuses(client: otelq.Client) -> bool:
    return any(worker.refused for worker in await client.workers())


async def test_a_busy_worker_says_how_many_slots_are_in_use(
    client: otelq.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otelq.worker.registration.WITH_RENEWALS", 0.0)
    async with otelq.Worker(client, jobs, name="busy", grace=0):
        await client.start_many(held, [None, None])
        await eventually(lambda: all_run(client, 2))


async def all_run(client: otelq.Client, number: int) -> bool:
    return [worker.running for worker in await client.workers()] == [number]


async def test_a_worker_that_cannot_be_listed_works_and_says_so_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otelq.worker.registration.NEXT_TRY", 0.0)
    caplog.set_level(logging.DEBUG, "otelq.worker")
    state = Away()
    state.away |= {"beat", "remove_workers", "workers"}
    async with otelq.connect(state) as client, otelq.Worker(client, jobs, name="w"):
        await until(lambda: state.asked.get("beat", 0) > 2)
        await client.result(await client.start(part, None), timeout=10)
        later = await client.start(part, None, delay=3600)
        assert [reason.code for reason in (await client.explain(later)).reasons] == [ReasonCode.DELAYED]
        state.away.clear()
        await listed(client, "w")
    lines = [record for record in caplog.records if "list of workers" in record.message]
    assert [record.levelno for record in lines if record.levelno > logging.DEBUG] == [logging.WARNING, logging.INFO]
    assert lines[0].message == "worker w is missing from the list of workers: the database is out of reach"


async def test_workers_that_cannot_be_listed_are_not_said_to_be_none(memory: otelq.Client) -> None:
    state = Away()
    state.away.add("workers")
    async with otelq.connect(state) as client:
        told = (await client.explain(await client.start(part, None))).reasons[-1]
    assert told.text == "no worker in this process serves 'part', and the others cannot be listed"


async def test_a_stop_does_not_wait_for_an_entry_that_cannot_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelq.worker.registration.LONGEST_FAREWELL", 0.05)
    asked = asyncio.Event()

    async def never(ids: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    state = Away()
    monkeypatch.setattr(state, "remove_workers", never)
    async with otelq.connect(state) as client:
        async with asyncio.timeout(10), otelq.Worker(client, jobs):
            await until(lambda: state.asked.get("beat"))
        assert asked.is_set()
