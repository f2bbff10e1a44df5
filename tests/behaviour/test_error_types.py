"""One word for one failure: as it is stored, on its span, in the metrics and in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import otelq
from otelq.model import ClaimRequest, ReapRule
from tests.conftest import BACKENDS, POSTGRES
from tests.telemetry.sdk import Sdk

from .support import ONCE, ended

jobs = otelq.Jobs()


@jobs.job("fails", retry=ONCE)
async def fails(attempt: otelq.Attempt[str]) -> int:
    match attempt.input:
        case "on purpose":
            raise otelq.Fail("no")
        case "with an output that does not fit":
            return object()  # type: ignore[return-value]  # that is the fault
        case _:
            raise KeyError("nothing there")


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


@pytest.mark.parametrize(
    "how, word",
    [
        ("on purpose", "otelq.Fail"),
        ("with an output that does not fit", "otelq.errors.InvalidArgument"),
        ("by an exception", "KeyError"),
    ],
)
async def test_a_failed_attempt(
    client: otelq.Client, sdk: Sdk, caplog: pytest.LogCaptureFixture, how: str, word: str
) -> None:
    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(fails, how))
    assert job.failure is not None
    [span] = sdk.named("process fails")
    assert job.failure.type == (span.attributes or {})["error.type"] == word
    assert sdk.total("messaging.process.duration", type=word)
    assert any(record.getMessage().endswith(f"failed: {word}") for record in caplog.records)


async def test_an_input_that_does_not_fit(client: otelq.Client, sdk: Sdk) -> None:
    async with otelq.Worker(client, jobs, undecodable_for=0):
        job = await ended(client, await client.start(otelq.JobType("fails", input=int, output=int), 1))
    assert job.failure is not None
    [span] = sdk.named("process fails")
    assert job.failure.type == (span.attributes or {})["error.type"] == "otelq.errors.UndecodablePayload"


async def _lose(client: otelq.Client, *, attempts: int) -> otelq.JobRecord:
    """Let a lease run out; how its job stands then."""
    chain = await client.start(fails, "x")
    state = client.engine.state
    await state.claim([ClaimRequest(type="fails", limit=1, lease=0.001)], worker="gone", token=7, include_suspect=True)
    rule = ReapRule(type="fails", max_attempts=attempts, max_crashes=9)
    while not (reaped := await state.reap([rule], except_tokens=[], limit=9)):  # noqa: ASYNC110  # no event tells of it
        await asyncio.sleep(0.002)
    client.engine.effects.follow(reaped)
    return (await client.chain(chain)).tail


async def test_a_lease_that_ran_out(client: otelq.Client, sdk: Sdk) -> None:
    job = await _lose(client, attempts=5)
    [attempt] = await client.attempts(job.id)
    assert attempt.failure is not None
    assert attempt.failure.type == (sdk.one("reap fails").attributes or {})["error.type"] == "otelq.lease_lost"


async def test_a_job_that_fails_with_its_lease(client: otelq.Client, sdk: Sdk) -> None:
    job = await _lose(client, attempts=1)
    assert job.failure is not None
    assert job.failure.type == (sdk.one("reap fails").attributes or {})["error.type"] == "otelq.lease_lost"


@pytest.mark.parametrize("end", ["failed", "cancelled"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_job_that_fails_with_its_blocker(client: otelq.Client, sdk: Sdk, end: str, when: str) -> None:
    async def close(blocker: otelq.Chain[int]) -> None:
        if end == "cancelled":
            return await client.cancel(blocker)
        async with otelq.Worker(client, jobs):
            await ended(client, blocker)

    blocker = await client.start(fails, "x")
    if when == "before":
        await close(blocker)
    waiting = await client.start(otelq.JobType("waits", input=int, output=int), 1, blockers=[blocker])
    if when == "after":
        await close(blocker)
    job = await ended(client, waiting)
    assert job.failure is not None
    assert job.failure.type == (sdk.one("fail waits").attributes or {})["error.type"] == "otelq.blocker_failed"
    assert job.failure.text == f"the blocker {blocker.id} ended {end}"


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:  # pyright: ignore[reportUnusedFunction]  # used by every test
    caplog.set_level(logging.WARNING)
