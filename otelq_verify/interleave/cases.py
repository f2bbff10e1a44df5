"""
The named cases: one schedule for every rule that was broken once, with the result that it must have.

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
from .end_checks import check_end
from .schedule_kit import FAR, ScheduleKit
from .stage import Stage

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


async def run_schedule(stage: Stage, case: Schedule, *, schema: str = "otelq") -> None:
    """
    Run one case on an emptied store, and then the checks that every schedule must pass.

    Raises:
        Finding: with the schedule.
    """
    await stage.clear()
    kit = ScheduleKit(stage)
    await case.check(kit)
    await stage.end()
    await check_end(stage, kit.before, schema=schema)


# Claims


@_case(BY_STATEMENT)
async def a_claim_locks_no_row_that_it_does_not_claim(kit: ScheduleKit) -> None:
    """While a claim of two is under way, another gets the next two."""
    for priority in (1, 1, 2, 2, 3, 3):
        await kit.start(priority=priority)
    first = await kit.stage.enter(kit.claiming(2), inside=True)
    await kit.stage.push(first)
    second = await kit.stage.enter(kit.claiming(4))
    await kit.stage.end(second)
    kit.same([claim.priority for claim in kit.claimed], [1, 1, 2, 2, 3, 3], "the priorities that were claimed")


@_case(BY_STATEMENT)
async def a_start_that_commits_late_is_claimed_next(kit: ScheduleKit) -> None:
    """A job that was started before others, and committed after they were claimed, is not passed over."""
    late = await kit.stage.enter(kit.creating(kit.job()), inside=True)
    await kit.stage.push(late)
    await kit.start()
    await kit.lease()
    await kit.stage.end(late)
    claim = await kit.stage.enter(kit.claiming(1))
    await kit.stage.end(claim)
    kit.same([claim.lease.chain_id for claim in kit.claimed], [kit.created[0].chain_id], "the chain claimed")


# Chains that close while others begin to wait for them


@_case(BY_STATEMENT)
async def a_completion_that_waited_for_a_start_sees_its_new_dependent(kit: ScheduleKit) -> None:
    """The blockers are read by a statement after the one that closes: in one, the snapshot would be too old."""
    blocker = await kit.start()
    (claim,) = await kit.lease()
    dependent = kit.job("next", blockers=(blocker,))
    starting = await kit.stage.enter(kit.creating(dependent), inside=True)
    await kit.stage.push(starting)
    completing = await kit.stage.enter(kit.settling(claim), inside=True)
    await kit.stage.push(completing)
    kit.waits(completing)
    await kit.stage.end(starting, completing)
    await kit.is_status(dependent.chain_id, Status.READY)


@_case(BY_STATEMENT)
async def a_worker_does_not_wait_for_a_start_that_names_its_job(kit: ScheduleKit) -> None:
    """The job is busy until the start ends; then the worker closes it, and the new chain is unblocked."""
    blocker = await kit.start()
    (claim,) = await kit.lease()
    dependent = kit.job("next", blockers=(blocker,))
    starting = await kit.stage.enter(kit.creating(dependent), inside=True)
    await kit.stage.push(starting)
    await kit.stage.end(await kit.stage.enter(kit.settling(claim)))
    await kit.stage.end(starting)
    await kit.stage.end(await kit.stage.enter(kit.settling(claim)))
    kit.same(kit.results, [SettleResult.BUSY, SettleResult.DONE], "the results that the worker got")
    await kit.is_status(dependent.chain_id, Status.READY)


@_case(BY_STATEMENT)
async def a_start_reads_how_a_blocker_ended_after_it_waited_for_it(kit: ScheduleKit) -> None:
    """No row to hold means closed, and the statement after that one says how."""
    blocker = await kit.start()
    closing = await kit.stage.enter(kit.finishing(blocker), inside=True)
    await kit.stage.push(closing)
    dependent = kit.job("next", blockers=(blocker,))
    starting = await kit.stage.enter(kit.creating(dependent))
    await kit.stage.push(starting)
    kit.waits(starting)
    await kit.stage.end(closing, starting)
    await kit.is_status(dependent.chain_id, Status.READY)


@_case(BY_STATEMENT)
async def a_blocker_does_not_close_between_the_two_halves_of_a_start(kit: ScheduleKit) -> None:
    """From the mark on its row to the edge that names it, a start holds what it will wait for."""
    blocker = await kit.start()
    dependent = kit.job("next", blockers=(blocker,))
    starting = await kit.stage.enter(kit.creating(dependent))
    await kit.stage.to(starting, "add_blockers")
    closing = await kit.stage.enter(kit.finishing(blocker))
    await kit.stage.push(closing)
    kit.waits(closing)
    await kit.stage.end(starting, closing)
    await kit.is_status(dependent.chain_id, Status.READY)


@_case(ANYWHERE)
async def two_blockers_of_one_batch_both_count(kit: ScheduleKit) -> None:
    """A joined decrement would count once."""
    blockers = [await kit.start(), await kit.start()]
    dependent = await kit.start("next", blockers=tuple(blockers))
    claims = await kit.lease(2)
    await kit.stage.end(await kit.stage.enter(kit.settling(*claims)))
    await kit.is_status(dependent, Status.READY)


@_case(ANYWHERE)
async def two_blockers_closed_in_two_open_transactions_strand_nobody(kit: ScheduleKit) -> None:
    """Neither sees the other's end, and one of them skips the row of the dependent."""
    blockers = [await kit.start(), await kit.start()]
    dependent = await kit.start("next", blockers=tuple(blockers))
    first, second = [await kit.stage.enter(kit.finishing(blocker), inside=True) for blocker in blockers]
    await kit.stage.push(first)
    await kit.stage.push(second)
    await kit.stage.end(second, first)
    kit.fine(first, second)
    kit.before += await kit.stage.observer.unblock_pending()
    await kit.is_status(dependent, Status.READY)


