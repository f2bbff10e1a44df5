"""A process whose handler spoils its connection to the worker: that attempt fails, and no other notices."""

from __future__ import annotations

import pytest

import otelq

from . import wire_work as work
from .support import ended

BROKEN = [
    "an answer of another",
    "an endless length",
    "garbage",
    "half a prefix",
    "half an answer",
    "deep nesting",
    "its end",
]


@pytest.mark.parametrize("what", BROKEN)
async def test_a_handler_that_breaks_the_wire_fails_its_attempt_alone(memory: otelq.Client, what: str) -> None:
    async with otelq.Worker(memory, work.jobs, concurrency=1):
        chain = await memory.start(work.forges, what)
        honest = await memory.start_many(work.honest, range(3))
        job = await ended(memory, chain)
        assert [await memory.result(one, timeout=30) for one in honest] == [0, 1, 2]
    assert job.status == "failed"
    assert job.failure is not None
    assert job.failure.type == "otelq.errors.ProcessDied"


async def test_what_a_handler_forges_is_not_taken_for_the_answer_of_the_next(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs, concurrency=1):
        forging = await memory.start(work.forges, "an answer of its own")
        honest = await memory.start_many(work.honest, range(3))
        assert await memory.result(forging, timeout=30) == "forged"
        assert [await memory.result(one, timeout=30) for one in honest] == [0, 1, 2]


async def test_an_output_up_to_the_limit_comes_back_whatever_is_in_it(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs):
        chain = await memory.start(work.large, 500_000)
        assert await memory.result(chain, timeout=30) == '"' * 500_000


async def test_an_output_beyond_the_limit_is_refused_as_everywhere(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs):
        job = await ended(memory, await memory.start(work.large, 600_000))
    assert job.failure is not None
    assert (job.status, job.failure.type) == ("failed", "otelq.errors.InvalidArgument")
    assert "return value" in job.failure.text


async def test_an_answer_that_is_too_large_is_not_read(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, work.jobs):
        for _ in range(5):  # with its pipe full the process must be noticed to have ended, whatever comes first
            job = await ended(memory, await memory.start(work.floods, 50_000_000))
            assert job.failure is not None
            assert "sent more than a reply may have" in job.failure.text
