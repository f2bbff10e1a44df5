"""Blockers that close while others close, or while a start that names them is open: nobody is stranded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from otelq.model import Closure, Completes, Fails, Failure, Status, Verb
from otelq.postgres.state import PostgresState

from .conftest import Connect
from .shortcuts import job, lease, settle, start, status, verbs


@pytest.mark.parametrize("first", [0, 1])
async def test_two_blockers_closed_in_two_open_transactions_strand_nobody(
    state: PostgresState, connect: Connect, first: int
) -> None:
    blockers = [await start(state), await start(state)]
    dependent = await start(state, "b", blockers=tuple(blockers))
    connections = [await connect(), await connect()]
    transactions = [connection.transaction() for connection in connections]
    for blocker, connection, transaction in zip(blockers, connections, transactions, strict=True):
        await transaction.start()
        closure = Closure(chain_id=blocker, step="a", outcome=Completes("1"))
        await state.complete_externally([closure], tx=state.join(connection))

    await transactions[first].commit()
    await transactions[1 - first].commit()
    await state.unblock_pending()

    assert await status(state, dependent) is Status.READY
    assert len(await lease(state, "b", limit=10)) == 1


@pytest.mark.parametrize("committed", [True, False])
async def test_a_blocker_closed_while_a_start_that_names_it_is_open_waits_for_that_start(
    state: PostgresState, connect: Connect, wait_for_lock: Callable[..., Awaitable[None]], committed: bool
) -> None:
    blocker = await start(state)
    connection = await connect()
    transaction = connection.transaction()
    await transaction.start()
    dependent = await start(state, "b", blockers=(blocker,), tx=state.join(connection))

    closing = asyncio.create_task(
        state.complete_externally([Closure(chain_id=blocker, step="a", outcome=Completes("1"))])
    )
    await wait_for_lock()
    await (transaction.commit() if committed else transaction.rollback())
    made = await closing

    assert verbs(made, dependent) == ([Verb.UNBLOCK] if committed else [])


async def test_a_worker_does_not_wait_for_a_start_that_names_its_job(state: PostgresState, connect: Connect) -> None:
    await state.create([job() for _ in range(3)])
    claimed = await lease(state, limit=3)
    connection = await connect()
    async with connection.transaction():
        named = claimed[1].lease.chain_id
        dependent = await start(state, "b", blockers=(named,), tx=state.join(connection))

        settled = await settle(state, claimed)

    assert settled.results == ("done", "busy", "done")
    assert verbs((await settle(state, claimed)).transitions, dependent) == [Verb.UNBLOCK]


async def test_a_start_that_names_a_blocker_being_closed_sees_how_it_ended(
    state: PostgresState, connect: Connect, wait_for_lock: Callable[..., Awaitable[None]]
) -> None:
    blocker = await start(state)
    connection = await connect()
    transaction = connection.transaction()
    await transaction.start()
    closure = Closure(chain_id=blocker, step="a", outcome=Completes("1"))
    await state.complete_externally([closure], tx=state.join(connection))

    starting = asyncio.create_task(state.create([job("b", blockers=(blocker,))]))
    await wait_for_lock()
    await transaction.commit()
    _, made = await starting

    assert [change.target for change in made] == [Status.READY]


async def test_two_blockers_closed_in_one_batch_both_count(state: PostgresState) -> None:
    blockers = [await start(state), await start(state)]
    dependent = await start(state, "b", blockers=tuple(blockers))

    settled = await settle(state, await lease(state, limit=2))

    assert verbs(settled.transitions, dependent) == [Verb.UNBLOCK]


async def test_more_dependents_than_one_commit_should_touch_are_mopped_up(state: PostgresState) -> None:
    blocker = await start(state)
    await state.create([job("b", blockers=(blocker,)) for _ in range(2500)])

    settled = await settle(state, await lease(state))
    mopped = [len(await state.unblock_pending()) for _ in range(2)]

    assert len(verbs(settled.transitions)) - 1 + sum(mopped) == 2500
    assert max(mopped) <= 1000
    assert await state.unblock_pending() == []


async def test_a_failure_cascades_through_those_who_wait(state: PostgresState) -> None:
    first = await start(state)
    second = await start(state, "b", blockers=(first,))
    third = await start(state, "c", blockers=(second,))

    settled = await settle(state, await lease(state), Fails(Failure("E", "no")))

    assert verbs(settled.transitions) == [Verb.FAIL, Verb.FAIL_BY_BLOCKER, Verb.FAIL_BY_BLOCKER]
    assert [change.chain_id for change in settled.transitions] == [first, second, third]
    assert await status(state, third) is Status.FAILED
