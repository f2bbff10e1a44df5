"""One open chain for a type and key, whoever comes at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from otelq.model import Closure, Completes, Dedup, NewJob
from otelq.postgres.state import PostgresState

from .conftest import Connect, Open, Opened, WaitForLock
from .shortcuts import job, start, status


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
    await state.complete_externally([Closure(chain_id=first, step="a", outcome=Completes("1"))])

    (again, held), _ = await state.create([job(dedup=Dedup("k")), job(dedup=Dedup("l"))])

    assert not again.deduplicated
    assert (held.chain_id, held.deduplicated) == (other, True)
    assert await status(state, other) == "ready"


@pytest.mark.parametrize("committed", [True, False])
async def test_ten_transactions_that_take_one_key_over_make_one_chain(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, committed: bool
) -> None:
    old = await start(state, dedup=Dedup("k"))
    transactions = [await opened() for _ in range(10)]

    async def take(transaction: Opened) -> tuple[str, bool]:
        (created,), _ = await state.create([_excluding(old)], tx=state.join(transaction.connection))
        return created.chain_id, created.deduplicated

    async def take_and_commit(transaction: Opened) -> tuple[str, bool]:
        answer = await take(transaction)
        await transaction.end()
        return answer

    first = await take(transactions[0])
    others = [asyncio.create_task(take_and_commit(transaction)) for transaction in transactions[1:]]
    await wait_for_lock(9)
    await transactions[0].end(committed=committed)
    answers = [*([first] if committed else []), *await asyncio.gather(*others)]

    assert len({chain for chain, _ in answers}) == 1
    assert sum(not deduplicated for _, deduplicated in answers) == 1
    assert old not in {chain for chain, _ in answers}


def _excluding(chain: str) -> NewJob:
    return job(dedup=Dedup("k", exclude=(chain,)))


async def test_starts_that_never_accept_a_holder_all_get_their_turn(state: PostgresState) -> None:
    never = Dedup("k", scope="any", window=0.0)

    answers = await asyncio.gather(*(state.create([job(dedup=never)]) for _ in range(20)))
    (created,), _ = await state.create([job(dedup=Dedup("k"))])

    assert created.chain_id in {given.chain_id for (given,), _ in answers}


@pytest.mark.parametrize("committed", [True, False])
async def test_a_key_is_not_given_back_by_the_one_that_loses_it_as_it_closes(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, committed: bool
) -> None:
    loser = await start(state, dedup=Dedup("k"))
    transaction = await opened()
    new = _excluding(loser)
    await state.create([new], tx=state.join(transaction.connection))

    closing = asyncio.create_task(state.cancel([loser]))
    await wait_for_lock()
    await transaction.end(committed=committed)
    await closing
    (created,), _ = await state.create([job(dedup=Dedup("k"))])

    assert (created.chain_id == new.chain_id) is committed
