"""One bad outcome among many: it alone fails its attempt, and its neighbours close."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest

import otelq
from otelq.errors import Refused
from otelq.model import Settled, Settlement, SettleResult

from .support import ONCE, Away, Picky, ended, status, until

NEIGHBOURS = 99
POISON: dict[str, Any] = {
    "NUL": "nul \0",
    "a lone surrogate": "lone \ud800",
    "1e400000": msgspec.Raw(b"1e400000"),
    "a nesting of 20,000": msgspec.Raw(b"[" * 20_000 + b"]" * 20_000),
    "a continuation with an unknown type": "continue",
}


async def among_many(client: otelq.Client, poison: Any, *, retry: otelq.RetryPolicy = ONCE) -> otelq.JobRecord:
    """Let 100 handlers return at the same moment, one of them the poison; how that one ended."""
    jobs, here, all_here = otelq.Jobs(), list[int](), asyncio.Event()

    @jobs.job("returns", retry=retry)
    async def returns(attempt: otelq.Attempt[int]) -> Any:
        here.append(attempt.input)
        if len(here) > NEIGHBOURS:
            all_here.set()
        await all_here.wait()
        if attempt.input != NEIGHBOURS // 2:
            return attempt.input
        return attempt.continue_with(cast(Any, "unknown"), 1) if poison == "continue" else poison

    async with otelq.Worker(client, jobs, concurrency=NEIGHBOURS + 1):
        chains = await client.start_many(returns, range(NEIGHBOURS + 1))
        culprit = chains.pop(NEIGHBOURS // 2)
        outputs = [await client.result(chain, timeout=20) for chain in chains]
        job = await ended(client, culprit)
    assert sorted(outputs) == [n for n in range(NEIGHBOURS + 1) if n != NEIGHBOURS // 2]
    attempts = await client.attempts(f"{chains[0].id}.0")
    assert [attempt.verb for attempt in attempts] == ["complete"]
    return job


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
async def test_one_outcome_that_cannot_be_stored_fails_its_attempt_alone(client: otelq.Client, poison: Any) -> None:
    job = await among_many(client, poison)
    assert (job.status, job.output) == ("failed", None)
    assert job.failure is not None
    assert job.failure.type == "otelq.errors.InvalidArgument"


async def test_the_completer_finds_the_value_that_the_database_refuses() -> None:
    state = Picky("poison")
    async with otelq.connect(state) as client:
        job = await among_many(client, "poison")
    assert job.failure is not None
    assert (job.status, job.failure.type) == ("failed", "otelq.errors.Refused")
    assert len(state.batches) <= 2 * 7 + 4  # a batch of 100 is halved seven times
    assert max(state.batches) > NEIGHBOURS // 2


async def test_a_refused_outcome_is_a_failed_attempt_like_any_other() -> None:
    jobs = otelq.Jobs()

    @jobs.job("recovers", retry=otelq.RetryPolicy(max_attempts=2, initial=0))
    async def recovers(attempt: otelq.Attempt[None]) -> str:
        return "poison" if attempt.number == 1 else "good"

    async with otelq.connect(Picky("poison")) as client, otelq.Worker(client, jobs):
        assert await client.result(await client.start(recovers, None), timeout=10) == "good"


class RefusesAll(Away):
    """A store that refuses whatever is said about one type of job."""

    def __init__(self) -> None:
        super().__init__()
        self.refusing = asyncio.Event()
        self.busy_first = False

    async def settle(self, settlements: Any, *, tx: Any = None, now: Any = None) -> Settled:
        items: list[Settlement] = list(settlements)
        if any(item.job.type == "cursed" for item in items):
            if self.busy_first:
                self.busy_first = False
                return Settled(results=(SettleResult.BUSY,) * len(items), transitions=(), claimed_successors={})
            self.refusing.set()
            raise Refused("the database refuses even the failure")
        return await super().settle(settlements, tx=tx, now=now)


@pytest.mark.parametrize("busy_first", [False, True])
async def test_a_job_whose_failure_is_refused_too_is_left_to_its_lease(busy_first: bool) -> None:
    jobs, state = otelq.Jobs(), RefusesAll()
    state.busy_first = busy_first

    @jobs.job("cursed", lease=1)
    async def cursed(attempt: otelq.Attempt[None]) -> None: ...

    @jobs.job("echo")
    async def echo(attempt: otelq.Attempt[int]) -> int:
        return attempt.input

    async with otelq.connect(state) as client, otelq.Worker(client, jobs, concurrency=1, grace=0.1) as worker:
        chain = await client.start(cursed, None, priority=-1)
        await state.refusing.wait()
        assert await client.result(await client.start(echo, 1), timeout=10) == 1  # the only slot is free again
        assert await status(client, chain) in ("running", "ready", "scheduled")
        assert worker.leaked == 0


class DoublyUnlucky(Away):
    """A store where one row is held, another value refused, and then the connection is lost, in one batch."""

    def __init__(self) -> None:
        super().__init__()
        self.step = 0

    async def settle(self, settlements: Any, *, tx: Any = None, now: Any = None) -> Settled:
        items: list[Settlement] = list(settlements)
        self.step += 1
        if self.step == 1 and len(items) == 2:
            raise Refused("one of two")
        if self.step == 2:
            return Settled(results=(SettleResult.BUSY,), transitions=(), claimed_successors={})
        if self.step == 3:
            raise otelq.Unavailable("the connection is lost")
        return await super().settle(settlements, tx=tx, now=now)


async def test_no_outcome_is_stored_twice_when_a_batch_breaks_in_the_middle() -> None:
    jobs, state, here, both = otelq.Jobs(), DoublyUnlucky(), list[int](), asyncio.Event()

    @jobs.job("first")
    async def first(attempt: otelq.Attempt[int]) -> otelq.Continue[int]:
        here.append(attempt.input)
        if len(here) == 2:
            both.set()
        await both.wait()
        return attempt.continue_with(second, attempt.input)

    ran = list[int]()

    @jobs.job("second")
    async def second(attempt: otelq.Attempt[int]) -> int:
        ran.append(attempt.input)
        return attempt.input

    async with otelq.connect(state) as client, otelq.Worker(client, jobs):
        chains = await client.start_many(first, [1, 2])
        assert [await client.result(chain, timeout=10) for chain in chains] == [1, 2]
        await until(lambda: len(ran) == 2)
    assert sorted(ran) == [1, 2]
