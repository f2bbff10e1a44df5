"""What OpenTelemetry is told of the verbs that change chains from outside: after the commit, and never without one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

import otelq
from tests.telemetry.sdk import Sdk, parent_id, span_context

from .support import ONCE, ended, for_ever, rolled_back, until

jobs = otelq.Jobs()


@jobs.job("fragile", retry=ONCE)
async def fragile(attempt: otelq.Attempt[int]) -> int:
    raise ConnectionError


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """Providers in memory, shut down afterwards."""
    sdk = Sdk()
    yield sdk
    sdk.shutdown()


@pytest.fixture
async def watched(sdk: Sdk) -> AsyncIterator[otelq.Client]:
    """A client whose telemetry can be looked at."""
    async with otelq.connect("memory://", tracer_provider=sdk.tracers, meter_provider=sdk.meters) as client:
        yield client


def transitions(sdk: Sdk, verb: str) -> int:
    return sdk.total("otelq.job.transitions", transition=verb)


async def failed(client: otelq.Client) -> otelq.Chain[int]:
    chain = await client.start(fragile, 1)
    async with otelq.Worker(client, jobs):
        await ended(client, chain)
    return chain


async def test_a_redrive_is_a_span_of_the_callers_trace_and_a_count(watched: otelq.Client, sdk: Sdk) -> None:
    chain = await failed(watched)
    async with rolled_back(watched) as tx:
        await watched.redrive(chain, tx=tx)
    assert (sdk.named("redrive fragile"), transitions(sdk, "redrive")) == ([], 0)
    with sdk.tracers.get_tracer("caller").start_as_current_span("caller"):
        await watched.redrive(chain)
    caller = span_context(sdk.one("caller"))
    assert parent_id(sdk.one("redrive fragile")) == caller.span_id
    assert transitions(sdk, "redrive") == 1


async def test_a_take_over_is_told_as_a_lease_that_was_lost(watched: otelq.Client, sdk: Sdk) -> None:
    held, seen = otelq.Jobs(), list[int]()

    @held.job("held", lease=3600)
    async def hold(attempt: otelq.Attempt[None]) -> None:
        seen.append(attempt.number)
        if attempt.number == 1:
            await for_ever()

    async with otelq.Worker(watched, held):
        chain = await watched.start(hold, None)
        await until(lambda: seen)
        await watched.take_over(chain)
        await watched.result(chain, timeout=10)
    assert sdk.one("take_over held").status.is_ok is False
    assert (transitions(sdk, "take_over"), sdk.total("otelq.job.reaped")) == (1, 1)


async def test_amendments_are_counted_once_they_are_committed(watched: otelq.Client, sdk: Sdk) -> None:
    chain = await watched.start(fragile, 1, delay=3600)
    async with rolled_back(watched) as tx:
        await watched.amend(chain, priority=1, tx=tx)
    assert transitions(sdk, "amend") == 0
    await watched.amend(chain, priority=1)
    assert transitions(sdk, "amend") == 1


async def test_a_copy_is_a_start_in_the_trace_of_who_copies(watched: otelq.Client, sdk: Sdk) -> None:
    chain = await watched.start(fragile, 1, delay=3600)
    with sdk.tracers.get_tracer("caller").start_as_current_span("caller"):
        await watched.copy(chain, delay=3600)
    original, copied = sdk.named("enqueue fragile")
    caller = span_context(sdk.one("caller"))
    assert span_context(copied).trace_id == caller.trace_id != span_context(original).trace_id


async def test_questions_and_locks_leave_no_trace(watched: otelq.Client, sdk: Sdk) -> None:
    chain = await watched.start(fragile, 1, delay=3600)
    before = len(sdk.spans)
    async with watched.transaction() as tx:
        await watched.lock(chain, tx=tx)
    await watched.explain(chain)
    await watched.count()
    assert [job.id async for job in watched.iterate_jobs()] == [f"{chain.id}.0"]
    assert len(sdk.spans) == before
