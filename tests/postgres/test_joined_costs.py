"""What a verb in a caller's transaction costs: no statement that could be spared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest

import otelq
from otelq.errors import InvalidArgument

from .drivers import OwnTransaction, own_provider

greet = otelq.JobType("greet", input=str, output=str)
HOME = "pg_postmaster_start_time"


@pytest.fixture
async def client(postgres_url: str) -> AsyncIterator[otelq.Client]:
    async with otelq.connect(postgres_url) as opened:
        yield opened


@asynccontextmanager
async def listening(connection: Any) -> AsyncGenerator[list[str]]:
    """The statements that pass on a connection, as asyncpg tells them in the next turn of the loop."""
    heard = list[str]()

    def hear(record: Any) -> None:
        heard.append(record.query)

    connection.add_query_logger(hear)
    yield heard
    await asyncio.sleep(0)
    connection.remove_query_logger(hear)


async def test_a_connection_is_asked_once_for_its_database_and_a_start_on_it_is_one_statement(
    client: otelq.Client, postgres_url: str
) -> None:
    connection = await asyncpg.connect(postgres_url)
    async with listening(connection) as first, connection.transaction():
        await client.start(greet, "ada", tx=connection)
    async with listening(connection) as second, connection.transaction():
        for name in ("bob", "cy"):
            await client.start(greet, name, tx=connection)
    await connection.close()

    assert len([text for text in first if HOME in text]) == 1
    assert [text.partition(" ")[0] for text in second[:2]] == ["BEGIN;", "--"]
    assert len(second) == len(["BEGIN", "start", "start", "COMMIT"])


async def test_a_pool_lends_a_connection_that_was_recognised_before(postgres_url: str) -> None:
    async with (
        asyncpg.create_pool(postgres_url, min_size=1, max_size=3) as pool,
        otelq.connect(pool, notify=None) as client,  # a NOTIFY would hold one connection, and another would be lent
    ):
        homes = 0
        for _ in range(3):
            async with pool.acquire() as connection, connection.transaction():
                async with listening(connection) as heard:
                    await client.start(greet, "ada", tx=connection)
                homes += sum(HOME in text for text in heard)
    assert homes == 1


async def test_a_transaction_of_the_clients_own_is_not_asked_for_its_database(client: otelq.Client) -> None:
    async with client.transaction() as tx, listening(tx) as heard:
        await client.start(greet, "ada", tx=tx)
    assert not [text for text in heard if HOME in text]


async def test_a_providers_transaction_of_the_clients_own_is_not_asked_either(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = list[str]()
    execute = OwnTransaction.execute

    async def hear(self: OwnTransaction, sql: str, params: Any, /) -> Any:
        sent.append(sql)
        return await execute(self, sql, params)

    monkeypatch.setattr(OwnTransaction, "execute", hear)
    async with own_provider(postgres_url) as provider, otelq.connect(provider) as client:
        async with client.transaction() as tx:
            await client.start(greet, "ada", tx=tx)
        assert not [text for text in sent if HOME in text]

        async with provider.transaction() as theirs:
            for name in ("bob", "cy"):
                await client.start(greet, name, tx=theirs)
        assert len([text for text in sent if HOME in text]) == 1


ODD = {
    "NUL": '"\\u0000"',
    "half a pair": '"\\ud800"',
    "NUL in a key": '{"\\u0000": 1}',
    "large": "1e400",
    "tiny": "1e-20000",
    "zero": "-0.0e-99999",
    "a zero with an exponent": "0e999999999999",
    "many digits": "9" * 140_000,
    "many digits after the point": "1." + "1" * 20_000,
    "deep": "[" * 20_000 + "]" * 20_000,
}
"""JSON that one database or another refuses."""


class Verbatim:
    """A codec by which odd JSON reaches the database, if the client lets it through."""

    def encode(self, text: str, place: otelq.PayloadPlace) -> str:
        return ODD[text.strip('"')]

    def decode(self, stored: str, place: otelq.PayloadPlace) -> str:
        return stored


@pytest.mark.parametrize("name", ODD)
async def test_no_value_that_a_client_lets_through_aborts_a_callers_transaction(postgres_url: str, name: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    async with otelq.connect(postgres_url, codec=Verbatim()) as client, connection.transaction():
        with suppress(InvalidArgument):
            await client.start(greet, name, tx=connection)
        assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
