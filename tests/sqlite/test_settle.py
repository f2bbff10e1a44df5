"""Batches whose items meet."""

from __future__ import annotations

from otelq.model import (
    ClaimSuccessor,
    Completes,
    Continues,
    Fails,
    Failure,
    Releases,
    Settlement,
    SettleResult,
    Successor,
)
from otelq.sqlite.state import SqliteState

from .shortcuts import lease, settle, start


def onward(token: int) -> Continues:
    return Continues(Successor(type="next", input="1"), ClaimSuccessor(token=token, lease=30))


async def test_a_lease_that_stands_twice_in_a_batch_is_settled_by_the_first(state: SqliteState) -> None:
    chain = await start(state)
    (job,) = await lease(state)

    settled = await state.settle([Settlement(job, Completes("1"), "w"), Settlement(job, Completes("2"), "w")])

    assert settled.results == (SettleResult.DONE, SettleResult.DONE)
    assert len(settled.transitions) == 1
    assert (await state.outcomes([chain]))[chain].output == "1"


async def test_every_successor_of_a_batch_that_nobody_stands_before_is_kept(state: SqliteState) -> None:
    for _ in range(3):
        await start(state)
    jobs = await lease(state, limit=3)

    settled = await state.settle([Settlement(job, onward(nr), "w") for nr, job in enumerate(jobs, 1)])

    assert len(settled.claimed_successors) == 3


async def test_a_successor_is_not_kept_before_one_of_its_batch_that_is_ready_earlier(state: SqliteState) -> None:
    for _ in range(2):
        await start(state)
    first, second = await lease(state, limit=2)
    not_kept = Continues(Successor(type="next", input="1"))

    settled = await state.settle([Settlement(first, not_kept, "w"), Settlement(second, onward(9), "w")])

    assert settled.claimed_successors == {}


async def test_a_successor_is_not_kept_before_a_job_released_in_the_same_batch(state: SqliteState) -> None:
    await start(state, "next")
    (released,) = await lease(state, "next")
    await start(state)
    (job,) = await lease(state)

    settled = await state.settle([Settlement(released, Releases(), "w"), Settlement(job, onward(9), "w")])

    assert settled.claimed_successors == {}
    assert len((await settle(state, *await lease(state, "next", limit=5))).results) == 2


async def test_a_completion_told_again_leaves_out_a_dependent_that_had_failed_by_another_blocker(
    state: SqliteState,
) -> None:
    blockers = await start(state), await start(state)
    await start(state, "next", blockers=blockers)
    first, second = await lease(state, limit=2)
    await settle(state, first, outcome=Fails(Failure("E", "no")))

    settled = await settle(state, second)

    assert len(settled.transitions) == 1
    assert await settle(state, second) == settled
