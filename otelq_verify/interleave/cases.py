"""
The named cases: one schedule each for every rule that once was broken, with what must come of it.

``ANYWHERE`` stops actors before verbs and commits only, which every adapter can be made to do; ``BY_STATEMENT`` needs
the gates of the PostgreSQL adapter before each statement.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from otelq.model import Blocks, Claimed, Dedup, Fails, OnFailure, SettleResult, Status

from ..conformance.kit import FAILURE
from .actors import Actor
from .plays import FAR, ScheduleKit
from .stage import Stage
from .verdict import judge

Check = Callable[[ScheduleKit], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule; ``check`` raises a ``Finding`` where the promise is broken."""

    name: str
    promise: str
    check: Check


ANYWHERE: Final[list[Schedule]] = []
BY_STATEMENT: Final[list[Schedule]] = []


def _case(cases: list[Schedule]) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        cases.append(Schedule(check.__name__, inspect.getdoc(check) or "", check))
        return check

    return add


async def play(stage: Stage, case: Schedule, *, schema: str = "otelq") -> None:
    """
    Run one case on an emptied store; afterwards all that was promised of any schedule must hold as well.

    Raises:
        Finding: with the schedule.
    """
    await stage.clear()
    playing = ScheduleKit(stage)
    await case.check(playing)
    await stage.end()
    await judge(stage, playing.before, schema=schema)


# Claims


@_case(BY_STATEMENT)
async def a_claim_locks_no_row_that_it_does_not_claim(play: ScheduleKit) -> None:
    """While a claim of two is under way, another gets the next two."""
    for priority in (1, 1, 2, 2, 3, 3):
        await play.start(priority=priority)
    first = await play.stage.enter(play.claiming(2), inside=True)
    await play.stage.push(first)
    second = await play.stage.enter(play.claiming(4))
    await play.stage.end(second)
    play.same([claim.priority for claim in play.claimed], [1, 1, 2, 2, 3, 3], "the priorities that were claimed")


@_case(BY_STATEMENT)
async def a_start_that_commits_late_is_claimed_next(play: ScheduleKit) -> None:
    """A job that was started before others, and committed after they were claimed, is not passed over."""
    late = await play.stage.enter(play.creating(play.job()), inside=True)
    await play.stage.push(late)
    await play.start()
    await play.lease()
    await play.stage.end(late)
    claim = await play.stage.enter(play.claiming(1))
    await play.stage.end(claim)
    play.same([claim.lease.chain_id for claim in play.claimed], [play.created[0].chain_id], "the chain claimed")


# Chains that close while others begin to wait for them


@_case(BY_STATEMENT)
async def a_completion_that_waited_for_a_start_sees_who_waits_for_it(play: ScheduleKit) -> None:
    """The edges are read by a statement after the one that closes: in one they would not be seen."""
    blocker = await play.start()
    (claim,) = await play.lease()
    dependent = play.job("next", blockers=(blocker,))
    starting = await play.stage.enter(play.creating(dependent), inside=True)
    await play.stage.push(starting)
    completing = await play.stage.enter(play.settling(claim), inside=True)
    await play.stage.push(completing)
    play.waits(completing)
    await play.stage.end(starting, completing)
    await play.is_status(dependent.chain_id, Status.READY)


@_case(BY_STATEMENT)
async def a_worker_does_not_wait_for_a_start_that_names_its_job(play: ScheduleKit) -> None:
    """It is busy until the start ends, and then lets the new chain go."""
    blocker = await play.start()
    (claim,) = await play.lease()
    dependent = play.job("next", blockers=(blocker,))
    starting = await play.stage.enter(play.creating(dependent), inside=True)
    await play.stage.push(starting)
    await play.stage.end(await play.stage.enter(play.settling(claim)))
    await play.stage.end(starting)
    await play.stage.end(await play.stage.enter(play.settling(claim)))
    play.same(play.results, [SettleResult.BUSY, SettleResult.DONE], "what the worker was told")
    await play.is_status(dependent.chain_id, Status.READY)


@_case(BY_STATEMENT)
async def a_start_reads_how_a_blocker_ended_after_it_waited_for_it(play: ScheduleKit) -> None:
    """No row to hold means closed, and the statement after that one says how."""
    blocker = await play.start()
    closing = await play.stage.enter(play.finishing(blocker), inside=True)
    await play.stage.push(closing)
    dependent = play.job("next", blockers=(blocker,))
    starting = await play.stage.enter(play.creating(dependent))
    await play.stage.push(starting)
    play.waits(starting)
    await play.stage.end(closing, starting)
    await play.is_status(dependent.chain_id, Status.READY)


@_case(BY_STATEMENT)
async def a_blocker_does_not_close_between_the_two_halves_of_a_start(play: ScheduleKit) -> None:
    """From the mark on its row to the edge that names it, a start holds what it will wait for."""
    blocker = await play.start()
    dependent = play.job("next", blockers=(blocker,))
    starting = await play.stage.enter(play.creating(dependent))
    await play.stage.to(starting, "add_blockers")
    closing = await play.stage.enter(play.finishing(blocker))
    await play.stage.push(closing)
    play.waits(closing)
    await play.stage.end(starting, closing)
    await play.is_status(dependent.chain_id, Status.READY)


