"""One open chain for a type and key, whoever comes at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

from otelq.model import Closure, Completes, Dedup
from otelq.postgres.state import PostgresState

from .conftest import Connect
from .making import job, start, status


async def test_forty_starts_at_once_with_one_key_make_one_chain(state: PostgresState) -> None:
    results = await asyncio.gather(*(state.create([job(dedup=Dedup("k"))]) for _ in range(40)))

    created = [each for (each,), _ in results]
    assert len({each.chain_id for each in created}) == 1
    assert sum(not each.deduplicated for each in created) == 1


async def test_twelve_transactions_at_once_with_one_key_make_one_chain(state: PostgresState, connect: Connect) -> None:
    connections = [await connect() for _ in range(12)]

    async def start_inside(connection: Any) -> str:
        async with connection.transaction():
            (created,), _ = await state.create([job(dedup=Dedup("k"))], tx=state.join(connection))
            return created.chain_id

    chains = await asyncio.gather(*map(start_inside, connections))

    assert len(set(chains)) == 1


async def test_a_key_is_free_again_when_its_holder_was_rolled_back(state: PostgresState, connect: Connect) -> None:
    connection = await connect()
    transaction = connection.transaction()
    await transaction.start()
    await start(state, dedup=Dedup("k"), tx=state.join(connection))
    await transaction.rollback()

    (created,), _ = await state.create([job(dedup=Dedup("k"))])

    assert not created.deduplicated


async def test_a_chain_that_closes_frees_its_key_and_no_other(state: PostgresState) -> None:
    first = await start(state, dedup=Dedup("k"))
    other = await start(state, dedup=Dedup("l"))
    await state.finish([Closure(chain_id=first, step="a", outcome=Completes("1"))])

    (again, held), _ = await state.create([job(dedup=Dedup("k")), job(dedup=Dedup("l"))])

    assert not again.deduplicated
    assert (held.chain_id, held.deduplicated) == (other, True)
    assert await status(state, other) == "ready"
