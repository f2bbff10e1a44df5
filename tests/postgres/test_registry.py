"""The list of workers on PostgreSQL: without rights for it, after an outage, and beside locked rows."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

import otelq
from otelq import ReasonCode
from otelq.model import ReapRule, WorkerBeat
from otelq.postgres.state import PostgresState
from otelq_verify.wire import LossyProxy

from ..behaviour.support import until
from ..servers import PostgresServer
from .conftest import Connect, Open, WaitForLock

jobs = otelq.Jobs()


@jobs.job("echo")
async def echo(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


def beat(id: str) -> WorkerBeat:
    return WorkerBeat(id=id, name=id, host="elsewhere.example", pid=7, version="1", slots=1)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that try again at once when a beat failed."""
    monkeypatch.setattr("otelq.worker.registration.NEXT_TRY", 0.0)


@pytest.fixture
async def url_of_before(postgres_url: str) -> AsyncIterator[str]:
    """The database for a role whose rights were granted before the migration that made the list of workers."""
    owner, role = await asyncpg.connect(postgres_url), f"o{secrets.token_hex(4)}"
    async with otelq.connect(postgres_url):
        pass  # which makes the tables
    await owner.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA otelq TO {role}")
    await owner.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA otelq TO {role}")
    await owner.execute(f"REVOKE ALL ON otelq.worker, otelq.leader FROM {role}")
    yield postgres_url.replace("//postgres@", f"//{role}@")
    await owner.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
    await owner.close()


def unlisted(caplog: pytest.LogCaptureFixture, *, level: int = logging.WARNING) -> list[str]:
    """The lines about beats that failed."""
    lines = [record for record in caplog.records if "missing from the list of workers" in record.getMessage()]
    return [record.getMessage() for record in lines if record.levelno >= level]


@pytest.mark.usefixtures("impatient")
async def test_a_worker_whose_role_was_granted_before_the_migration_runs_jobs_and_names_the_grant_once(
    url_of_before: str, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "otelq.worker")
    async with otelq.connect(url_of_before) as client, otelq.Worker(client, jobs):
        await until(lambda: len(unlisted(caplog, level=logging.DEBUG)) > 3)
        assert await client.result(await client.start(echo, 1), timeout=10) == 1
        [line] = unlisted(caplog)
        [grant] = re.findall(r"GRANT .+? TO \w+", line)
        assert "otelq.worker" in grant
        told = await client.explain(await client.start(echo, 1, delay=3600))
        assert [reason.code for reason in told.reasons] == [ReasonCode.DELAYED]
        await (await connect()).execute(grant)
        while not await client.workers():  # noqa: ASYNC110  # the keeper's connection writes
            await asyncio.sleep(0.005)


async def test_a_fleet_that_returns_from_an_outage_lists_itself_without_a_deadlock(
    state: PostgresState, connect: Connect
) -> None:
    ids = [f"worker {n}" for n in range(30)]
    admin = await connect()
    for _ in range(5):
        await state.beat([beat(id) for id in sorted(ids)])
        await admin.execute("UPDATE otelq.worker SET seen_at = seen_at - interval '1 hour'")
        await asyncio.gather(*(state.beat([beat(id)]) for id in ids))
        await asyncio.gather(*(state.beat([beat(id)]) for id in ids))  # those that others removed meanwhile
        assert {worker.id for worker in await state.workers()} == {*ids}


async def test_a_row_that_somebody_locked_stops_no_beat_of_others(
    state: PostgresState, connect: Connect, opened: Open
) -> None:
    await state.beat([beat("locked"), beat("old")])
    await (await connect()).execute("UPDATE otelq.worker SET seen_at = seen_at - interval '1 hour'")
    holder = await opened()
    await holder.connection.execute("SELECT * FROM otelq.worker WHERE id = 'locked' FOR UPDATE")
    await state.beat([beat("sound")])
    left = await (await connect()).fetch("SELECT id FROM otelq.worker ORDER BY id")
    assert [row["id"] for row in left] == ["locked", "sound"]
    await holder.end()


async def test_a_beat_that_waits_for_its_row_costs_no_renewal(
    state: PostgresState, postgres_url: str, opened: Open, wait_for_lock: WaitForLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otelq.worker.registration.WITH_RENEWALS", 0.0)
    slow, rules = otelq.Jobs(), [ReapRule(type="slow", max_attempts=None, max_crashes=5)]

    @slow.job("slow", lease=1)
    async def slowly(attempt: otelq.Attempt[None]) -> int:
        await asyncio.sleep(2.5)  # of several leases
        return attempt.number

    async with otelq.connect(postgres_url) as client, otelq.Worker(client, slow):
        while not await client.workers():  # noqa: ASYNC110  # the keeper's connection writes
            await asyncio.sleep(0.005)
        holder = await opened()
        await holder.connection.execute("SELECT * FROM otelq.worker FOR UPDATE")
        chain = await client.start(slowly, None)
        await wait_for_lock()
        while (await client.chain(chain)).tail.status.is_open:
            assert await state.reap(rules) == []
        await holder.end()


async def test_a_stop_does_not_wait_for_a_connection_that_died(postgres18: PostgresServer) -> None:
    url = postgres18.create_migrated_database()
    async with LossyProxy(url) as proxy, otelq.connect(proxy.url) as client:
        async with otelq.Worker(client, jobs):
            while not await client.workers():  # noqa: ASYNC110  # the keeper's connection writes
                await asyncio.sleep(0.005)
            proxy.stall_at(lambda said: said[-1].startswith("-- Removes workers"))
            began = time.monotonic()
        assert time.monotonic() - began < 20  # a statement may take 30
        assert len(await client.workers()) == 1
    postgres18.drop_database(url)
