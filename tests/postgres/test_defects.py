"""Defects that others had under concurrency, with transactions that are open at the same time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from otelq.model import Closure, Continues, Dedup, Successor
from otelq.ports.state import StateAdapter
from otelq.postgres.state import PostgresState
from otelq.postgres.statements import PostgresStatements

from .conftest import Connect
from .shortcuts import job, start

TYPES = [f"type {number}" for number in range(10)]


async def test_a_key_is_held_while_its_chain_hands_over_in_an_open_transaction(
    state: PostgresState, connect: Connect
) -> None:
    chain = await start(state, dedup=Dedup("k"))
    connection = await connect()
    async with connection.transaction():
        handover = Closure(chain_id=chain, step="a", outcome=Continues(Successor(type="b", input="1")))
        await state.complete_externally([handover], tx=state.join(connection))
        (meanwhile,), _ = await state.create([job(dedup=Dedup("k"))])
    (afterwards,), _ = await state.create([job(dedup=Dedup("k"))])

    assert [meanwhile.chain_id, afterwards.chain_id] == [chain, chain]


async def test_deleting_with_blockers_takes_one_that_a_continuation_names_meanwhile(
    state: PostgresState, connect: Connect, wait_for_lock: Callable[..., Awaitable[None]]
) -> None:
    blocker, chain = await start(state), await start(state)
    connection = await connect()
    transaction = connection.transaction()
    await transaction.start()
    following = Successor(type="b", input="1", blockers=(blocker,))
    handover = Closure(chain_id=chain, step="a", outcome=Continues(following))
    await state.complete_externally([handover], tx=state.join(connection))

    deleting = asyncio.create_task(state.delete([chain], cascade=True))
    await wait_for_lock()
    await transaction.commit()
    made = await deleting

    assert {change.chain_id for change in made} == {blocker, chain}


async def test_a_blocker_is_not_deleted_while_an_open_transaction_makes_a_continuation_wait_for_it(
    state: PostgresState, connect: Connect, wait_for_lock: Callable[..., Awaitable[None]]
) -> None:
    blocker, chain = await start(state), await start(state)
    connection = await connect()
    transaction = connection.transaction()
    await transaction.start()
    following = Successor(type="b", input="1", blockers=(blocker,))
    handover = Closure(chain_id=chain, step="a", outcome=Continues(following))
    await state.complete_externally([handover], tx=state.join(connection))

    deleting = asyncio.create_task(_refusal(state, blocker))
    await wait_for_lock()
    await transaction.commit()

    assert await deleting == "StillReferenced"


async def _refusal(state: StateAdapter, chain: str) -> str:
    try:
        await state.delete([chain])
    except Exception as error:
        return type(error).__name__
    return "deleted"


async def test_a_claim_reads_no_more_however_many_jobs_of_ten_types_wait(
    state: PostgresState, connect: Connect
) -> None:
    connection = await connect()

    async def fill(each: int) -> None:
        await state.create([job(type) for type in TYPES for _ in range(each)])
        await connection.execute("VACUUM ANALYZE otelq.open_job, otelq.job")

    async def blocks() -> int:
        """How many blocks of the database one claim touches."""
        claim = PostgresStatements("otelq")("claim").text
        transaction = connection.transaction()
        await transaction.start()
        plan = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {claim}",
            *(None, TYPES, [1] * 10, [30.0] * 10, [None] * 10, 1, "w", True),
        )
        await transaction.rollback()
        top = json.loads(plan)[0]["Plan"]
        return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])

    await fill(20)
    few = await blocks()
    await fill(2_000)
    many = await blocks()

    assert many < 2 * few, f"{few} blocks with 200 waiting, {many} with 20,000"