@_case(BY_STATEMENT)
async def two_workers_that_close_two_blockers_at_once_strand_nobody(kit: ScheduleKit) -> None:
    """Each has closed its own blocker when it looks for dependents."""
    blockers = [await kit.start(), await kit.start()]
    dependent = await kit.start("next", blockers=tuple(blockers), on_failure=OnFailure.IGNORE)
    claims = await kit.lease(2)
    first, second = [await kit.stage.enter(kit.settling(claim)) for claim in claims]
    await kit.stage.to(first, "lock_dependents")
    await kit.stage.to(second, "lock_dependents")
    await kit.stage.step(first)
    await kit.stage.end(second, first)
    kit.before += await kit.stage.observer.unblock_pending()
    await kit.is_status(dependent, Status.READY)


# Dedup keys


@_case(ANYWHERE)
async def a_start_that_lost_the_race_for_a_key_is_given_the_winner(kit: ScheduleKit) -> None:
    """The holder is read by a statement after the one that did not get the key."""
    first = await kit.stage.enter(kit.creating(kit.job(dedup=Dedup("k"))), inside=True)
    await kit.stage.push(first)
    second = await kit.stage.enter(kit.creating(kit.job(dedup=Dedup("k"))))
    await kit.stage.push(second)
    kit.waits(second)
    await kit.stage.end(first, second)
    kit.fine(second)
    kit.same(len({created.chain_id for created in kit.created}), 1, "chains that hold the key")


@_case(ANYWHERE)
async def a_start_gets_the_key_of_one_that_was_rolled_back(kit: ScheduleKit) -> None:
    """A start that was never committed holds no key."""
    first = await kit.stage.enter(kit.creating(kit.job(dedup=Dedup("k"))), inside=True, commits=False)
    await kit.stage.push(first)
    second = await kit.stage.enter(kit.creating(kit.job(dedup=Dedup("k"))))
    await kit.stage.push(second)
    await kit.stage.end(first, second)
    kit.same(kit.created[1].deduplicated, False, "whether the second was given another chain")


@_case(BY_STATEMENT)
async def a_start_tries_a_key_again_that_was_freed_before_it_read_the_holder(kit: ScheduleKit) -> None:
    """The holder closed between the two statements: the key is free."""
    holder = await kit.start(dedup=Dedup("k"))
    starting = await kit.stage.enter(kit.creating(kit.job(dedup=Dedup("k"))))
    await kit.stage.to(starting, "read_keys")
    await kit.stage.end(await kit.stage.enter(kit.finishing(holder)))
    await kit.stage.end(starting)
    kit.fine(starting)
    kit.same(kit.created[0].deduplicated, False, "whether it was given the chain that had closed")


