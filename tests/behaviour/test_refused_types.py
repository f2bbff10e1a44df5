"""Handlers that ask for a transaction of a kind that the client does not hand out: released, and claimed no more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

import otelq
from tests.stores import PrivateState

from .support import ONCE, becomes, for_ever, status, until

GIVEN = {"sqlite": "aiosqlite.Connection", "postgres": "asyncpg.Connection"}
SCHEME = {"sqlite": "sqlite+aiosqlite", "postgres": "postgresql+asyncpg"}


def database_of(client: otelq.Client) -> str:
    return "sqlite" if client.engine.state.name == "sqlite" else "postgres"


class Shop:
    """Collections with one handler that asks for a session, and one that does not."""

    def __init__(self) -> None:
        self.jobs = jobs = otelq.Jobs()
        self.calls = 0
        self.go_on = asyncio.Event()

        @jobs.job("place", retry=ONCE)
        async def place(attempt: otelq.Attempt[str]) -> str:
            self.calls += 1
            match attempt.input:
                case "completion":
                    await attempt.completion(AsyncSession)
                case "connection":
                    _ = await attempt.completion(AsyncConnection)
                case "transaction":
                    async with attempt.transaction(AsyncSession):
                        raise AssertionError
                case "catches":
                    try:
                        await attempt.completion(AsyncSession)
                    except otelq.InvalidArgument:
                        await attempt.completion()
                case "raises another":
                    try:
                        await attempt.completion(AsyncSession)
                    except otelq.InvalidArgument:
                        raise otelq.Fail("no session") from None
                case "waits":
                    await self.go_on.wait()
                    await attempt.completion(AsyncSession)
                case _:
                    await self.go_on.wait()
            return "placed"

        @jobs.job("count")
        async def count(attempt: otelq.Attempt[int]) -> int | otelq.Continue[int]:
            return attempt.input

        @jobs.job("begin")
        async def begin(attempt: otelq.Attempt[str]) -> otelq.Continue[str]:
            return attempt.continue_with(place, attempt.input)

        self.place, self.count, self.begin = place, count, begin


ASKING = ["completion", "connection", "transaction", "catches", "raises another"]


@pytest.mark.parametrize("way", ASKING)
async def test_a_job_whose_handler_asks_for_what_there_is_not_is_given_back(client: otelq.Client, way: str) -> None:
    shop = Shop()
    async with otelq.Worker(client, shop.jobs):
        chain = await client.start(shop.place, way)
        await until(lambda: shop.calls)
        job = await becomes(client, chain, "ready")
        assert (job.attempt, job.crashes, shop.calls) == (0, 0, 1)
        assert [attempt.verb for attempt in await client.attempts(job.id)] == ["release"]
        assert await client.result(await client.start(shop.count, 7), timeout=10) == 7


async def test_the_log_says_once_what_there_is_and_what_to_do(
    client: otelq.Client, caplog: pytest.LogCaptureFixture
) -> None:
    shop, database = Shop(), database_of(client)
    async with otelq.Worker(client, shop.jobs, name="w-1"):
        chains = await client.start_many(shop.place, ["completion"] * 5)
        await until(lambda: [one for one in caplog.records if one.levelno >= logging.ERROR])
        for chain in chains:
            await becomes(client, chain, "ready")
    assert shop.calls == 1  # the others were claimed, and given back unseen
    [record] = [one for one in caplog.records if one.levelno >= logging.ERROR]
    text = record.getMessage()
    assert text.startswith("worker w-1 claims no more jobs of 'place'")
    assert "its handler asks for sqlalchemy.ext.asyncio.session.AsyncSession" in text
    assert f"this client hands out {GIVEN[database]}; connect with an engine" in text
    assert f"{SCHEME[database]}://" in text


async def test_given_back_jobs_are_not_claimed_again_by_the_same_worker(client: otelq.Client) -> None:
    shop = Shop()
    async with otelq.Worker(client, shop.jobs, poll_interval=0.01):
        chains = await client.start_many(shop.place, ["completion"] * 3)
        await until(lambda: shop.calls)
        for _ in range(20):  # each is a round of claims after the refusal
            await client.result(await client.start(shop.count, 1), timeout=10)
        assert [str(await status(client, chain)) for chain in chains] == ["ready"] * 3
    for chain in chains:
        assert {attempt.verb for attempt in await client.attempts(f"{chain.id}.0")} <= {"release"}
        assert len(await client.attempts(f"{chain.id}.0")) <= 1


class Listening(PrivateState):
    """A store that remembers for which types a worker last asked when a job is due."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    async def next_due(self, types: Sequence[str], *, now: datetime | None = None) -> float | None:
        self.asked = set(types)
        return await super().next_due(types, now=now)


async def test_an_idle_worker_does_not_wake_for_what_it_gave_back() -> None:
    shop, state = Shop(), Listening()
    async with otelq.connect(state) as client, otelq.Worker(client, shop.jobs, poll_interval=60):
        chain = await client.start(shop.place, "completion")
        await until(lambda: shop.calls)
        await becomes(client, chain, "ready")
        await client.result(await client.start(shop.count, 1), timeout=10)
        await until(lambda: state.asked == {"count", "begin"})


