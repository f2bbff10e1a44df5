"""Completed without a worker: an output or a continuation from outside, for the step that is meant."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

import otelq

from .support import becomes, for_ever, rolled_back, status, statuses, until

jobs = otelq.Jobs()


@jobs.job("approval.wait")
async def wait(attempt: otelq.Attempt[str]) -> str:
    return "rejected"


@jobs.job("approval.process")
async def process(attempt: otelq.Attempt[str]) -> str:
    return f"processed {attempt.input}"


async def test_an_output_closes_the_chain(client: otelq.Client) -> None:
    chain = await client.start(wait, "r-1", delay=3600)
    await client.complete(chain, "approved", step=wait)
    assert await client.result(chain, timeout=10) == "approved"


async def test_a_continuation_goes_on_with_the_chain(client: otelq.Client) -> None:
    chain = await client.start(wait, "r-1", delay=3600)
    await client.complete(chain, otelq.Continue(process, "r-1"), step=wait)
    async with otelq.Worker(client, jobs):
        assert await client.result(chain, timeout=10) == "processed r-1"
    assert await statuses(client, chain) == ["continued", "completed"]


async def test_the_same_step_cannot_be_completed_twice(client: otelq.Client) -> None:
    chain = await client.start(wait, "r-1", delay=3600)
    await client.complete(chain, "approved", step=wait)
    with pytest.raises(otelq.JobAlreadyClosed):
        await client.complete(chain, "approved again", step=wait)
    assert await client.result(chain, timeout=10) == "approved"


async def test_an_earlier_step_is_closed_already(client: otelq.Client) -> None:
    chain = await client.start(wait, "r-1", delay=3600)
    await client.complete(chain, otelq.Continue(process, "r-1", delay=3600), step=wait)
    with pytest.raises(otelq.JobAlreadyClosed):
        await client.complete(chain, otelq.Continue(process, "r-1"), step=wait)
    assert await statuses(client, chain) == ["continued", "scheduled"]


async def test_another_step_is_a_mismatch(client: otelq.Client) -> None:
    chain = await client.start(wait, "r-1", delay=3600)
    with pytest.raises(otelq.JobTypeMismatch):
        await client.complete(chain, "approved", step=process)
    assert await status(client, chain) == "scheduled"


async def test_a_chain_that_does_not_exist_is_not_found(client: otelq.Client) -> None:
    missing = otelq.Chain(otelq.new_id(), wait)
    with pytest.raises(otelq.NotFound):
        await client.complete(missing, "approved", step=wait)
    with pytest.raises(otelq.NotFound):
        await client.complete(missing, otelq.Continue(process, "r-1"), step=wait)


async def test_an_outcome_that_does_not_fit_is_refused(client: otelq.Client) -> None:
    chain = await client.start(wait, "r-1", delay=3600)
    for outcome in (cast(Any, 5), otelq.Continue(process, cast(Any, 5))):
        with pytest.raises(otelq.InvalidArgument, match="outcome"):
            await client.complete(chain, outcome, step=wait)
    assert await status(client, chain) == "scheduled"


async def test_a_continuation_into_a_type_of_another_output_is_refused(client: otelq.Client) -> None:
    numbered = otelq.JobType("numbered", input=str, output=int)
    chain = await client.start(wait, "r-1", delay=3600)
    with pytest.raises(otelq.InvalidArgument, match="which yields"):
        await client.complete(chain, cast(Any, otelq.Continue(numbered, "r-1")), step=wait)
    assert await statuses(client, chain) == ["scheduled"]


async def test_what_happens_in_a_transaction_that_rolls_back_has_not_happened(client: otelq.Client) -> None:
    chain = await client.start(wait, "r-1", delay=3600)
    async with rolled_back(client) as tx:
        await client.complete(chain, otelq.Continue(process, "r-1"), step=wait, tx=tx)
    assert await statuses(client, chain) == ["scheduled"]


async def test_a_transaction_may_start_and_complete_the_same_chain(client: otelq.Client) -> None:
    async with client.transaction() as tx:
        chain = await client.start(wait, "r-1", delay=3600, tx=tx)
        await client.complete(chain, otelq.Continue(process, "r-1"), step=wait, tx=tx)
    assert await statuses(client, chain) == ["continued", "ready"]


async def test_a_running_job_is_fenced_off_and_a_blocked_one_runs_no_more(client: otelq.Client) -> None:
    running, seen = otelq.Jobs(), list[object]()

    @running.job("endless")
    async def endless(attempt: otelq.Attempt[None]) -> str:
        seen.append(attempt.number)
        try:
            await for_ever()
        finally:
            seen.append(attempt.cancel_reason)

    async with otelq.Worker(client, running):
        chain = await client.start(endless, None)
        blocked = await client.start(endless, None, blockers=[chain], id=otelq.new_id())
        await until(lambda: seen)
        await client.complete(blocked, "never blocked", step=endless)
        await client.complete(chain, "from outside", step=endless)
        await until(lambda: len(seen) == 2)
    assert seen == [1, otelq.CancelReason.LEASE_LOST]
    assert await client.result(blocked, timeout=10) == "never blocked"


async def test_two_completions_at_once_are_one(client: otelq.Client) -> None:
    chain = await client.start(wait, "r-1", delay=3600)
    both = (client.complete(chain, str(n), step=wait) for n in range(8))
    ended = await asyncio.gather(*both, return_exceptions=True)
    assert sum(error is None for error in ended) == 1
    assert {type(error) for error in ended if error is not None} == {otelq.JobAlreadyClosed}
    await becomes(client, chain, "completed")