@_case(BY_STATEMENT)
async def a_worker_does_not_wait_for_a_start_that_takes_the_key_of_its_job(kit: ScheduleKit) -> None:
    """The job is busy until that transaction ends."""
    holder = await kit.start(dedup=Dedup("k"))
    other = await kit.start()
    claims = await kit.lease(2)
    taking = await kit.stage.enter(kit.creating(kit.job(dedup=Dedup("k", exclude=(holder,)))), inside=True)
    await kit.stage.push(taking)
    await kit.stage.end(await kit.stage.enter(kit.settling(*claims)))
    await kit.is_status(other, Status.COMPLETED)
    await kit.stage.end(taking)
    await kit.stage.end(await kit.stage.enter(kit.settling(claims[0])))
    kit.same(kit.results, [SettleResult.BUSY, SettleResult.DONE, SettleResult.DONE], "the results that the worker got")


@_case(ANYWHERE)
async def a_start_that_meets_another_by_an_alias_leaves_its_own_name_free(kit: ScheduleKit) -> None:
    """It had taken the key under its own name before it saw that another has it under the alias."""
    first = await kit.stage.enter(kit.creating(kit.job("work", dedup=Dedup("k"))), inside=True)
    await kit.stage.push(first)
    second = await kit.stage.enter(kit.creating(kit.job("next", dedup=Dedup("k"), aliases=("work",))))
    await kit.stage.push(second)
    kit.waits(second)
    await kit.stage.end(first, second)
    kit.fine(second)
    await kit.stage.end(await kit.stage.enter(kit.creating(kit.job("next", dedup=Dedup("k")))))
    kit.same([created.deduplicated for created in kit.created], [False, True, False], "the starts given another chain")


@_case(BY_STATEMENT)
async def a_worker_does_not_wait_for_a_start_that_takes_the_key_of_its_job_under_an_alias(kit: ScheduleKit) -> None:
    """The job is busy until that transaction ends."""
    holder = await kit.start(dedup=Dedup("k"), aliases=("next",))
    (claim,) = await kit.lease()
    taking = await kit.stage.enter(kit.creating(kit.job("next", dedup=Dedup("k", exclude=(holder,)))), inside=True)
    await kit.stage.push(taking)
    await kit.stage.end(await kit.stage.enter(kit.settling(claim)))
    await kit.stage.end(taking)
    await kit.stage.end(await kit.stage.enter(kit.settling(claim)))
    kit.same(kit.results, [SettleResult.BUSY, SettleResult.DONE], "the results that the worker got")


@_case(BY_STATEMENT)
async def a_worker_does_not_wait_for_a_start_that_takes_the_key_of_a_dependent_that_fails_by_its_job(
    kit: ScheduleKit,
) -> None:
    """The dependent of the job fails once that transaction has ended."""
    blocker = await kit.start()
    (claim,) = await kit.lease()
    dependent = await kit.start("next", blockers=(blocker,), dedup=Dedup("k"))
    taking = await kit.stage.enter(kit.creating(kit.job("next", dedup=Dedup("k", exclude=(dependent,)))), inside=True)
    await kit.stage.push(taking)
    await kit.stage.end(await kit.stage.enter(kit.settling(claim, outcome=Fails(FAILURE))))
    await kit.is_status(blocker, Status.FAILED)
    await kit.stage.end(taking)
    kit.before += await kit.stage.observer.unblock_pending()
    await kit.is_status(dependent, Status.FAILED)


@_case(BY_STATEMENT)
async def a_worker_does_not_wait_for_a_start_that_takes_the_key_of_its_job_that_waits_in_vain(
    kit: ScheduleKit,
) -> None:
    """A job that is to wait for a chain that ended badly fails, and is busy until that transaction ends."""
    lost = await kit.start("next")
    await kit.stage.end(await kit.stage.enter(kit.cancelling(lost)))
    holder = await kit.start(dedup=Dedup("k"))
    (claim,) = await kit.lease()
    taking = await kit.stage.enter(kit.creating(kit.job(dedup=Dedup("k", exclude=(holder,)))), inside=True)
    await kit.stage.push(taking)
    await kit.stage.end(await kit.stage.enter(kit.settling(claim, outcome=Blocks((lost,)))))
    await kit.stage.end(taking)
    await kit.stage.end(await kit.stage.enter(kit.settling(claim, outcome=Blocks((lost,)))))
    kit.same(kit.results, [SettleResult.BUSY, SettleResult.DONE], "the results that the worker got")
    await kit.is_status(holder, Status.FAILED)


