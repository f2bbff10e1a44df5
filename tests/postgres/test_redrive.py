"""Chains opened again while others open, close, wait for them, or take their keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from otelq.errors import AlreadyExists, InvalidArgument, JobAlreadyClosed
from otelq.model import Closure, Completes, Dedup, OnFailure, Status, Verb
from otelq.postgres.state import PostgresState

from .conftest import Open, WaitForLock
from .shortcuts import job, lease, settle, start, status, verbs


async def fallen(state: PostgresState, type: str = "a", **fields: Any) -> str:
    """A chain that was cancelled."""
    chain = await start(state, type, **fields)
    await state.cancel([chain])
    return chain


@pytest.mark.parametrize("committed", [True, False])
async def test_of_two_redrives_in_open_transactions_one_opens_the_chain(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, committed: bool
) -> None:
    chain = await fallen(state)
    transaction = await opened()
    await state.redrive([chain], tx=state.join(transaction.connection))

    other = asyncio.create_task(state.redrive([chain]))
    await wait_for_lock()
    await transaction.end(committed=committed)

    if committed:
        with pytest.raises(InvalidArgument, match="is open"):
            await other
    else:
        assert verbs(await other) == [Verb.REDRIVE]
    assert await status(state, chain) is Status.READY
    assert [attempt.generation for attempt in await state.attempts(chain, 0)] == [1]


async def test_of_ten_redrives_at_once_one_opens_the_chain(state: PostgresState) -> None:
    chain = await fallen(state)

    answers = await asyncio.gather(*(state.redrive([chain]) for _ in range(10)), return_exceptions=True)

    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert sum(isinstance(answer, InvalidArgument) for answer in answers) == 9
    assert len(await lease(state, limit=10)) == 1


async def test_redrives_of_crossing_sets_do_not_deadlock(state: PostgresState) -> None:
    chains = [await fallen(state) for _ in range(20)]

    answers = await asyncio.gather(
        state.redrive(chains), state.redrive(chains[::-1]), state.redrive(chains[5:15]), return_exceptions=True
    )

    assert sum(isinstance(answer, InvalidArgument) for answer in answers) == 2


async def test_a_chain_is_not_redriven_while_its_cancel_is_open(state: PostgresState, opened: Open) -> None:
    chain = await start(state)
    transaction = await opened()
    await state.cancel([chain], tx=state.join(transaction.connection))

    with pytest.raises(InvalidArgument, match="is open"):
        await state.redrive([chain])
    await transaction.end()

    assert verbs(await state.redrive([chain])) == [Verb.REDRIVE]


async def test_a_chain_is_not_cancelled_while_its_redrive_is_open(state: PostgresState, opened: Open) -> None:
    chain = await fallen(state)
    transaction = await opened()
    await state.redrive([chain], tx=state.join(transaction.connection))

    with pytest.raises(JobAlreadyClosed):
        await state.cancel([chain])
    await transaction.end()

    assert verbs(await state.cancel([chain])) == [Verb.CANCEL]


@pytest.mark.parametrize("committed", [True, False])
async def test_a_redrive_waits_for_a_start_that_takes_its_key(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, committed: bool
) -> None:
    chain = await fallen(state, dedup=Dedup("k"))
    transaction = await opened()
    holder = await start(state, dedup=Dedup("k"), tx=state.join(transaction.connection))

    redriving = asyncio.create_task(state.redrive([chain]))
    await wait_for_lock()
    await transaction.end(committed=committed)

    if committed:
        with pytest.raises(AlreadyExists, match=holder):
            await redriving
        assert await status(state, chain) is Status.CANCELLED
    else:
        assert verbs(await redriving) == [Verb.REDRIVE]


@pytest.mark.parametrize("committed", [True, False])
async def test_a_start_waits_for_a_redrive_that_takes_the_key_back(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, committed: bool
) -> None:
    chain = await fallen(state, dedup=Dedup("k"))
    transaction = await opened()
    await state.redrive([chain], tx=state.join(transaction.connection))

    starting = asyncio.create_task(state.create([job(dedup=Dedup("k"))]))
    await wait_for_lock()
    await transaction.end(committed=committed)
    (created,), _ = await starting

    assert (created.chain_id == chain, created.deduplicated) == (committed, committed)


async def test_of_two_chains_with_one_key_one_is_redriven(state: PostgresState) -> None:
    chains = [await fallen(state, dedup=Dedup("k")), await fallen(state, dedup=Dedup("k"))]

    with pytest.raises(AlreadyExists):
        await state.redrive(chains)
    answers = await asyncio.gather(*(state.redrive([chain]) for chain in chains), return_exceptions=True)

    assert sum(isinstance(answer, AlreadyExists) for answer in answers) == 1


@pytest.mark.parametrize("committed", [True, False])
async def test_a_chain_redriven_while_a_start_that_waits_on_it_is_open_serves_that_start(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, committed: bool
) -> None:
    blocker = await fallen(state)
    transaction = await opened()
    dependent = await start(
        state, "b", blockers=(blocker,), on_failure=OnFailure.WAIT, tx=state.join(transaction.connection)
    )

    redriving = asyncio.create_task(state.redrive([blocker]))
    await wait_for_lock()
    await transaction.end(committed=committed)
    await redriving
    settled = await settle(state, await lease(state))

    assert verbs(settled.transitions, dependent) == ([Verb.UNBLOCK] if committed else [])


@pytest.mark.parametrize("on_failure", [OnFailure.WAIT, OnFailure.FAIL])
async def test_a_start_that_names_a_chain_being_redriven_waits_for_it_as_open(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, on_failure: OnFailure
) -> None:
    blocker = await fallen(state)
    transaction = await opened()
    await state.redrive([blocker], tx=state.join(transaction.connection))

    new = job("b", blockers=(blocker,), on_failure=on_failure)
    starting = asyncio.create_task(state.create([new]))
    await wait_for_lock()
    await transaction.end()
    _, made = await starting
    settled = await settle(state, await lease(state))

    assert [change.target for change in made] == [Status.BLOCKED]
    assert verbs(settled.transitions, new.chain_id) == [Verb.UNBLOCK]


@pytest.mark.parametrize("committed", [True, False])
async def test_a_redrive_waits_for_a_blocker_that_is_being_closed(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, committed: bool
) -> None:
    blocker = await start(state)
    chain = await start(state, "b", blockers=(blocker,))
    await state.cancel([chain])
    transaction = await opened()
    closure = Closure(chain_id=blocker, step="a", outcome=Completes("1"))
    await state.complete_externally([closure], tx=state.join(transaction.connection))

    redriving = asyncio.create_task(state.redrive([chain]))
    await wait_for_lock()
    await transaction.end(committed=committed)
    made = await redriving

    assert [change.target for change in made] == [Status.READY if committed else Status.BLOCKED]
    if not committed:
        assert verbs(await state.complete_externally([closure]), chain) == [Verb.UNBLOCK]


async def test_a_blocker_closed_while_a_redrive_that_waits_for_it_is_open_waits_for_that(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock
) -> None:
    blocker = await start(state)
    chain = await start(state, "b", blockers=(blocker,))
    await state.cancel([chain])
    transaction = await opened()
    await state.redrive([chain], tx=state.join(transaction.connection))

    closing = asyncio.create_task(
        state.complete_externally([Closure(chain_id=blocker, step="a", outcome=Completes("1"))])
    )
    await wait_for_lock()
    await transaction.end()

    assert verbs(await closing, chain) == [Verb.UNBLOCK]
