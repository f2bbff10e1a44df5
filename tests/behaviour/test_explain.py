"""Why a job does not run, in codes for programs and in sentences for people."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

import otelq
from otelq import ReasonCode
from otelq.client.reasons import ReasonContext, explanation
from otelq.model import Failure

from .support import ONCE, becomes, ended, until

jobs = otelq.Jobs()
others = otelq.Jobs()


@jobs.job("part", retry=ONCE)
async def part(attempt: otelq.Attempt[int]) -> int:
    if attempt.input < 0:
        raise ValueError("below zero\nand more")
    return attempt.input


@others.job("other")
async def other(attempt: otelq.Attempt[None]) -> None: ...


@jobs.job("total")
async def total(attempt: otelq.Attempt[None]) -> list[int]:
    return attempt.blockers(part)


def whys(explanation: otelq.Explanation) -> list[ReasonCode]:
    return [reason.code for reason in explanation.reasons]


async def test_a_blocked_job_names_its_blockers_and_how_they_stand(client: otelq.Client) -> None:
    late, lost = await client.start(part, 1, delay=3600), await client.start(part, 2)
    await client.cancel(lost)
    chain = await client.start(total, None, blockers=otelq.AllOf(late, lost, on_failure="wait"))
    told = await client.explain(chain)
    assert whys(told) == [ReasonCode.BLOCKER_OPEN, ReasonCode.BLOCKER_LOST]
    assert [reason.chain_id for reason in told.reasons] == [late.id, lost.id]
    assert "whose job 'part' is due at" in told.reasons[0].text
    assert "ended cancelled" in told.reasons[1].text


async def test_a_blocker_that_is_blocked_itself_is_told(client: otelq.Client) -> None:
    late = await client.start(part, 1, delay=3600)
    middle = await client.start(total, None, blockers=[late])
    told = await client.explain(await client.start(total, None, blockers=[middle]))
    assert "waits itself for 1 others" in told.reasons[0].text


async def test_of_many_blockers_the_first_are_told_and_the_rest_counted(memory: otelq.Client) -> None:
    chain = await memory.start(total, None, blockers=await memory.start_many(part, range(25)))
    told = await memory.explain(chain)
    assert len(told.reasons) == 11
    assert told.reasons[-1].text == "15 more blockers have not completed"


async def test_a_delayed_job_says_until_when_and_whether_anybody_here_runs_it(client: otelq.Client) -> None:
    chain = await client.start(part, 1, delay=3600, expires=7200)
    told = await client.explain(f"{chain.id}.0")
    assert whys(told) == [ReasonCode.DELAYED, ReasonCode.NO_WORKER, ReasonCode.EXPIRES]
    assert told.reasons[0].at == told.job.run_at
    async with otelq.Worker(client, jobs):
        assert whys(await client.explain(chain)) == [ReasonCode.DELAYED, ReasonCode.EXPIRES]
    assert ReasonCode.NO_WORKER in whys(await client.explain(chain))


async def test_a_job_that_is_retried_says_after_which_error(client: otelq.Client) -> None:
    retried = otelq.Jobs()

    @retried.job("again", retry=otelq.RetryPolicy(max_attempts=5, initial=3600))
    async def again(attempt: otelq.Attempt[bool]) -> None:
        if attempt.input:
            raise ConnectionError("no route")
        raise otelq.Snooze(3600)

    async with otelq.Worker(client, retried):
        failing, snoozing = await client.start(again, True), await client.start(again, False)
        await becomes(client, failing, "scheduled")
        await becomes(client, snoozing, "scheduled")
        assert whys(await client.explain(failing)) == [ReasonCode.RETRIED]
        assert whys(await client.explain(snoozing)) == [ReasonCode.SNOOZED]
        assert "attempt 1 failed with ConnectionError: no route; it is due at" in str(await client.explain(failing))


async def test_a_running_job_says_in_which_worker(client: otelq.Client) -> None:
    held, begun, go_on = otelq.Jobs(), asyncio.Event(), asyncio.Event()

    @held.job("held")
    async def hold(attempt: otelq.Attempt[None]) -> None:
        begun.set()
        await go_on.wait()

    async with otelq.Worker(client, held, name="worker seven"):
        chain = await client.start(hold, None)
        waiting = await client.start(total, None, blockers=[chain])
        await until(begun.is_set)
        told = await client.explain(chain)
        assert (whys(told), told.reasons[0].at) == ([ReasonCode.RUNNING], told.job.leased_until)
        assert "attempt 1 runs in worker worker seven" in told.reasons[0].text
        assert "runs in worker worker seven" in (await client.explain(waiting)).reasons[0].text
        go_on.set()


async def test_a_job_that_is_due_says_that_nobody_claimed_it(client: otelq.Client) -> None:
    chain = await client.start(part, 1, priority=4)
    told = await client.explain(chain)
    assert whys(told) == [ReasonCode.DUE, ReasonCode.NO_WORKER]
    assert "with priority 4" in told.reasons[0].text


async def test_a_job_that_was_not_started_in_time_says_so(client: otelq.Client) -> None:
    chain = await client.start(part, 1, expires=0.001)
    async with otelq.Worker(client, others, reap_interval=0.01):  # of another type, so that nobody claims it
        await ended(client, chain)

    told = await client.explain(chain)

    assert whys(told) == [ReasonCode.CANCELLED]
    assert "as it was not started in time" in str(told)


async def test_closed_jobs_say_how_they_closed(client: otelq.Client) -> None:
    good, bad = await client.start(part, 1), await client.start(part, -1)
    gone, moved = await client.start(part, 2, delay=3600), await client.start(part, 3, delay=3600)
    await client.cancel(gone)
    await client.complete(moved, otelq.Continue(part, 4, delay=3600), step=part)
    async with otelq.Worker(client, jobs):
        await client.result(good, timeout=10)
        await ended(client, bad)
    told = [await client.explain(chain) for chain in (good, bad, gone)]
    assert [whys(one) for one in told] == [[ReasonCode.COMPLETED], [ReasonCode.FAILED], [ReasonCode.CANCELLED]]
    assert "ValueError: below zero; redrive opens it again" in str(told[1])
    assert "by a caller" in str(told[2])
    continued = await client.explain(f"{moved.id}.0")
    assert f"with job {moved.id}.1" in str(continued)


async def test_as_text_it_is_a_line_for_the_job_and_one_for_each_reason(memory: otelq.Client) -> None:
    chain = await memory.start(part, 1)
    lines = str(await memory.explain(chain)).splitlines()
    assert lines[0] == f"job {chain.id}.0 (part) is ready"
    assert len(lines) == 3
    assert all(line.startswith("- ") for line in lines[1:])


async def test_what_does_not_exist_cannot_be_explained(memory: otelq.Client) -> None:
    for missing in (otelq.new_id(), f"{otelq.new_id()}.0"):
        with pytest.raises(otelq.NotFound):
            await memory.explain(missing)
    with pytest.raises(otelq.InvalidArgument):
        await memory.explain("seven")


def test_what_stands_in_rows_steers_no_terminal_and_forges_no_line() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    row = otelq.JobRecord(
        chain_id=otelq.new_id(),
        position=0,
        type="a\x1b[2J\nERROR forged\r",
        queue="default",
        status=otelq.Status.FAILED,
        input="1",
        created_at=now,
        closed_at=now,
        failure=Failure("E\x1b[0m", "no\x1b]0;x\x07\u202e"),
    )
    told = explanation(row, ReasonContext(attempts=[], blockers=[], blocker_tails={}, workers=None, served=frozenset()))
    for text in (str(told), *(reason.text for reason in told.reasons)):
        assert text.replace("\n", "", 1).isprintable()
    assert len(str(told).splitlines()) == 2