async def test_jobs_that_were_claimed_or_continued_meanwhile_are_given_back_too(client: otelq.Client) -> None:
    shop = Shop()
    async with otelq.Worker(client, shop.jobs):
        running = await client.start_many(shop.place, ["waits"] * 3)
        await until(lambda: shop.calls == 3)
        following = await client.start(shop.begin, "completion")
        await becomes(client, following, "ready", position=1)
        shop.go_on.set()
        for chain in running:
            assert (await becomes(client, chain, "ready")).attempt == 0
        for chain in (*running, following):  # else these come before it
            await client.cancel(chain)
        later = await client.start(shop.begin, "completion")
        assert (await becomes(client, later, "ready", position=1)).attempt == 0
    assert await client.attempts(f"{later.id}.1") == []  # the continuation was not claimed


async def test_an_attempt_that_runs_and_asks_for_nothing_counts(client: otelq.Client) -> None:
    shop = Shop()
    async with otelq.Worker(client, shop.jobs):
        quiet = await client.start(shop.place, "quiet")
        await until(lambda: shop.calls == 1)
        refused = await client.start(shop.place, "completion")
        await until(lambda: shop.calls == 2)
        await becomes(client, refused, "ready")
        shop.go_on.set()
        assert await client.result(quiet, timeout=10) == "placed"


async def test_another_worker_that_can_runs_what_was_given_back(client: otelq.Client) -> None:
    shop, able = Shop(), otelq.Jobs()

    @able.handles(shop.place)
    async def place(attempt: otelq.Attempt[str]) -> str:
        await attempt.completion()
        return "placed elsewhere"

    async with otelq.Worker(client, shop.jobs):
        chain = await client.start(shop.place, "completion")
        await until(lambda: shop.calls)
        await becomes(client, chain, "ready")
        async with otelq.Worker(client, able):
            assert await client.result(chain, timeout=10) == "placed elsewhere"


async def test_a_worker_without_any_type_left_gives_up(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("place")
    async def place(attempt: otelq.Attempt[None]) -> None:
        await attempt.completion(AsyncSession)

    chain = await client.start(place, None)
    with pytest.raises(otelq.OtelqError, match=r"none of its job types; 'place': its handler asks for .*AsyncSession"):
        async with otelq.Worker(client, jobs):
            await for_ever()
    tail = (await client.chain(chain)).tail
    assert (str(tail.status), tail.attempt) == ("ready", 0)


async def test_what_was_written_before_the_refusal_is_rolled_back(client: otelq.Client) -> None:
    shop, jobs, calls = Shop(), otelq.Jobs(), list[int]()

    @jobs.job("writes")
    async def writes(attempt: otelq.Attempt[None]) -> None:
        calls.append(1)
        tx: Any = await attempt.completion()
        await attempt.client.start(shop.count, 1, tx=tx)
        try:
            async with attempt.transaction(AsyncSession):
                pass
        except otelq.InvalidArgument:
            return

    async with otelq.Worker(client, jobs, shop.jobs):
        chain = await client.start(writes, None)
        await until(lambda: calls)
        await becomes(client, chain, "ready")
    assert (await client.jobs(type=shop.count)).items == []


async def test_explain_says_which_worker_refuses_the_type_and_why(client: otelq.Client) -> None:
    shop = Shop()
    async with otelq.Worker(client, shop.jobs, name="w-1"):
        chain = await client.start(shop.place, "completion")
        await until(lambda: shop.calls)
        while True:
            reasons = {one.code: one.text for one in (await client.explain(chain)).reasons}
            if otelq.ReasonCode.TYPE_REFUSED in reasons:
                break
            await asyncio.sleep(0.01)
        assert reasons[otelq.ReasonCode.TYPE_REFUSED].startswith("worker w-1 has stopped to claim 'place': its handler")
        other = await client.start(shop.count, 1, delay=3600)
        assert otelq.ReasonCode.TYPE_REFUSED not in {one.code for one in (await client.explain(other)).reasons}
    assert not +client.engine.served


async def test_a_transaction_of_the_client_raises_and_refuses_no_type(client: otelq.Client) -> None:
    shop, jobs, calls = Shop(), otelq.Jobs(), list[int]()

    @jobs.job("asks the client", retry=ONCE)
    async def asks(attempt: otelq.Attempt[None]) -> None:
        calls.append(1)
        async with attempt.client.transaction(AsyncSession):
            pass

    async with otelq.Worker(client, jobs, shop.jobs):
        chain = await client.start(asks, None)
        job = await becomes(client, chain, "failed")
        assert job.failure is not None
        assert "this client hands out" in job.failure.text
        second = await client.start(asks, None)
        await becomes(client, second, "failed")
    assert len(calls) == 2
