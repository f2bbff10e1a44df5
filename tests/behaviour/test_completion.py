"""What a handler writes together with the completion of its job, and in transactions of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
import asyncpg
import pytest

import otelq

from .support import AT_ONCE, ONCE, Away, RollBack, ended, for_ever, until

ON_SQL = pytest.mark.parametrize("client", ["sqlite", "postgres18", "postgres16"], indirect=True)
DEAD = (otelq.OtelqError, asyncpg.InterfaceError, sqlite3.Error, ValueError)

SLOW = {
    "postgresql": "SELECT pg_sleep(0.2)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000) SELECT max(i) FROM n",
}

others = otelq.Jobs()


@others.job("other")
async def other(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


async def started(client: otelq.Client) -> list[str]:
    """The inputs of the jobs that handlers started."""
    return [job.input for job in (await client.jobs(type=other)).items]


async def make_notes(client: otelq.Client) -> None:
    """A table for what handlers write."""
    async with client.transaction() as tx:
        await tx.execute("DROP TABLE IF EXISTS note")
        await tx.execute("CREATE TABLE note (text text)")


async def notes(client: otelq.Client) -> list[str]:
    """What handlers wrote, as others see it."""
    async with client.transaction() as tx:
        read = tx.execute_fetchall if isinstance(tx, aiosqlite.Connection) else tx.fetch
        return [row[0] for row in await read("SELECT text FROM note ORDER BY text")]


async def test_what_is_started_in_the_completion_is_there_when_the_handler_returns(client: otelq.Client) -> None:
    jobs, seen = otelq.Jobs(), list[list[str]]()

    @jobs.job("writes")
    async def writes(attempt: otelq.Attempt[None]) -> str:
        tx = await attempt.completion()
        await attempt.client.start(other, 1, tx=tx)
        seen.append(await started(attempt.client))
        return "done"

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(writes, None), timeout=10) == "done"
    assert (seen, await started(client)) == ([[]], ["1"])


async def test_nothing_of_a_failed_attempt_is_there(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("writes", retry=AT_ONCE)
    async def writes(attempt: otelq.Attempt[None]) -> str:
        tx = await attempt.completion()
        await attempt.client.start(other, attempt.number, tx=tx)
        if attempt.number < 3:
            raise ConnectionError("after its write")
        return "done"

    async with otelq.Worker(client, jobs):
        await client.result(await client.start(writes, None), timeout=10)
    assert await started(client) == ["3"]


@ON_SQL
async def test_rows_of_the_handler_commit_with_its_completion_and_roll_back_with_its_failure(
    client: otelq.Client,
) -> None:
    jobs = otelq.Jobs()
    await make_notes(client)

    @jobs.job("writes", retry=AT_ONCE)
    async def writes(attempt: otelq.Attempt[None]) -> None:
        tx = await attempt.completion()
        await tx.execute(f"INSERT INTO note VALUES ('attempt {attempt.number}')")
        if attempt.number < 3:
            raise ConnectionError("after its write")

    async with otelq.Worker(client, jobs):
        await client.result(await client.start(writes, None), timeout=10)
    assert await notes(client) == ["attempt 3"]


async def test_a_continuation_commits_with_what_the_handler_wrote(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("first")
    async def first(attempt: otelq.Attempt[None]) -> otelq.Continue[int]:
        tx = await attempt.completion()
        await attempt.client.start(other, 1, tx=tx)
        return attempt.continue_with(other, 2)

    async with otelq.Worker(client, jobs, others):
        assert await client.result(await client.start(first, None), timeout=10) == 2
    assert sorted(await started(client)) == ["1", "2"]


async def test_a_second_call_gives_the_same_transaction(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("asks-twice", retry=ONCE)
    async def asks_twice(attempt: otelq.Attempt[None]) -> bool:
        first, second = await asyncio.gather(attempt.completion(), attempt.completion())
        return first is second and await attempt.completion() is first

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(asks_twice, None), timeout=10) is True


async def test_a_job_that_was_lost_keeps_nothing_of_its_completion(client: otelq.Client) -> None:
    jobs, began, reasons = otelq.Jobs(), asyncio.Event(), list[object]()

    @jobs.job("loses", retry=ONCE)
    async def loses(attempt: otelq.Attempt[None]) -> str:
        if client.engine.state.name == "postgresql":  # elsewhere the open completion would make the cancel wait
            await attempt.client.start(other, 1, tx=await attempt.completion())
        began.set()
        try:
            await for_ever()
        finally:
            reasons.append(attempt.cancel_reason)

    async with otelq.Worker(client, jobs):
        chain = await client.start(loses, None)
        await began.wait()
        await client.cancel(chain)
        await until(lambda: reasons)
    assert (reasons, await started(client)) == ([otelq.CancelReason.CANCELLED], [])


async def test_an_output_that_does_not_fit_rolls_the_completion_back(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("misfit", retry=ONCE)
    async def misfit(attempt: otelq.Attempt[None]) -> int:
        await attempt.client.start(other, 1, tx=await attempt.completion())
        return "no number"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # on purpose

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(misfit, None))
    assert (job.status, await started(client)) == ("failed", [])


@ON_SQL
async def test_a_constraint_that_only_the_commit_checks_fails_the_attempt(client: otelq.Client) -> None:
    jobs = otelq.Jobs()
    async with client.transaction() as tx:
        for statement in (
            "DROP TABLE IF EXISTS child",
            "DROP TABLE IF EXISTS parent",
            "CREATE TABLE parent (id int PRIMARY KEY)",
            "CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
        ):
            await tx.execute(statement)

    @jobs.job("orphans", retry=ONCE)
    async def orphans(attempt: otelq.Attempt[None]) -> None:
        tx = await attempt.completion()
        await tx.execute("INSERT INTO child VALUES (1)")

    async with otelq.Worker(client, jobs):
        chain = await client.start(orphans, None)
        job = await ended(client, chain) if client.engine.state.name == "postgresql" else None
    if job is not None:  # SQLite asks for PRAGMA foreign_keys, which is the application's to set
        assert job.status == "failed"


async def test_the_transaction_is_dead_after_the_return(client: otelq.Client) -> None:
    jobs, kept = otelq.Jobs(), list[Any]()

    @jobs.job("leaks", retry=ONCE)
    async def leaks(attempt: otelq.Attempt[None]) -> None:
        kept.extend((attempt, await attempt.completion()))

    async with otelq.Worker(client, jobs):
        await client.result(await client.start(leaks, None), timeout=10)
        attempt, tx = kept
        with pytest.raises(otelq.InvalidArgument, match="has ended"):
            await attempt.completion()
        with pytest.raises(DEAD):
            await client.start(other, 1, tx=tx)
        with pytest.raises(DEAD):
            await tx.execute("CREATE TABLE too_late (id int)")
    assert await started(client) == []


async def test_a_completion_that_a_forgotten_task_opens_after_the_return_is_refused(client: otelq.Client) -> None:
    jobs, errors, tasks = otelq.Jobs(), list[BaseException](), list[asyncio.Task[None]]()

    async def opens_late(attempt: otelq.Attempt[None]) -> None:
        try:
            await attempt.completion()
        except otelq.OtelqError as error:
            errors.append(error)

    @jobs.job("forgets", retry=ONCE)
    async def forgets(attempt: otelq.Attempt[None]) -> None:
        tasks.append(asyncio.create_task(opens_late(attempt)))

    async with otelq.Worker(client, jobs):
        await client.result(await client.start(forgets, None), timeout=10)
        await asyncio.gather(*tasks)
        await client.start(other, 1)  # nobody holds a lock
    assert len(errors) == 1


@ON_SQL
async def test_a_task_still_using_the_completion_at_the_return_fails_the_attempt(client: otelq.Client) -> None:
    jobs, tasks = otelq.Jobs(), list[asyncio.Task[object]]()

    @jobs.job("overlaps", retry=ONCE)
    async def overlaps(attempt: otelq.Attempt[None]) -> None:
        tx = await attempt.completion()
        await attempt.client.start(other, 1, tx=tx)
        tasks.append(asyncio.create_task(tx.execute(SLOW[client.engine.state.name])))
        await asyncio.sleep(0)

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(overlaps, None))
        await asyncio.gather(*tasks, return_exceptions=True)
    assert (job.status, await started(client)) == ("failed", [])


@pytest.mark.parametrize("client", ["postgres18", "postgres16"], indirect=True)  # on SQLite nobody could take it away
async def test_the_lease_is_renewed_while_a_completion_is_open(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("takes-its-time", lease=1, retry=ONCE)
    async def takes_its_time(attempt: otelq.Attempt[None]) -> str:
        before = (await attempt.client.job(attempt.job_id)).leased_until
        await attempt.completion()
        while (await attempt.client.job(attempt.job_id)).leased_until == before:  # noqa: ASYNC110  # seen in the store
            await asyncio.sleep(0.01)
        return "renewed meanwhile"

    async with otelq.Worker(client, jobs, reap_interval=0.1):
        assert await client.result(await client.start(takes_its_time, None), timeout=10) == "renewed meanwhile"


# attempt.transaction()


async def test_a_transaction_of_its_own_commits_when_its_block_ends_whatever_becomes_of_the_job(
    client: otelq.Client,
) -> None:
    jobs = otelq.Jobs()

    @jobs.job("on-its-own", retry=ONCE)
    async def on_its_own(attempt: otelq.Attempt[None]) -> None:
        async with attempt.transaction() as tx:
            await attempt.client.start(other, 1, tx=tx)
        raise ValueError("afterwards")

    async with otelq.Worker(client, jobs):
        assert (await ended(client, await client.start(on_its_own, None))).status == "failed"
    assert await started(client) == ["1"]


async def test_a_transaction_of_its_own_rolls_back_when_its_block_raises(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("changes-its-mind", retry=ONCE)
    async def changes_its_mind(attempt: otelq.Attempt[None]) -> str:
        try:
            async with attempt.transaction() as tx:
                await attempt.client.start(other, 1, tx=tx)
                raise RollBack
        except RollBack:
            return "went on"

    async with otelq.Worker(client, jobs):
        assert await client.result(await client.start(changes_its_mind, None), timeout=10) == "went on"
    assert await started(client) == []


async def test_a_kind_of_transaction_that_the_database_does_not_have_is_refused(client: otelq.Client) -> None:
    jobs, refused = otelq.Jobs(), list[str]()

    @jobs.job("asks-for-more", retry=ONCE)
    async def asks_for_more(attempt: otelq.Attempt[None]) -> None:
        for manager in (attempt.transaction(dict), attempt.client.transaction(dict)):
            try:
                await manager.__aenter__()
            except otelq.InvalidArgument as error:
                refused.append(error.argument)
        try:
            await attempt.completion(dict)
        except otelq.InvalidArgument as error:
            refused.append(error.argument)

    await client.start(asks_for_more, None)
    with pytest.raises(otelq.OtelqError, match="none of its job types"):
        async with otelq.Worker(client, jobs):
            await for_ever()
    assert refused == ["kind"] * 3


@pytest.mark.parametrize("client", ["sqlite"], indirect=True)
async def test_a_start_outside_an_open_completion_raises_instead_of_waiting_for_itself(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("forgets-tx", retry=ONCE)
    async def forgets_tx(attempt: otelq.Attempt[None]) -> None:
        await attempt.completion()
        await attempt.client.start(other, 1)

    async with otelq.Worker(client, jobs):
        job = await ended(client, await client.start(forgets_tx, None))
    assert job.failure is not None
    assert "tx" in job.failure.text
    assert await started(client) == []


# provide and get


class Mailer:
    """Something that an application has."""


class LoudMailer(Mailer):
    """A kind of it."""


async def test_a_handler_gets_what_was_provided_by_its_type_or_that_of_a_parent(memory: otelq.Client) -> None:
    jobs, mailer = otelq.Jobs(), LoudMailer()

    @jobs.job("gets", retry=ONCE)
    async def gets(attempt: otelq.Attempt[None]) -> list[bool]:
        kinds: tuple[type[object], ...] = (LoudMailer, Mailer, Mailer, object)
        return [attempt.get(kind) is mailer for kind in kinds]

    async with otelq.Worker(memory, jobs, provide=[mailer]):
        assert await memory.result(await memory.start(gets, None), timeout=10) == [True] * 4


async def test_what_was_not_provided_is_said_by_its_name(memory: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("misses", retry=ONCE)
    async def misses(attempt: otelq.Attempt[None]) -> None:
        attempt.get(Mailer)

    async with otelq.Worker(memory, jobs):
        with pytest.raises(otelq.ChainFailed, match="nothing of Mailer provided"):
            await memory.result(await memory.start(misses, None), timeout=10)


async def test_a_commit_in_doubt_is_not_asked_for_once_the_worker_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelq.worker.run.LAST_WRITES", 0.05)
    jobs, state = otelq.Jobs(), Away()
    begin = state.begin

    @asynccontextmanager
    async def loses_the_reply(kind: type | None = None) -> AsyncGenerator[Any]:
        async with begin(kind) as transaction:
            yield transaction
        state.away |= {"attempts", "settle"}
        raise otelq.Unavailable("the reply was lost")

    @jobs.job("writes")
    async def writes(attempt: otelq.Attempt[None]) -> None:
        await attempt.completion()

    state.begin = loses_the_reply  # type: ignore[method-assign]
    before = asyncio.all_tasks()
    async with otelq.connect(state) as client, otelq.Worker(client, jobs, grace=0.05):
        await client.start(writes, None)
        await until(lambda: state.asked.get("attempts"))
    await until(lambda: asyncio.all_tasks() == before)
