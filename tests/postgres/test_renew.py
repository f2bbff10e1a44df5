"""Leases of attempts that block the event loop, by every way to PostgreSQL; and what no second way leads to."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

import otelq
from otelq.model import ReapRule
from otelq.postgres import adapter

from ..servers import PostgresServer
from .drivers import ROOMY, engine_for, own_provider, psycopg_pool

LEASE = 1.0


async def read_jsonb(connection: Any) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


@asynccontextmanager
async def target(name: str, url: str) -> AsyncGenerator[Any]:
    match name.split("-"):
        case ["url"]:
            yield url
        case ["pool", *init]:
            async with asyncpg.create_pool(url, min_size=0, max_size=ROOMY, init=read_jsonb if init else None) as pool:
                yield pool
        case ["psycopg"]:
            async with psycopg_pool(url, max_size=ROOMY) as pool:
                yield pool
        case [_, dialect]:
            engine = engine_for(url, dialect)
            yield engine
            await engine.dispose()
        case _:
            raise ValueError(name)


def reap_for_a_while(url: str, ended: threading.Event, crashed: list[int]) -> None:
    """What another worker's reaper does, in a thread as in another process."""

    async def reap() -> None:
        async with otelq.connect(url) as client:
            rules = [ReapRule(type="blocks", max_attempts=None, max_crashes=5)]
            while not ended.is_set():
                crashed.extend(change.attempt for change in await client.engine.state.reap(rules))
                await asyncio.sleep(0.05)

    asyncio.run(reap())


WAYS = ["url", "pool", "pool-init", "psycopg", "sqlalchemy-asyncpg", "sqlalchemy-psycopg"]


@pytest.mark.parametrize("name", WAYS)
async def test_a_handler_that_blocks_the_loop_for_three_leases_keeps_its_own(
    name: str, postgres18: PostgresServer
) -> None:
    url, jobs = postgres18.create_migrated_database(), otelq.Jobs()
    ended, crashed = threading.Event(), list[int]()

    @jobs.job("blocks", lease=LEASE)
    async def blocks(attempt: otelq.Attempt[None]) -> int:
        time.sleep(3 * LEASE)  # noqa: ASYNC251  # what the keeper's own thread is for
        return attempt.number

    async with target(name, url) as place, otelq.connect(place) as client:
        reaper = threading.Thread(target=reap_for_a_while, args=(url, ended, crashed))
        reaper.start()
        async with otelq.Worker(client, jobs, poll_interval=0.1):
            number = await client.result(await client.start(blocks, None), timeout=20)
        ended.set()
        reaper.join()
    postgres18.drop_database(url)
    assert (number, crashed) == (1, [])


async def test_a_worker_says_how_to_keep_leases_where_no_second_way_leads_to_the_database(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = otelq.Jobs()

    @jobs.job("any")
    async def any_job(attempt: otelq.Attempt[None]) -> None: ...

    async with own_provider(postgres_url) as provider:
        async with otelq.connect(provider) as client, otelq.Worker(client, jobs):
            pass
        assert [record.getMessage() for record in caplog.records if "keeper=" in record.getMessage()]
        caplog.clear()
        async with otelq.connect(provider, keeper=postgres_url) as client, otelq.Worker(client, jobs):
            await client.result(await client.start(any_job, None), timeout=10)
    assert "keeper=" not in caplog.text


async def connect_anyhow(*arguments: Any, **options: Any) -> Any:
    """A way of the application's own to make a connection."""
    return await asyncpg.connect(*arguments, **options)


@pytest.mark.parametrize(
    "options", [{"password": lambda: "computed"}, {"connect": connect_anyhow}], ids=["password", "connect"]
)
async def test_a_pool_that_connects_in_its_own_way_has_a_sibling_only_by_the_keepers_url(
    postgres_url: str, options: dict[str, Any]
) -> None:
    async with asyncpg.create_pool(postgres_url, min_size=0, max_size=ROOMY, **options) as pool:
        assert adapter(pool).sibling() is None
        assert adapter(pool, keeper=postgres_url).sibling() is not None


async def test_leases_are_renewed_in_the_main_loop_while_the_keeper_has_no_connection(
    postgres18: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    url, jobs = postgres18.create_migrated_database(), otelq.Jobs()
    ended, crashed = threading.Event(), list[int]()
    login = "login_" + url.rsplit("/", 1)[1]

    @jobs.job("blocks", lease=LEASE)
    async def blocks(attempt: otelq.Attempt[None]) -> int:
        await asyncio.sleep(3 * LEASE)
        return attempt.number

    async def become_owner(connection: Any) -> None:
        await connection.execute("SET ROLE postgres")

    admin = await asyncpg.connect(url)
    await admin.execute(f'CREATE ROLE "{login}" LOGIN NOINHERIT IN ROLE postgres')
    async with (
        asyncpg.create_pool(url, user=login, min_size=0, max_size=ROOMY, setup=become_owner) as pool,
        otelq.connect(pool) as client,
    ):
        reaper = threading.Thread(target=reap_for_a_while, args=(url, ended, crashed))
        reaper.start()
        async with otelq.Worker(client, jobs, poll_interval=0.1):
            number = await client.result(await client.start(blocks, None), timeout=20)
        ended.set()
        reaper.join()
    await admin.execute(f'DROP ROLE "{login}"')
    await admin.close()
    postgres18.drop_database(url)
    assert (number, crashed) == (1, [])
    assert caplog.text.count("the keeper has no connection of its own") == 1
