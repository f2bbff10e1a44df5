"""Opening chains again, starting another like one that was, and taking a job from a worker that is gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import otelq

from .support import ONCE, becomes, ended, for_ever, rolled_back, status, statuses, until

jobs = otelq.Jobs()


@jobs.job("prepare")
async def prepare(attempt: otelq.Attempt[str]) -> otelq.Continue[str]:
    return attempt.continue_with(deliver, attempt.input)


repaired: set[str] = set()


@jobs.job("deliver", retry=ONCE)
async def deliver(attempt: otelq.Attempt[str]) -> str:
    if attempt.input not in repaired:
        raise ConnectionError(f"no way to {attempt.input}")
    return f"delivered to {attempt.input}"


@jobs.job("report", retry=ONCE)
async def report(attempt: otelq.Attempt[None]) -> list[str]:
    return attempt.blockers(prepare)


@pytest.fixture
def place() -> str:
    """A place that is out of reach until it is repaired."""
    return otelq.new_id()


async def failed(client: otelq.Client, place: str) -> otelq.Chain[str]:
    """A chain that failed in its second job."""
    chain = await client.start(prepare, place)
    async with otelq.Worker(client, jobs):
        assert (await ended(client, chain)).status == "failed"
    return chain


async def test_a_failed_chain_goes_on_at_the_job_that_failed(client: otelq.Client, place: str) -> None:
    chain = await failed(client, place)
    repaired.add(place)
    await client.redrive(chain)
    assert await statuses(client, chain) == ["continued", "ready"]
    async with otelq.Worker(client, jobs):
        assert await client.result(chain, timeout=10) == f"delivered to {place}"


async def test_a_redriven_job_has_all_its_attempts_and_the_old_ones_stay_on_record(
    client: otelq.Client, place: str
) -> None:
    chain = await failed(client, place)
    await client.redrive(chain)
    assert (await client.chain(chain)).tail.attempt == 0
    async with otelq.Worker(client, jobs):
        await ended(client, chain)
    told = [(one.generation, one.number, one.verb) for one in await client.attempts(f"{chain.id}.1")]
    assert told == [(1, 1, "fail"), (0, 1, "fail")]


async def test_a_cancelled_chain_that_never_ran_is_redriven(client: otelq.Client) -> None:
    chain = await client.start(prepare, "nowhere", delay=3600)
    await client.cancel(chain)
    await client.redrive(chain.id)
    assert await status(client, chain) == "ready"


async def test_a_worker_learns_of_a_redrive_by_a_hint(client: otelq.Client, place: str) -> None:
    chain = await failed(client, place)
    repaired.add(place)
    async with otelq.Worker(client, jobs, poll_interval=60):
        await client.result(await client.start(report, None), timeout=10)
        await client.redrive(chain)
        assert await client.result(chain, timeout=5) == f"delivered to {place}"


async def test_redrive_of_several_is_all_or_nothing(client: otelq.Client, place: str) -> None:
    chain, open_one = await failed(client, place), await client.start(prepare, "open", delay=3600)
    for wrong in (open_one, otelq.new_id()):
        with pytest.raises((otelq.InvalidArgument, otelq.NotFound)):
            await client.redrive(chain, wrong)
    assert await status(client, chain) == "failed"


async def test_a_completed_chain_is_not_redriven(client: otelq.Client, place: str) -> None:
    repaired.add(place)
    chain = await client.start(prepare, place)
    async with otelq.Worker(client, jobs):
        await client.result(chain, timeout=10)
    with pytest.raises(otelq.InvalidArgument, match=chain.id):
        await client.redrive(chain)


async def test_a_redrive_that_rolls_back_has_not_happened(client: otelq.Client, place: str) -> None:
    chain = await failed(client, place)
    async with rolled_back(client) as tx:
        await client.redrive(chain, tx=tx)
    assert await status(client, chain) == "failed"


async def test_a_chain_that_waits_for_a_failed_one_goes_on_when_that_is_redriven(
    client: otelq.Client, place: str
) -> None:
    chain = await failed(client, place)
    waiting = await client.start(report, None, blockers=otelq.AllOf(chain, on_failure="wait"))
    assert await status(client, waiting) == "blocked"
    repaired.add(place)
    await client.redrive(chain)
    async with otelq.Worker(client, jobs):
        assert await client.result(waiting, timeout=10) == [f"delivered to {place}"]


async def test_a_chain_and_the_blocker_that_it_failed_for_are_redriven_together(
    client: otelq.Client, place: str
) -> None:
    chain = await client.start(prepare, place)
    dependent = await client.start(report, None, blockers=[chain])
    async with otelq.Worker(client, jobs):
        assert (await ended(client, dependent)).status == "failed"
    with pytest.raises(otelq.InvalidArgument, match=chain.id):
        await client.redrive(dependent)
    repaired.add(place)
    await client.redrive(dependent, chain)
    assert await status(client, dependent) == "blocked"
    async with otelq.Worker(client, jobs):
        assert await client.result(dependent, timeout=10) == [f"delivered to {place}"]


async def test_a_redriven_chain_takes_its_dedup_key_back_if_nobody_holds_it(client: otelq.Client) -> None:
    first = await client.start(prepare, "first", delay=3600, dedup=otelq.Dedup("key"))
    await client.cancel(first)
    await client.redrive(first)
    assert (await client.start(prepare, "second", dedup=otelq.Dedup("key"))).id == first.id
    await client.cancel(first)
    third = await client.start(prepare, "third", delay=3600, dedup=otelq.Dedup("key"))
    with pytest.raises(otelq.AlreadyExists):
        await client.redrive(first)
    assert (await status(client, first), await status(client, third)) == ("cancelled", "scheduled")


# Copies


async def test_a_copy_begins_like_its_original_and_knows_nothing_of_it(client: otelq.Client, place: str) -> None:
    said: dict[str, Any] = {"tags": {"a": "b"}, "headers": {"h": "i"}, "tenant": "acme", "request_id": "r-1"}
    original = await client.start(prepare, place, priority=-3, **said)
    async with otelq.Worker(client, jobs):
        await ended(client, original)
    copied = await client.copy(original, delay=3600)
    head = (await client.chain(copied)).head
    assert (head.input, head.priority, head.status) == (f'"{place}"', -3, "scheduled")
    assert (head.tags, head.headers, head.tenant, head.request_id) == tuple(said.values())
    assert await client.blockers(head.id) == []
    await client.delete(original)
    assert await status(client, copied) == "scheduled"


async def test_a_copy_is_of_the_input_as_amended_and_takes_options_of_its_own(client: otelq.Client) -> None:
    original, id = await client.start(prepare, "old", delay=3600), otelq.new_id()
    await client.amend(original, step=prepare, input="new")
    copied = await client.copy(original, id=id, priority=9, dedup=otelq.Dedup("once"))
    head = (await client.chain(copied)).head
    assert (copied.id, head.input, head.priority) == (id, '"new"', 9)
    assert (await client.copy(original, dedup=otelq.Dedup("once"))).deduplicated


async def test_a_copy_is_of_a_chain_of_the_type_that_its_handle_says(client: otelq.Client) -> None:
    original = await client.start(prepare, "x", delay=3600)
    with pytest.raises(otelq.JobTypeMismatch, match="prepare"):
        await client.copy(otelq.Chain(original.id, deliver))
    with pytest.raises(otelq.NotFound):
        await client.copy(otelq.Chain(otelq.new_id(), prepare))


async def test_a_copy_made_in_a_transaction_sees_what_that_wrote(client: otelq.Client) -> None:
    async with client.transaction() as tx:
        original = await client.start(prepare, "inside", delay=3600, tx=tx)
        copied = await client.copy(original, delay=3600, tx=tx)
    assert (await client.chain(copied)).head.input == '"inside"'


async def test_an_encrypted_chain_is_copied_as_another_that_can_be_read() -> None:
    codec = otelq.Encryption({"k": b"0" * 32})
    async with otelq.connect("memory://", codec=codec) as client, otelq.Worker(client, jobs):
        repaired.add("sealed")
        chain = await client.start(prepare, "sealed")
        assert await client.result(await client.copy(chain), timeout=10) == "delivered to sealed"


# Taking over


async def test_a_job_that_is_taken_over_is_run_by_another_and_its_handler_told(client: otelq.Client) -> None:
    held, seen = otelq.Jobs(), list[object]()

    @held.job("held", lease=3600, timeout=None)
    async def hold(attempt: otelq.Attempt[None]) -> int:
        seen.append(attempt.number)
        if attempt.number == 2:
            return attempt.number
        try:
            await for_ever()
        finally:
            seen.append(attempt.cancel_reason)

    async with otelq.Worker(client, held, poll_interval=60):
        chain = await client.start(hold, None)
        await until(lambda: seen == [1])
        await client.take_over(chain)
        assert await client.result(chain, timeout=5) == 2
        await until(lambda: len(seen) == 3)
    assert (set(seen), (await client.chain(chain)).tail.crashes) == ({1, 2, otelq.CancelReason.LEASE_LOST}, 0)
    assert [one.verb for one in await client.attempts(f"{chain.id}.0")] == ["take_over", "complete"]


async def test_only_a_running_job_is_taken_over(client: otelq.Client) -> None:
    waiting, closed = await client.start(prepare, "x", delay=3600), await client.start(prepare, "y")
    await client.cancel(closed)
    with pytest.raises(otelq.InvalidArgument, match="running"):
        await client.take_over(waiting)
    with pytest.raises(otelq.JobAlreadyClosed):
        await client.take_over(closed)


# In time or not at all


async def test_a_job_that_is_not_started_in_time_is_cancelled(client: otelq.Client) -> None:
    held, go_on, ran = otelq.Jobs(), asyncio.Event(), list[str]()

    @held.job("only")
    async def only(attempt: otelq.Attempt[str]) -> None:
        ran.append(attempt.input)
        if attempt.input == "first":
            await go_on.wait()

    async with otelq.Worker(client, held, concurrency=1, reap_interval=0.02):
        await client.start(only, "first")
        await until(lambda: ran)
        late = await client.start(only, "late", expires=0.05)
        assert (await client.chain(late)).head.expires_at is not None
        with pytest.raises(otelq.ChainCancelled):
            await client.result(late, timeout=10)
        go_on.set()
        in_time = await client.start(only, "in time", expires=3600)
        await client.result(in_time, timeout=10)
    assert ran == ["first", "in time"]


async def test_a_job_that_was_started_in_time_may_take_longer(client: otelq.Client) -> None:
    retried = otelq.Jobs()

    @retried.job("slow", retry=otelq.RetryPolicy(max_attempts=2, initial=0.3, jitter=0))
    async def slow(attempt: otelq.Attempt[None]) -> int:
        if attempt.number == 1:
            raise ConnectionError
        return attempt.number

    async with otelq.Worker(client, retried, reap_interval=0.02):
        chain = await client.start(slow, None, expires=0.2)
        assert await client.result(chain, timeout=10) == 2


async def test_the_dependents_of_an_expired_chain_fail(client: otelq.Client) -> None:
    late = await client.start(prepare, "late", delay=0.01, expires=0.02)
    waiting = await client.start(report, None, blockers=[late])
    others = otelq.Jobs()

    @others.job("other")
    async def other(attempt: otelq.Attempt[None]) -> None: ...

    async with otelq.Worker(client, others, reap_interval=0.02):
        tail = await becomes(client, waiting, "failed")
    assert (tail.attempt, await status(client, late)) == (0, "cancelled")
