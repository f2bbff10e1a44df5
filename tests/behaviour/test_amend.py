"""Changing a job before it runs, looking at it under lock, and deleting with all that fed it."""

from __future__ import annotations

import asyncio
import contextvars
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

import otelq

from .support import count, for_ever, rolled_back, status, until

jobs = otelq.Jobs()


@jobs.job("first")
async def first(attempt: otelq.Attempt[str]) -> otelq.Continue[str]:
    return attempt.continue_with(second, attempt.input)


@jobs.job("second")
async def second(attempt: otelq.Attempt[str]) -> str:
    return attempt.input


@jobs.job("total")
async def total(attempt: otelq.Attempt[int]) -> list[str]:
    return attempt.blockers(second)


async def test_an_amended_input_is_what_the_handler_gets_and_the_old_one_stays_on_record(
    client: otelq.Client,
) -> None:
    chain = await client.start(first, "old", delay=3600)
    await client.amend(chain, step=first, input="new", delay=0)
    async with otelq.Worker(client, jobs):
        assert await client.result(chain, timeout=10) == "new"
    head = (await client.chain(chain)).head
    assert (head.input, head.amended_input) == ('"old"', '"new"')


async def test_time_and_priority_are_amended_each_without_the_other(client: otelq.Client) -> None:
    chain = await client.start(second, "x")
    await client.amend(chain, delay=3600)
    before = (await client.chain(chain)).tail
    await client.amend(chain.id, priority=-9)
    after = (await client.chain(chain)).tail
    assert (before.status, before.priority) == ("scheduled", 0)
    assert (after.status, after.priority, after.run_at) == ("scheduled", -9, before.run_at)
    await client.amend(chain, at=datetime.now(UTC) - timedelta(hours=1))
    assert await status(client, chain) == "ready"


async def test_a_worker_learns_by_a_hint_that_an_amended_job_is_due(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs, poll_interval=60):
        chain = await client.start(second, "soon", delay=3600)
        await client.amend(chain, delay=0)
        assert await client.result(chain, timeout=5) == "soon"


async def test_a_blocked_job_is_amended_and_stays_blocked(client: otelq.Client) -> None:
    blocker = await client.start(second, "blocker", delay=3600)
    chain = await client.start(total, 1, blockers=[blocker])
    await client.amend(chain, step=total, input=2, priority=3)
    tail = (await client.chain(chain)).tail
    assert (tail.status, tail.amended_input, tail.priority) == ("blocked", "2", 3)


async def test_a_running_closed_or_missing_job_is_not_amended(client: otelq.Client) -> None:
    held, begun = otelq.Jobs(), asyncio.Event()

    @held.job("held")
    async def hold(attempt: otelq.Attempt[None]) -> None:
        begun.set()
        await for_ever()

    chain = await client.start(hold, None)
    async with otelq.Worker(client, held, grace=0):
        await begun.wait()
        with pytest.raises(otelq.InvalidArgument, match="running"):
            await client.amend(chain, priority=1)
    await client.cancel(chain)
    with pytest.raises(otelq.JobAlreadyClosed):
        await client.amend(chain, priority=1)
    with pytest.raises(otelq.NotFound):
        await client.amend(otelq.new_id(), priority=1)


async def test_amend_means_the_job_of_the_type_that_is_named(client: otelq.Client) -> None:
    chain = await client.start(first, "x", delay=3600)
    with pytest.raises(otelq.JobTypeMismatch):
        await client.amend(chain, step=second, input="y")
    await client.complete(chain, otelq.Continue(second, "x", delay=3600), step=first)
    with pytest.raises(otelq.JobAlreadyClosed):
        await client.amend(chain, step=first, input="y")
    assert (await client.chain(chain)).tail.amended_input is None


async def test_what_is_amended_in_a_transaction_that_rolls_back_stays_as_it_was(client: otelq.Client) -> None:
    chain = await client.start(second, "x", delay=3600)
    async with rolled_back(client) as tx:
        await client.amend(chain, step=second, input="y", delay=0, tx=tx)
    tail = (await client.chain(chain)).tail
    assert (tail.status, tail.amended_input) == ("scheduled", None)


