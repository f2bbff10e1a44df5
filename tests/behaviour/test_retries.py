"""Failed attempts: retry policies, and what a handler raises to decide otherwise."""

from __future__ import annotations

from typing import Any, cast

import pytest

import otelq

from .support import AT_ONCE, ONCE, becomes, ended


async def test_a_failed_attempt_is_repeated_until_one_succeeds(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("flaky", retry=AT_ONCE)
    async def flaky(attempt: otelq.Attempt[None]) -> int:
        if attempt.number < 3:
            raise ConnectionError("not yet")
        return attempt.number

    async with otelq.Worker(client, jobs):
        chain = await client.start(flaky, None)
        assert await client.result(chain, timeout=10) == 3
    assert [(a.number, a.verb) for a in await client.attempts(f"{chain.id}.0")] == [
        (1, "retry"),
        (2, "retry"),
        (3, "complete"),
    ]


async def test_a_job_fails_when_its_attempts_are_spent(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("hopeless", retry=AT_ONCE)
    async def hopeless(attempt: otelq.Attempt[None]) -> None:
        raise ValueError(f"attempt {attempt.number} went wrong")

    async with otelq.Worker(client, jobs):
        chain = await client.start(hopeless, None)
        with pytest.raises(otelq.ChainFailed, match="attempt 3 went wrong") as failed:
            await client.result(chain, timeout=10)
    assert failed.value.chain_id == chain.id
    attempts = await client.attempts(f"{chain.id}.0")
    assert [a.failure and a.failure.type for a in attempts] == ["ValueError"] * 3
    assert "line" in (attempts[0].failure or otelq.model.Failure("", "")).text  # the traceback is kept


async def test_a_job_waits_for_its_back_off(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("patient", retry=otelq.RetryPolicy(initial=500, jitter=0))
    async def patient(attempt: otelq.Attempt[None]) -> int:
        if attempt.number == 1:
            raise ConnectionError
        return attempt.number

    async with otelq.Worker(client, jobs):
        chain = await client.start(patient, None)
        job = await becomes(client, chain, "scheduled")
        [first] = await client.attempts(f"{chain.id}.0")
        assert job.run_at is not None
        assert 499 < (job.run_at - first.ended_at).total_seconds() < 501
        await client.trigger(chain)
        assert await client.result(chain, timeout=10) == 2


async def test_retry_after_chooses_the_delay_and_spends_an_attempt(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("throttled", retry=otelq.RetryPolicy(max_attempts=2, initial=3600))
    async def throttled(attempt: otelq.Attempt[None]) -> None:
        raise otelq.RetryAfter(0) from ConnectionError("too many requests")

    async with otelq.Worker(client, jobs):
        chain = await client.start(throttled, None)
        with pytest.raises(otelq.ChainFailed, match="too many requests"):
            await client.result(chain, timeout=10)
    assert [(a.number, a.verb) for a in await client.attempts(f"{chain.id}.0")] == [(1, "retry"), (2, "fail")]


async def test_snooze_gives_the_attempt_back(client: otelq.Client) -> None:
    jobs, snoozed = otelq.Jobs(), list[int]()

    @jobs.job("sleepy", retry=ONCE)
    async def sleepy(attempt: otelq.Attempt[None]) -> int:
        if len(snoozed) < 3:
            snoozed.append(attempt.number)
            raise otelq.Snooze(0)
        return attempt.number

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(sleepy, None), timeout=10) == 1
    assert snoozed == [1, 1, 1]


async def test_fail_ends_the_job_whatever_attempts_are_left(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("doomed", retry=AT_ONCE)
    async def doomed(attempt: otelq.Attempt[None]) -> None:
        raise otelq.Fail("the account is closed")

    async with otelq.Worker(client, jobs):
        chain = await client.start(doomed, None)
        with pytest.raises(otelq.ChainFailed, match="the account is closed"):
            await client.result(chain, timeout=10)
    assert len(await client.attempts(f"{chain.id}.0")) == 1


async def test_an_output_that_the_type_does_not_allow_fails_the_attempt_and_is_not_stored(
    client: otelq.Client,
) -> None:
    jobs = otelq.Jobs()

    @jobs.job("liar", retry=ONCE)
    async def liar(attempt: otelq.Attempt[None]) -> int:
        return cast(Any, "no number")  # type: ignore[no-any-return]

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(liar, None))
    assert (job.status, job.output) == ("failed", None)
    assert job.failure is not None
    assert "return value" in job.failure.text
    assert "does not fit int" in job.failure.text


async def test_a_continuation_with_an_input_that_does_not_fit_fails_the_attempt(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("next")
    async def following(attempt: otelq.Attempt[int]) -> int:
        return attempt.input

    @jobs.job("misleading", retry=ONCE)
    async def misleading(attempt: otelq.Attempt[None]) -> otelq.Continue[int]:
        return attempt.continue_with(following, cast(Any, "no number"))

    async with otelq.Worker(client, jobs):
        chain = await client.start(misleading, None)
        job = await ended(client, chain)
    assert (job.status, job.position) == ("failed", 0)
    assert job.failure is not None
    assert "continuation" in job.failure.text


async def test_a_payload_that_no_longer_decodes_fails_its_job_and_others_run(client: otelq.Client) -> None:
    old = otelq.JobType("evolving", input=str, output=int)
    jobs = otelq.Jobs()

    @jobs.job("evolving")
    async def evolving(attempt: otelq.Attempt[int]) -> int:
        return attempt.input

    outdated = await client.start(old, "seven")
    current = await client.start(evolving, 7)
    async with otelq.Worker(client, jobs, undecodable_for=0):
        assert await client.result(current, timeout=10) == 7
        with pytest.raises(otelq.ChainFailed, match="does not fit int"):
            await client.result(outdated, timeout=10)
    assert len(await client.attempts(f"{outdated.id}.0")) == 1


async def test_an_exception_that_cannot_say_what_it_is_fails_the_attempt(memory: otelq.Client) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    jobs = otelq.Jobs()

    @jobs.job("mute", retry=ONCE)
    async def mute(attempt: otelq.Attempt[None]) -> None:
        raise Mute

    async with otelq.Worker(memory, jobs, grace=1):
        job = await ended(memory, await memory.start(mute, None))
    assert job.failure is not None
    assert "Mute" in job.failure.type


async def test_fail_with_something_that_is_no_text_fails_the_attempt(memory: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("wordless", retry=ONCE)
    async def wordless(attempt: otelq.Attempt[None]) -> None:
        raise otelq.Fail(cast(Any, 404))

    async with otelq.Worker(memory, jobs, grace=1):
        job = await ended(memory, await memory.start(wordless, None))
    assert job.status == "failed"
    assert job.failure is not None
    assert "reason" in job.failure.text


async def test_what_a_failed_attempt_says_is_made_fit_to_be_stored(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("garbled", retry=ONCE)
    async def garbled(attempt: otelq.Attempt[None]) -> None:
        raise ValueError("nul \0 surrogate \ud800 " + "long " * 10_000)

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(garbled, None))
    assert job.failure is not None
    assert job.failure.text.startswith("nul \N{REPLACEMENT CHARACTER} surrogate ?")
    assert len(job.failure.text) <= 8_000