@_case(ANYWHERE)
async def two_blockers_of_one_batch_both_count(play: ScheduleKit) -> None:
    """A joined decrement would count once."""
    blockers = [await play.start(), await play.start()]
    dependent = await play.start("next", blockers=tuple(blockers))
    claims = await play.lease(2)
    await play.stage.end(await play.stage.enter(play.settling(*claims)))
    await play.is_status(dependent, Status.READY)


@_case(ANYWHERE)
async def two_blockers_closed_in_two_open_transactions_strand_nobody(play: ScheduleKit) -> None:
    """Neither sees the other's end, and one of them passes over the row that the other holds."""
    blockers = [await play.start(), await play.start()]
    dependent = await play.start("next", blockers=tuple(blockers))
    first, second = [await play.stage.enter(play.finishing(blocker), inside=True) for blocker in blockers]
    await play.stage.push(first)
    await play.stage.push(second)
    await play.stage.end(second, first)
    play.fine(first, second)
    play.before += await play.stage.observer.unblock_pending()
    await play.is_status(dependent, Status.READY)


@_case(BY_STATEMENT)
async def two_workers_that_close_two_blockers_at_once_strand_nobody(play: ScheduleKit) -> None:
    """Each has closed its own when it looks for those who wait."""
    blockers = [await play.start(), await play.start()]
    dependent = await play.start("next", blockers=tuple(blockers), on_failure=OnFailure.IGNORE)
    claims = await play.lease(2)
    first, second = [await play.stage.enter(play.settling(claim)) for claim in claims]
    await play.stage.to(first, "lock_dependents")
    await play.stage.to(second, "lock_dependents")
    await play.stage.step(first)
    await play.stage.end(second, first)
    play.before += await play.stage.observer.unblock_pending()
    await play.is_status(dependent, Status.READY)


# Dedup keys


@_case(ANYWHERE)
async def a_start_that_lost_the_race_for_a_key_is_given_the_winner(play: ScheduleKit) -> None:
    """The holder is read by a statement after the one that did not get the key."""
    first = await play.stage.enter(play.creating(play.job(dedup=Dedup("k"))), inside=True)
    await play.stage.push(first)
    second = await play.stage.enter(play.creating(play.job(dedup=Dedup("k"))))
    await play.stage.push(second)
    play.waits(second)
    await play.stage.end(first, second)
    play.fine(second)
    play.same(len({created.chain_id for created in play.created}), 1, "chains that hold the key")


@_case(ANYWHERE)
async def a_start_gets_the_key_of_one_that_was_rolled_back(play: ScheduleKit) -> None:
    """What was never committed holds nothing."""
    first = await play.stage.enter(play.creating(play.job(dedup=Dedup("k"))), inside=True, commits=False)
    await play.stage.push(first)
    second = await play.stage.enter(play.creating(play.job(dedup=Dedup("k"))))
    await play.stage.push(second)
    await play.stage.end(first, second)
    play.same(play.created[1].deduplicated, False, "whether the second was given another chain")


@_case(BY_STATEMENT)
async def a_start_looks_again_at_a_key_that_was_let_go_before_it_could_read_who_has_it(play: ScheduleKit) -> None:
    """Between the two statements the holder closed: the key is free."""
    holder = await play.start(dedup=Dedup("k"))
    starting = await play.stage.enter(play.creating(play.job(dedup=Dedup("k"))))
    await play.stage.to(starting, "read_keys")
    await play.stage.end(await play.stage.enter(play.finishing(holder)))
    await play.stage.end(starting)
    play.fine(starting)
    play.same(play.created[0].deduplicated, False, "whether it was given the chain that had closed")


@_case(BY_STATEMENT)
async def a_worker_does_not_wait_for_a_start_that_takes_the_key_of_its_job(play: ScheduleKit) -> None:
    """It is busy until that transaction ends."""
    holder = await play.start(dedup=Dedup("k"))
    other = await play.start()
    claims = await play.lease(2)
    taking = await play.stage.enter(play.creating(play.job(dedup=Dedup("k", exclude=(holder,)))), inside=True)
    await play.stage.push(taking)
    await play.stage.end(await play.stage.enter(play.settling(*claims)))
    await play.is_status(other, Status.COMPLETED)
    await play.stage.end(taking)
    await play.stage.end(await play.stage.enter(play.settling(claims[0])))
    play.same(play.results, [SettleResult.BUSY, SettleResult.DONE, SettleResult.DONE], "what the worker was told")


