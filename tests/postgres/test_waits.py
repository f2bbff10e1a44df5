"""Jobs that begin to wait, or wait for any of several, while what they wait for closes or begins to wait itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from otelq.errors import InvalidArgument, Refused
from otelq.model import (
    Blocks,
    Claimed,
    Closure,
    Completes,
    Continues,
    OnFailure,
    Settlement,
    SettleResult,
    Status,
    Successor,
    Until,
    Verb,
)
from otelq.postgres.state import PostgresState

from .conftest import Open, WaitForLock
from .shortcuts import job, lease, settle, start, status, verbs

BUSY = (SettleResult.BUSY,)
DONE = (SettleResult.DONE,)


def completed(chain: str, step: str = "a") -> Closure:
    return Closure(chain_id=chain, step=step, outcome=Completes("1"))


async def leased(state: PostgresState, type: str) -> tuple[str, Claimed]:
    """A chain of a type of its own, whose job runs."""
    chain = await start(state, type)
    (claimed,) = await lease(state, type)
    return chain, claimed


# Any of several


@pytest.mark.parametrize("on_failure", OnFailure)
@pytest.mark.parametrize("first", [0, 1])
async def test_any_of_two_that_close_in_two_open_transactions_lets_go_once(
    state: PostgresState, opened: Open, first: int, on_failure: OnFailure
) -> None:
    blockers = [await start(state), await start(state)]
    dependent = await start(state, "b", blockers=tuple(blockers), until=Until.ANY, on_failure=on_failure)
    transactions = [await opened(), await opened()]
    made = [
        change
        for blocker, transaction in zip(blockers, transactions, strict=True)
        for change in await state.complete_externally([completed(blocker)], tx=state.join(transaction.connection))
    ]

    await transactions[first].end()
    await transactions[1 - first].end()
    made += await state.unblock_pending()

    assert verbs(made, dependent) == [Verb.UNBLOCK]
    assert await status(state, dependent) is Status.READY
    assert len(await lease(state, "b", limit=10)) == 1
    assert await state.unblock_pending() == []


@pytest.mark.parametrize("first", [0, 1])
async def test_any_of_two_of_which_one_fails_in_another_open_transaction_is_let_go(
    state: PostgresState, opened: Open, first: int
) -> None:
    good, bad = await start(state), await start(state)
    dependent = await start(state, "b", blockers=(good, bad), until=Until.ANY)
    transactions = [await opened(), await opened()]
    made = [*await state.cancel([bad], tx=state.join(transactions[0].connection))]
    made += await state.complete_externally([completed(good)], tx=state.join(transactions[1].connection))

    await transactions[first].end()
    await transactions[1 - first].end()
    made += await state.unblock_pending()

    assert verbs(made, dependent) == [Verb.UNBLOCK]
    assert await status(state, dependent) is Status.READY


async def test_any_of_many_that_close_at_once_lets_go_once(state: PostgresState) -> None:
    blockers = [await start(state) for _ in range(20)]
    dependents = [await start(state, "b", blockers=tuple(blockers), until=Until.ANY) for _ in range(5)]

    closings = await asyncio.gather(*(state.complete_externally([completed(blocker)]) for blocker in blockers))
    made = [change for closing in closings for change in closing] + [*await state.unblock_pending()]

    assert [verbs(made, dependent) for dependent in dependents] == [[Verb.UNBLOCK]] * 5
    assert len(await lease(state, "b", limit=10)) == 5


async def test_a_second_look_at_a_job_that_was_let_go_meanwhile_changes_nothing(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock
) -> None:
    first, second = await start(state), await start(state)
    dependent = await start(state, "b", blockers=(first, second), until=Until.ANY)
    transaction = await opened()
    await state.complete_externally([completed(first)], tx=state.join(transaction.connection))

    closing = asyncio.create_task(state.complete_externally([completed(second)]))
    await wait_for_lock()
    await transaction.end()

    assert verbs(await closing, dependent) == []
    assert await status(state, dependent) is Status.READY


async def test_those_who_wait_on_are_not_in_the_way_of_those_who_fail(state: PostgresState) -> None:
    blocker = await start(state)
    await state.create([job("b", blockers=(blocker,), on_failure=OnFailure.WAIT) for _ in range(1100)])
    failing = await start(state, "b", blockers=(blocker,))

    assert verbs(await state.cancel([blocker]), failing) == [Verb.FAIL_BY_BLOCKER]


# A wait beside the end of what it is for


@pytest.mark.parametrize("committed", [True, False])
async def test_a_wait_for_a_chain_that_is_being_closed_is_busy_until_that_is_done(
    state: PostgresState, opened: Open, committed: bool
) -> None:
    blocker = await start(state)
    chain, running = await leased(state, "b")
    transaction = await opened()
    await state.complete_externally([completed(blocker)], tx=state.join(transaction.connection))

    meanwhile = await settle(state, [running], Blocks((blocker,)))
    await transaction.end(committed=committed)
    settled = await settle(state, [running], Blocks((blocker,)))

    assert (meanwhile.results, meanwhile.transitions) == (BUSY, ())
    assert settled.results == DONE
    assert verbs(settled.transitions, chain) == ([Verb.BLOCK, Verb.UNBLOCK] if committed else [Verb.BLOCK])


@pytest.mark.parametrize("committed", [True, False])
async def test_a_chain_closed_while_a_wait_for_it_is_open_waits_for_that(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, committed: bool
) -> None:
    blocker = await start(state)
    chain, running = await leased(state, "b")
    transaction = await opened()
    await settle(state, [running], Blocks((blocker,)), tx=state.join(transaction.connection))

    closing = asyncio.create_task(state.complete_externally([completed(blocker)]))
    await wait_for_lock()
    await transaction.end(committed=committed)
    made = await closing

    assert verbs(made, chain) == ([Verb.UNBLOCK] if committed else [])
    assert await status(state, chain) is (Status.READY if committed else Status.RUNNING)


@pytest.mark.parametrize("committed", [True, False])
async def test_a_worker_that_completes_a_chain_while_a_wait_for_it_is_open_tries_again(
    state: PostgresState, opened: Open, committed: bool
) -> None:
    blocker, blocking = await leased(state, "a")
    chain, running = await leased(state, "b")
    transaction = await opened()
    await settle(state, [running], Blocks((blocker,)), tx=state.join(transaction.connection))

    meanwhile = await settle(state, [blocking])
    await transaction.end(committed=committed)
    settled = await settle(state, [blocking])

    assert meanwhile.results == BUSY
    assert verbs(settled.transitions, chain) == ([Verb.UNBLOCK] if committed else [])


async def test_a_continuation_for_a_chain_that_is_being_closed_sees_how_it_ended(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock
) -> None:
    blocker, chain = await start(state), await start(state)
    transaction = await opened()
    await state.cancel([blocker], tx=state.join(transaction.connection))
    following = Continues(Successor(type="b", input="1", blockers=(blocker,)))

    going_on = asyncio.create_task(state.complete_externally([Closure(chain_id=chain, step="a", outcome=following)]))
    await wait_for_lock()
    await transaction.end()

    assert verbs(await going_on, chain) == [Verb.COMPLETE_EXTERNALLY, Verb.CREATE, Verb.FAIL_BY_BLOCKER]


async def test_a_batch_with_a_wait_that_is_busy_settles_the_others(state: PostgresState, opened: Open) -> None:
    blocker, free = await start(state), await start(state)
    await state.create([job("b"), job("b")])
    claimed = await lease(state, "b", limit=2)
    transaction = await opened()
    await transaction.connection.execute("SELECT FROM otelq.open_job WHERE chain_id = $1 FOR UPDATE", blocker)

    settled = await state.settle(
        [_waiting(claimed[0], blocker), _waiting(claimed[1], free)],
    )

    assert settled.results == (SettleResult.BUSY, SettleResult.DONE)


def _waiting(running: Claimed, *blockers: str) -> Settlement:
    return Settlement(running, Blocks(blockers), "w")


# Circles


async def _ring(state: PostgresState, number: int) -> list[tuple[str, Claimed]]:
    return [await leased(state, f"ring {n}") for n in range(number)]


async def _settle_at_last(state: PostgresState, running: Claimed, blocker: str) -> SettleResult | None:
    """Settle a wait as the worker does, again and again while it is busy; None if it is refused."""
    while True:
        try:
            (verdict,) = (await settle(state, [running], Blocks((blocker,)))).results
        except Refused:
            return None
        if verdict is not SettleResult.BUSY:
            return verdict


@pytest.mark.parametrize("committed", [True, False])
async def test_the_last_two_waits_of_a_circle_of_four_are_not_both_written(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock, committed: bool
) -> None:
    (a, run_a), (b, run_b), (c, run_c), (d, run_d) = await _ring(state, 4)
    await settle(state, [run_a], Blocks((b,)))
    await settle(state, [run_c], Blocks((d,)))
    first, second = await opened(), await opened()
    await settle(state, [run_b], Blocks((c,)), tx=state.join(first.connection))

    last = asyncio.create_task(settle(state, [run_d], Blocks((a,)), tx=state.join(second.connection)))
    await wait_for_lock()
    await first.end(committed=committed)

    if committed:
        with pytest.raises(Refused, match=d):
            await last
        await second.end()
        assert await status(state, d) is Status.RUNNING
    else:
        assert (await last).results == DONE


async def test_a_worker_does_not_wait_for_another_that_may_close_a_circle(state: PostgresState, opened: Open) -> None:
    (a, run_a), (b, run_b), (c, run_c), (d, run_d) = await _ring(state, 4)
    await settle(state, [run_a], Blocks((b,)))
    await settle(state, [run_c], Blocks((d,)))
    transaction = await opened()
    await settle(state, [run_b], Blocks((c,)), tx=state.join(transaction.connection))

    meanwhile = await settle(state, [run_d], Blocks((a,)))
    await transaction.end()

    assert (meanwhile.results, meanwhile.transitions) == (BUSY, ())
    with pytest.raises(Refused, match="wait for"):
        await settle(state, [run_d], Blocks((a,)))


@pytest.mark.parametrize("number", [2, 4, 7])
async def test_of_the_waits_that_would_close_a_circle_at_once_exactly_one_is_refused(
    state: PostgresState, number: int
) -> None:
    for _ in range(5):
        ring = await _ring(state, number)
        others = [chain for chain, _ in ring[1:] + ring[:1]]

        waits = [_settle_at_last(state, running, other) for (_, running), other in zip(ring, others, strict=True)]
        verdicts = await asyncio.gather(*waits)

        assert sorted(map(str, verdicts)) == sorted([*["done"] * (number - 1), "None"])
        await state.delete([chain for chain, _ in ring])


async def test_waits_of_one_batch_that_close_a_circle_are_refused(state: PostgresState) -> None:
    (a, run_a), (b, run_b) = await _ring(state, 2)

    with pytest.raises(Refused, match="wait for"):
        await state.settle([_waiting(run_a, b), _waiting(run_b, a)])

    assert [await status(state, a), await status(state, b)] == [Status.RUNNING] * 2


async def test_a_refused_wait_leaves_the_callers_transaction_as_it_was(state: PostgresState, opened: Open) -> None:
    (a, run_a), (b, run_b) = await _ring(state, 2)
    await settle(state, [run_a], Blocks((b,)))
    transaction = await opened()
    await start(state, "other", tx=state.join(transaction.connection))

    with pytest.raises(Refused):
        await settle(state, [run_b], Blocks((a,)), tx=state.join(transaction.connection))
    await transaction.end()

    assert len(await lease(state, "other")) == 1
    assert await status(state, b) is Status.RUNNING


async def test_a_continuation_from_outside_that_closes_a_circle_is_refused(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock
) -> None:
    (a, run_a), (b, run_b), (c, run_c), (d, _) = await _ring(state, 4)
    await settle(state, [run_a], Blocks((b,)))
    await settle(state, [run_c], Blocks((d,)))
    transaction = await opened()
    await settle(state, [run_b], Blocks((c,)), tx=state.join(transaction.connection))
    following = Continues(Successor(type="next", input="1", blockers=(a,)))

    going_on = asyncio.create_task(state.complete_externally([Closure(chain_id=d, step="ring 3", outcome=following)]))
    await wait_for_lock()
    await transaction.end()

    with pytest.raises(InvalidArgument, match=d):
        await going_on
    assert await status(state, d) is Status.RUNNING


async def test_a_redrive_that_closes_a_circle_is_refused(state: PostgresState) -> None:
    outer, running = await leased(state, "outer")
    fallen = await start(state, blockers=(outer,))
    await state.cancel([fallen])
    between = await start(state, "b", blockers=(fallen,), on_failure=OnFailure.WAIT)
    await settle(state, [running], Blocks((between,)))

    with pytest.raises(InvalidArgument, match=fallen):
        await state.redrive([fallen])

    assert await status(state, fallen) is Status.CANCELLED


# Large numbers


async def test_a_closing_batch_frees_those_that_waited_for_all_of_it_in_one_commit(state: PostgresState) -> None:
    blockers = [job() for _ in range(1500)]
    await state.create(blockers)
    chains = tuple(each.chain_id for each in blockers)
    dependents = [await start(state, "b", blockers=chains) for _ in range(3)]

    made: Sequence[Verb] = verbs(await state.complete_externally([completed(chain) for chain in chains]))

    assert made.count(Verb.UNBLOCK) == len(dependents)
