"""Payloads that a worker cannot decode: tried again without spending an attempt, as another worker may, then failed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import otelq
from tests.conftest import BACKENDS, POSTGRES
from tests.telemetry.sdk import Sdk

from .process_work import jobs as process_jobs
from .process_work import sum_up, tells
from .support import AT_ONCE, ONCE, Away, becomes, ended, status, until

UNDECODABLE = "otelq.errors.UndecodablePayload"
SECRET = "4111-1111"
as_text = otelq.JobType("evolving", input=str, output=str)
"""What a newer producer starts."""

newer, older = otelq.Jobs(), otelq.Jobs()


@newer.handles(as_text, retry=ONCE)
async def _as_text(attempt: otelq.Attempt[str]) -> str:
    return f"{attempt.input}, attempt {attempt.number}"


@older.job("evolving", retry=ONCE)
async def as_number(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@older.job("other")
async def other(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@older.job("part")
async def part(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


part_as_text = otelq.JobType("part", input=int, output=str)


@older.job("collects", retry=AT_ONCE)
async def collects(attempt: otelq.Attempt[None]) -> list[str]:
    return attempt.blockers(part_as_text)


@older.job("forgives", retry=ONCE)
async def forgives(attempt: otelq.Attempt[None]) -> str:
    with suppress(otelq.UndecodablePayload):
        attempt.blockers(part_as_text)
    return "forgiven"


@pytest.fixture
def sdk() -> Any:
    sdk = Sdk()
    yield sdk
    sdk.shutdown()


@pytest.fixture(params=BACKENDS)
async def client(
    request: pytest.FixtureRequest, postgres_database: Callable[[str], str], tmp_path: Path, sdk: Sdk
) -> AsyncIterator[otelq.Client]:
    """A client of an empty database that reports to an SDK."""
    local = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/otelq.db" if local else postgres_database(request.param)
    async with otelq.connect(url, tracer_provider=sdk.tracers, meter_provider=sdk.meters) as client:
        if request.param in POSTGRES:
            await client.engine.state.truncate_all()
        yield client


async def test_a_newer_worker_runs_what_an_older_one_could_not_decode(client: otelq.Client) -> None:
    chain = await client.start(as_text, "seven")
    async with otelq.Worker(client, older):
        waiting = await becomes(client, chain, "scheduled")
        assert await client.result(await client.start(other, 7), timeout=10) == 7
    assert (waiting.attempt, waiting.crashes) == (0, 0)
    await client.trigger(chain)
    async with otelq.Worker(client, newer):
        assert await client.result(chain, timeout=10) == "seven, attempt 1"
    [tried, completed] = await client.attempts(waiting.id)
    assert (tried.verb, completed.verb) == ("snooze", "complete")
    assert tried.failure is not None
    assert tried.failure.type == UNDECODABLE


async def test_it_runs_again_after_a_few_seconds(client: otelq.Client) -> None:
    chain = await client.start(as_text, "seven")
    async with otelq.Worker(client, older):
        job = await becomes(client, chain, "scheduled")
    [tried] = await client.attempts(job.id)
    assert job.run_at is not None
    assert 3.7 < (job.run_at - tried.ended_at).total_seconds() <= 5.0


async def test_it_fails_with_the_error_when_the_time_is_over(client: otelq.Client) -> None:
    chain = await client.start(as_text, "seven")
    async with otelq.Worker(client, older, undecodable_for=0.2):
        job = await ended(client, chain)
    assert (str(job.status), job.attempt) == ("failed", 1)
    assert job.failure is not None
    assert job.failure.type == UNDECODABLE
    assert "does not fit int" in job.failure.text
    assert [attempt.verb for attempt in await client.attempts(job.id)] == ["snooze", "fail"]


async def test_with_zero_it_fails_at_once(client: otelq.Client) -> None:
    async with otelq.Worker(client, older, undecodable_for=0):
        job = await ended(client, await client.start(as_text, "seven"))
    assert [attempt.verb for attempt in await client.attempts(job.id)] == ["fail"]


async def test_a_redrive_begins_the_time_anew(client: otelq.Client) -> None:
    chain = await client.start(as_text, "seven")
    async with otelq.Worker(client, older, undecodable_for=0):
        await ended(client, chain)
    await client.redrive(chain)
    async with otelq.Worker(client, older):
        await becomes(client, chain, "scheduled")


async def test_each_try_is_a_warning_that_shows_no_payload(
    client: otelq.Client, caplog: pytest.LogCaptureFixture
) -> None:
    chain = await client.start(as_text, SECRET)
    async with otelq.Worker(client, older, undecodable_for=0.2):
        await ended(client, chain)
    first, last = [record for record in caplog.records if "cannot decode" in record.getMessage()]
    assert (first.levelno, last.levelno) == (logging.WARNING, logging.WARNING)
    assert "and runs again in 0.2 s: does not fit int" in first.getMessage()
    assert "and gives up after 0.2 s: does not fit int" in last.getMessage()
    assert SECRET not in caplog.text


async def test_spans_and_metrics_show_each_try(client: otelq.Client, sdk: Sdk) -> None:
    chain = await client.start(as_text, "seven")
    async with otelq.Worker(client, older, undecodable_for=0.2):
        await ended(client, chain)
    spans = [span.attributes or {} for span in sdk.named("process evolving")]
    assert [span["otelq.job.outcome"] for span in spans] == ["snoozed", "failed"]
    assert [span["error.type"] for span in spans] == [UNDECODABLE] * 2
    assert sdk.total("messaging.process.duration", type=UNDECODABLE) == 2
    assert sdk.total("otelq.job.retries") == 0


async def test_explain_says_why_it_waits(client: otelq.Client) -> None:
    chain = await client.start(as_text, "seven")
    async with otelq.Worker(client, older, name="w-1"):
        await becomes(client, chain, "scheduled")
        reason = (await client.explain(chain)).reasons[0]
    assert reason.code is otelq.ReasonCode.UNDECODABLE
    assert reason.text.startswith(f"worker w-1 could not decode its payload: {UNDECODABLE}: does not fit int")


async def test_the_output_of_a_blocker_is_tried_again_likewise(client: otelq.Client) -> None:
    async with otelq.Worker(client, older, undecodable_for=0.2):
        chain = await client.start(collects, None, blockers=[await client.start(part, 1)])
        job = await ended(client, chain)
    assert [attempt.verb for attempt in await client.attempts(job.id)] == ["snooze", "retry", "retry", "fail"]
    assert job.failure is not None
    assert job.failure.type == UNDECODABLE


async def test_a_handler_may_do_without_the_output_of_a_blocker(client: otelq.Client) -> None:
    async with otelq.Worker(client, older):
        chain = await client.start(forgives, None, blockers=[await client.start(part, 1)])
        assert await client.result(chain, timeout=10) == "forgiven"


async def test_a_handler_in_a_process_is_tried_again_likewise(client: otelq.Client) -> None:
    strange = otelq.JobType("sum-up", input=str, output=str)
    foreign = otelq.Jobs()

    @foreign.handles(strange)
    async def _sum_up(attempt: otelq.Attempt[str]) -> str:
        return "no number"

    async with otelq.Worker(client, foreign):
        blocker = await client.start(strange, "x")
        await client.result(blocker, timeout=10)
    async with otelq.Worker(client, process_jobs):
        chain = await client.start(tells, "x", blockers=[otelq.Chain(blocker.id, sum_up)])
        job = await becomes(client, chain, "scheduled")
    [tried] = await client.attempts(job.id)
    assert (job.attempt, tried.verb) == (0, "snooze")


async def test_while_history_cannot_be_read_no_attempt_is_spent() -> None:
    state = Away()
    async with otelq.connect(state) as client:
        chain = await client.start(as_text, "seven")
        state.away.add("attempts")
        async with otelq.Worker(client, older, undecodable_for=0.2):
            await until(lambda: state.asked.get("attempts", 0) >= 2)
            assert await status(client, chain) in ("scheduled", "ready", "running")
            state.away.clear()
            job = await ended(client, chain)
    assert job.attempt == 1