@_case(BY_STATEMENT)
async def a_worker_does_not_wait_for_a_start_that_takes_the_key_of_one_who_fails_by_its_job(play: ScheduleKit) -> None:
    """Who waits for the job fails once that transaction has ended."""
    blocker = await play.start()
    (claim,) = await play.lease()
    dependent = await play.start("next", blockers=(blocker,), dedup=Dedup("k"))
    taking = await play.stage.enter(
        play.creating(play.job("next", dedup=Dedup("k", exclude=(dependent,)))), inside=True
    )
    await play.stage.push(taking)
    await play.stage.end(await play.stage.enter(play.settling(claim, outcome=Fails(FAILURE))))
    await play.is_status(blocker, Status.FAILED)
    await play.stage.end(taking)
    play.before += await play.stage.observer.unblock_pending()
    await play.is_status(dependent, Status.FAILED)


@_case(BY_STATEMENT)
async def a_worker_does_not_wait_for_a_start_that_takes_the_key_of_its_job_that_waits_in_vain(
    play: ScheduleKit,
) -> None:
    """A job that is to wait for a chain that ended badly fails, and is busy until that transaction ends."""
    lost = await play.start("next")
    await play.stage.end(await play.stage.enter(play.cancelling(lost)))
    holder = await play.start(dedup=Dedup("k"))
    (claim,) = await play.lease()
    taking = await play.stage.enter(play.creating(play.job(dedup=Dedup("k", exclude=(holder,)))), inside=True)
    await play.stage.push(taking)
    await play.stage.end(await play.stage.enter(play.settling(claim, outcome=Blocks((lost,)))))
    await play.stage.end(taking)
    await play.stage.end(await play.stage.enter(play.settling(claim, outcome=Blocks((lost,)))))
    play.same(play.results, [SettleResult.BUSY, SettleResult.DONE], "what the worker was told")
    await play.is_status(holder, Status.FAILED)


# Locks


@_case(BY_STATEMENT)
async def an_idle_transaction_stops_no_other_renewal(play: ScheduleKit) -> None:
    """Its row is busy, and the others are renewed meanwhile."""
    claims, idle = await _one_of_three_held(play)
    await play.stage.end(await play.stage.enter(play.renewing(*claims)))
    play.same(play.results, [SettleResult.DONE, SettleResult.BUSY, SettleResult.DONE], "what the keeper was told")
    await play.stage.end(idle)


@_case(BY_STATEMENT)
async def an_idle_transaction_stops_no_other_completion(play: ScheduleKit) -> None:
    """Its row is busy, and the others are closed meanwhile."""
    claims, idle = await _one_of_three_held(play)
    await play.stage.end(await play.stage.enter(play.settling(*claims)))
    play.same(play.results, [SettleResult.DONE, SettleResult.BUSY, SettleResult.DONE], "what the completer was told")
    await play.stage.end(idle)


@_case(BY_STATEMENT)
async def an_idle_transaction_stops_no_other_reaping(play: ScheduleKit) -> None:
    """Its row is passed over, and the others are taken back meanwhile."""
    _, idle = await _one_of_three_held(play, lease=0.0)
    reaping = await play.stage.enter(play.reaping())
    await play.stage.end(reaping)
    play.same(len(reaping.made), 2, "jobs taken back")
    await play.stage.end(idle)


async def _one_of_three_held(play: ScheduleKit, *, lease: float = FAR) -> tuple[list[Claimed], Actor]:
    for _ in range(3):
        await play.start()
    claims = await play.lease(3, lease=lease)
    idle = await play.stage.enter(play.locking(claims[1].lease.chain_id), inside=True)
    await play.stage.push(idle)
    return claims, idle


@_case(BY_STATEMENT)
async def batches_lock_in_one_order_however_they_are_given(play: ScheduleKit) -> None:
    """Else these two would wait for each other as soon as the third lets go."""
    first, second, third = [await play.start() for _ in range(3)]
    holding = await play.stage.enter(play.locking(second), inside=True)
    await play.stage.push(holding)
    one = await play.stage.enter(play.cancelling(third, second, first))
    await play.stage.push(one)
    other = await play.stage.enter(play.cancelling(first, third))
    await play.stage.push(other)
    await play.stage.end(holding, one, other)
    play.fine(one)


# Replies that were lost


@_case(ANYWHERE)
async def a_completion_sent_twice_is_done_once_and_told_twice(play: ScheduleKit) -> None:
    """Whoever lost the reply learns the same transitions."""
    blocker = await play.start()
    await play.start("next", blockers=(blocker,))
    (claim,) = await play.lease()
    first = await play.stage.enter(play.settling(claim))
    second = await play.stage.enter(play.settling(claim))
    await play.stage.end(first, second)
    play.same(play.results, [SettleResult.DONE, SettleResult.DONE], "what the worker was told")
    play.same(second.made, first.made, "the transitions told again")


@_case(ANYWHERE)
async def a_start_sent_again_while_it_is_under_way_is_the_same_start(play: ScheduleKit) -> None:
    """It is this call's own work, not a chain that exists."""
    job = play.job()
    first = await play.stage.enter(play.creating(job), inside=True)
    await play.stage.push(first)
    second = await play.stage.enter(play.creating(job, again=True))
    await play.stage.push(second)
    await play.stage.end(first, second)
    play.same([created.is_new for created in play.created], [True, True], "whether both started it")
    play.same(second.made, first.made, "the transitions told again")
