"""What an application set on its asyncpg connections changes nothing for otelq."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

import otelq

JOB = otelq.JobType("job", input=int, output=int)


async def _codecs_of_the_manual(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


@pytest.fixture
async def pool(postgres_url: str) -> AsyncGenerator[asyncpg.Pool[Any]]:
    async with asyncpg.create_pool(postgres_url, init=_codecs_of_the_manual, min_size=1, max_size=4) as pool:
        yield pool


async def test_codecs_of_a_pool_are_not_used(pool: asyncpg.Pool[Any]) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    async with otelq.connect(pool) as client:
        chain = await client.start(JOB, 1, tags={"shop": "7"}, tenant="acme", at=later)
        found = [(await client.count(**asked)).number for asked in _QUESTIONS]
        record = (await client.chain(chain)).tail
    assert found == [1, 1, 1, 1]
    assert record.run_at == later


_QUESTIONS: list[dict[str, Any]] = [
    {},
    {"tags": {"shop": "7"}},
    {"tenant": "acme"},
    {"since": datetime.now(UTC) - timedelta(hours=1)},
]


async def test_codecs_of_a_connection_given_as_tx_are_not_used(pool: asyncpg.Pool[Any], postgres_url: str) -> None:
    async with otelq.connect(postgres_url) as client, pool.acquire() as connection:
        async with connection.transaction():
            await client.start(JOB, 1, tags={"shop": "7"}, dedup=otelq.Dedup("k"), tx=connection)
        assert (await client.count(tags={"shop": "7"})).number == 1