@pytest.mark.parametrize(
    "options, argument",
    [
        ({}, "amend"),
        ({"step": second}, "amend"),
        ({"input": "x"}, "step"),
        ({"step": "second", "input": "x"}, "step"),
        ({"step": second, "input": 5}, "input"),
        ({"step": total, "input": None}, "input"),
        ({"delay": -1}, "delay"),
        ({"delay": 1, "at": datetime.now(UTC)}, "at"),
        ({"at": datetime(2030, 1, 1)}, "at"),
        ({"priority": 101}, "priority"),
        ({"priority": 1, "tx": "BEGIN"}, "tx"),
    ],
)
async def test_amend_refuses(memory: otelq.Client, options: dict[str, Any], argument: str) -> None:
    chain = await memory.start(second, "x", delay=3600)
    with pytest.raises(otelq.InvalidArgument) as error:
        await memory.amend(chain, **options)
    assert error.value.argument == argument


# Locks


async def test_a_locked_job_is_looked_at_then_completed_in_one_transaction(client: otelq.Client) -> None:
    chain = await client.start(first, "x")
    async with client.transaction() as tx:
        job = await client.lock(chain, tx=tx)
        assert (job.type, job.input, job.status) == ("first", '"x"', "ready")
        await client.complete(chain, otelq.Continue(second, "y"), step=first, tx=tx)
        assert (await client.lock(chain.id, tx=tx)).type == "second"
    assert await status(client, chain) == "ready"


async def test_nobody_moves_a_locked_job_until_the_transaction_ends(client: otelq.Client) -> None:
    chain = await client.start(second, "locked")
    async with client.transaction() as tx:
        await client.lock(chain, tx=tx)
        cancelling = asyncio.create_task(client.cancel(chain), context=contextvars.Context())
        for _ in range(20):
            assert await status(client, chain) == "ready"
        await client.complete(chain, "by the one who locked it", step=second, tx=tx)
    with pytest.raises(otelq.JobAlreadyClosed):
        await cancelling
    assert await client.result(chain, timeout=10) == "by the one who locked it"


async def test_a_closed_or_missing_chain_is_not_locked(client: otelq.Client) -> None:
    chain = await client.start(second, "x")
    await client.cancel(chain)
    async with client.transaction() as tx:
        with pytest.raises(otelq.JobAlreadyClosed):
            await client.lock(chain, tx=tx)
        with pytest.raises(otelq.NotFound):
            await client.lock(otelq.new_id(), tx=tx)


@pytest.mark.parametrize("tx", [None, "BEGIN"])
async def test_a_lock_needs_a_transaction(memory: otelq.Client, tx: Any) -> None:
    chain = await memory.start(second, "x")
    with pytest.raises(otelq.InvalidArgument, match="tx"):
        await memory.lock(chain, tx=tx)


# Deleting what fed it


async def test_a_cascade_takes_the_blockers_of_every_job_and_theirs(client: otelq.Client) -> None:
    deepest = await client.start(second, "deepest")
    deep = await client.start(second, "deep", blockers=[deepest])
    beside = await client.start(second, "beside")
    chain = await client.start(first, "x", blockers=[deep])
    await client.complete(chain, otelq.Continue(second, "y", blockers=[beside]), step=first)
    await client.delete(chain, cascade=True)
    assert await count(client) == 0


async def test_a_cascade_that_somebody_else_needs_deletes_nothing(client: otelq.Client) -> None:
    shared = await client.start(second, "shared")
    chain, other = [await client.start(second, name, blockers=[shared]) for name in ("a", "b")]
    with pytest.raises(otelq.StillReferenced, match=other.id):
        await client.delete(chain, cascade=True)
    assert await count(client) == 3
    await client.delete(chain, other, cascade=True)
    assert await count(client) == 0


async def test_without_cascade_the_blockers_stay(client: otelq.Client) -> None:
    blocker = await client.start(second, "blocker")
    await client.delete(await client.start(second, "x", blockers=[blocker]))
    assert await status(client, blocker) == "ready"
    with pytest.raises(otelq.InvalidArgument, match="cascade"):
        await client.delete(blocker, cascade=cast(Any, "no"))


async def test_a_worker_that_runs_a_deleted_job_is_told(client: otelq.Client) -> None:
    held, seen = otelq.Jobs(), list[object]()

    @held.job("held", lease=3600)
    async def hold(attempt: otelq.Attempt[None]) -> None:
        seen.append(attempt.number)
        try:
            await for_ever()
        finally:
            seen.append(attempt.cancel_reason)

    async with otelq.Worker(client, held):
        chain = await client.start(hold, None)
        await until(lambda: seen)
        await client.delete(chain)
        await until(lambda: len(seen) == 2)
    assert seen == [1, otelq.CancelReason.LEASE_LOST]
