"""What clients were promised is held against what a run left; each check is given something to find."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

import otelq
from otelq_verify.torture import tables
from otelq_verify.torture.aftermath import Aftermath
from otelq_verify.torture.handlers import ChainWalk, Pace, hop, jobs, walk
from otelq_verify.torture.history import Diary
from otelq_verify.torture.knowledge import Knowledge

ELSEWHERE = "0198c0de-0000-7000-8000-000000000001"


@dataclass
class Left:
    """A database after a run in which a chain of two steps completed."""

    client: otelq.Client
    chain: otelq.Chain[int]

    async def found(self, knowledge: Knowledge, *, deleted: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
        aftermath = Aftermath(self.client, schema="otelq", knowledge=knowledge, deleted=deleted)
        return [(violation.check, violation.chain_id) for violation in await aftermath.violations()]

    async def order(self, chain_id: str) -> None:
        async with self.client.transaction() as tx:
            await tables.execute(tx, f"INSERT INTO {tables.ORDERS} VALUES (?)", chain_id)


@pytest.fixture
async def left(sqlite_url: str) -> AsyncIterator[Left]:
    async with otelq.connect(sqlite_url) as client:
        await tables.create(client, "otelq")
        chain = await client.start(walk, ChainWalk(1, Pace(0.001)))
        async with otelq.Worker(client, jobs, poll_interval=0.05, middleware=[Diary("w")]):
            assert await client.result(chain, timeout=20) == 2
        yield Left(client, chain)


async def test_nothing_is_found_where_all_is_as_it_was_told(left: Left) -> None:
    await left.order(left.chain.id)
    known = Knowledge(committed={left.chain.id}, tied={left.chain.id}, outputs={left.chain.id: 2})
    assert await left.found(known) == []


async def test_a_chain_that_was_acknowledged_and_is_not_there_is_lost(left: Left) -> None:
    assert await left.found(Knowledge(committed={ELSEWHERE})) == [("lost chains", ELSEWHERE)]


async def test_a_chain_that_was_deleted_is_not_lost(left: Left) -> None:
    assert await left.found(Knowledge(committed={ELSEWHERE}), deleted=frozenset({ELSEWHERE})) == []


async def test_a_chain_whose_transaction_was_rolled_back_must_not_be_there(left: Left) -> None:
    assert await left.found(Knowledge(rolled_back={left.chain.id})) == [("undone starts", left.chain.id)]


async def test_a_chain_is_there_if_and_only_if_its_callers_row_is(left: Left) -> None:
    await left.order(ELSEWHERE)
    assert await left.found(Knowledge(tied={left.chain.id})) == [
        ("starts in transactions", ELSEWHERE),
        ("starts in transactions", left.chain.id),
    ]


async def test_a_chain_that_yields_something_else_is_found(left: Left) -> None:
    assert await left.found(Knowledge(outputs={left.chain.id: 3})) == [("outputs of chains", left.chain.id)]


async def test_a_chain_that_a_completion_started_and_that_is_not_there_is_found(left: Left) -> None:
    async with left.client.transaction() as tx:
        await tables.execute(tx, f"UPDATE {tables.HISTORY} SET detail = ? WHERE kind = 'effect'", ELSEWHERE)
    assert await left.found(Knowledge()) == [("starts in completions", left.chain.id)] * 2


async def test_an_effect_that_was_written_twice_is_found_by_the_tables(left: Left) -> None:
    async with left.client.transaction() as tx:
        await tables.execute(tx, f"INSERT INTO {tables.HISTORY} SELECT * FROM {tables.HISTORY} WHERE position = 1")
    assert await left.found(Knowledge()) == [("written once", left.chain.id)]


async def test_a_job_without_effects_leaves_no_row_and_is_not_missed(left: Left) -> None:
    chain = await left.client.start(hop, ChainWalk(0, Pace(0)))
    async with otelq.Worker(left.client, jobs, poll_interval=0.05, middleware=[Diary("w")]):
        await left.client.result(chain, timeout=20)
    assert await left.found(Knowledge(committed={chain.id})) == []