# Locks


@_case(BY_STATEMENT)
async def an_idle_transaction_stops_no_other_renewal(kit: ScheduleKit) -> None:
    """Its row is busy, and the others are renewed meanwhile."""
    claims, idle = await _one_of_three_held(kit)
    await kit.stage.end(await kit.stage.enter(kit.renewing(*claims)))
    kit.same(kit.results, [SettleResult.DONE, SettleResult.BUSY, SettleResult.DONE], "the results that the keeper got")
    await kit.stage.end(idle)


@_case(BY_STATEMENT)
async def an_idle_transaction_stops_no_other_completion(kit: ScheduleKit) -> None:
    """Its row is busy, and the others are closed meanwhile."""
    claims, idle = await _one_of_three_held(kit)
    await kit.stage.end(await kit.stage.enter(kit.settling(*claims)))
    kit.same(
        kit.results, [SettleResult.DONE, SettleResult.BUSY, SettleResult.DONE], "the results that the completer got"
    )
    await kit.stage.end(idle)


@_case(BY_STATEMENT)
async def an_idle_transaction_stops_no_other_reaping(kit: ScheduleKit) -> None:
    """Its row is skipped, and the others are taken back meanwhile."""
    _, idle = await _one_of_three_held(kit, lease=0.0)
    reaping = await kit.stage.enter(kit.reaping())
    await kit.stage.end(reaping)
    kit.same(len(reaping.made), 2, "jobs taken back")
    await kit.stage.end(idle)


async def _one_of_three_held(kit: ScheduleKit, *, lease: float = FAR) -> tuple[list[Claimed], Actor]:
    for _ in range(3):
        await kit.start()
    claims = await kit.lease(3, lease=lease)
    idle = await kit.stage.enter(kit.locking(claims[1].lease.chain_id), inside=True)
    await kit.stage.push(idle)
    return claims, idle


@_case(BY_STATEMENT)
async def batches_lock_in_one_order_however_they_are_given(kit: ScheduleKit) -> None:
    """Otherwise these two would wait for each other as soon as the third releases its locks."""
    first, second, third = [await kit.start() for _ in range(3)]
    holding = await kit.stage.enter(kit.locking(second), inside=True)
    await kit.stage.push(holding)
    one = await kit.stage.enter(kit.cancelling(third, second, first))
    await kit.stage.push(one)
    other = await kit.stage.enter(kit.cancelling(first, third))
    await kit.stage.push(other)
    await kit.stage.end(holding, one, other)
    kit.fine(one)


# Replies that were lost


@_case(ANYWHERE)
async def a_completion_sent_twice_is_done_once_and_reported_twice(kit: ScheduleKit) -> None:
    """A worker that lost the reply gets the same transitions again."""
    blocker = await kit.start()
    await kit.start("next", blockers=(blocker,))
    (claim,) = await kit.lease()
    first = await kit.stage.enter(kit.settling(claim))
    second = await kit.stage.enter(kit.settling(claim))
    await kit.stage.end(first, second)
    kit.same(kit.results, [SettleResult.DONE, SettleResult.DONE], "the results that the worker got")
    kit.same(second.made, first.made, "the transitions reported again")


@_case(ANYWHERE)
async def a_start_sent_again_while_it_is_under_way_is_the_same_start(kit: ScheduleKit) -> None:
    """It is this call's own work, not a chain that exists."""
    job = kit.job()
    first = await kit.stage.enter(kit.creating(job), inside=True)
    await kit.stage.push(first)
    second = await kit.stage.enter(kit.creating(job, again=True))
    await kit.stage.push(second)
    await kit.stage.end(first, second)
    kit.same([created.is_new for created in kit.created], [True, True], "whether both started it")
    kit.same(second.made, first.made, "the transitions reported again")
