"""Retry policies by exception, delays of one's own, and decisions that arrive in a group."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

import otelq

from .support import ONCE, becomes, ended

Rules = Mapping[type[BaseException], otelq.RetryPolicy]


class Hopeless(ValueError):
    """Will never go well."""


class Busy(ConnectionError):
    """Will go well soon."""


async def run(client: otelq.Client, *errors: BaseException, retry: otelq.RetryPolicy) -> otelq.JobRecord:
    """The job after a handler raised these one after the other, and then returned."""
    jobs, waiting = otelq.Jobs(), list(errors)

    @jobs.job("raises", retry=retry)
    async def raises(attempt: otelq.Attempt[None]) -> int:
        if waiting:
            raise waiting.pop(0)
        return attempt.number

    async with otelq.Worker(client, jobs):
        return await ended(client, await client.start(raises, None))


async def test_an_exception_of_fail_on_ends_the_job_at_once_and_others_are_repeated(client: otelq.Client) -> None:
    policy = otelq.RetryPolicy(initial=0, fail_on=(ValueError,))
    job = await run(client, ConnectionError(), Hopeless("no way"), retry=policy)
    assert job.failure is not None
    assert (job.status, job.attempt, job.failure.type) == ("failed", 2, f"{__name__}.Hopeless")


async def test_the_rule_of_an_exception_counts_all_attempts_of_the_job(client: otelq.Client) -> None:
    rules: Rules = {ConnectionError: otelq.RetryPolicy(max_attempts=3, initial=0)}
    policy = otelq.RetryPolicy(max_attempts=10, initial=0, rules=rules)
    job = await run(client, ValueError(), ValueError(), Busy(), retry=policy)
    assert (job.status, job.attempt) == ("failed", 3)
    job = await run(client, Busy(), Busy(), ValueError(), ValueError(), retry=policy)
    assert (job.status, job.output) == ("completed", "5")


async def test_the_nearest_class_decides(client: otelq.Client) -> None:
    rules: Rules = {Busy: otelq.RetryPolicy(max_attempts=None, initial=0)}
    policy = otelq.RetryPolicy(max_attempts=1, initial=0, fail_on=(OSError,), rules=rules)
    job = await run(client, *[Busy() for _ in range(20)], retry=policy)
    assert (job.status, job.output) == ("completed", "21")
    assert (await run(client, ConnectionError(), retry=policy)).status == "failed"


async def test_a_timeout_is_judged_as_a_timeout_error(memory: otelq.Client) -> None:
    jobs = otelq.Jobs()
    policy = otelq.RetryPolicy(max_attempts=1, rules={TimeoutError: otelq.RetryPolicy(max_attempts=2, initial=0)})

    @jobs.job("slow-once", retry=policy, timeout=0.05)
    async def slow_once(attempt: otelq.Attempt[None]) -> int:
        if attempt.number == 1:
            await asyncio.Event().wait()
        return attempt.number

    async with otelq.Worker(memory, jobs):
        assert await memory.result(await memory.start(slow_once, None), timeout=10) == 2


async def test_without_a_limit_a_job_is_repeated_until_it_succeeds(client: otelq.Client) -> None:
    policy = otelq.RetryPolicy(max_attempts=None, initial=0)
    job = await run(client, *[ValueError() for _ in range(25)], retry=policy)
    assert (job.status, job.output) == ("completed", "26")
    assert len(await client.attempts(f"{job.chain_id}.0")) == 26


async def test_a_back_off_of_ones_own_decides_when_the_job_is_due(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("patient", retry=otelq.RetryPolicy(backoff=lambda attempt: 1000.0 + attempt, jitter=0))
    async def patient(attempt: otelq.Attempt[None]) -> None:
        raise ConnectionError

    async with otelq.Worker(client, jobs):
        chain = await client.start(patient, None)
        for number in (1, 2):
            job = await becomes(client, chain, "scheduled")
            last = (await client.attempts(f"{chain.id}.0"))[-1]
            assert job.run_at is not None
            assert (job.attempt, last.number) == (number, number)
            assert abs((job.run_at - last.ended_at).total_seconds() - 1000 - number) < 0.5
            await client.trigger(chain)


# Groups


async def test_a_decision_raised_in_a_task_group_is_taken(client: otelq.Client) -> None:
    jobs, snoozed = otelq.Jobs(), list[int]()

    @jobs.job("grouped", retry=ONCE)
    async def grouped(attempt: otelq.Attempt[None]) -> int:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(asyncio.sleep(3600 if not snoozed else 0))
            outer.create_task(inner(attempt))
        return attempt.number

    async def inner(attempt: otelq.Attempt[None]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(decide(attempt))

    async def decide(attempt: otelq.Attempt[None]) -> None:
        if not snoozed:
            snoozed.append(attempt.number)
            raise otelq.Snooze(0)

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(grouped, None), timeout=10) == 1


async def test_an_exception_alone_in_its_group_is_judged_by_its_own_rule(memory: otelq.Client) -> None:
    policy = otelq.RetryPolicy(initial=0, fail_on=(Hopeless,))
    job = await run(memory, ExceptionGroup("tasks", [Hopeless("no way")]), retry=policy)
    assert job.failure is not None
    assert (job.attempt, job.failure.type) == (1, f"{__name__}.Hopeless")


@pytest.mark.parametrize(
    "held",
    [[otelq.Snooze(0), otelq.Snooze(0)], [otelq.Fail("no"), ValueError()], [Hopeless(), KeyError()]],
    ids=["two decisions", "a decision beside an error", "two errors"],
)
async def test_a_group_of_several_is_an_ordinary_failure(memory: otelq.Client, held: list[Exception]) -> None:
    policy = otelq.RetryPolicy(initial=0, max_attempts=2, fail_on=(Hopeless,))
    group = ExceptionGroup("tasks", held)
    job = await run(memory, group, group, retry=policy)
    assert job.failure is not None
    assert (job.status, job.attempt, job.failure.type) == ("failed", 2, "ExceptionGroup")
