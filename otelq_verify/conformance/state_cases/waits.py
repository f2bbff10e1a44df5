"""Blockers that a job is given later: with a continuation, or while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from otelq.model import (
    Blocks,
    ClaimSuccessor,
    Completes,
    Continues,
    Fails,
    OnFailure,
    Outcome,
    Settlement,
    SettleResult,
    Status,
    Successor,
    Transition,
    Until,
    Verb,
)

from ..cases import Theme
from ..kit import FAILURE, Kit, chains, equal, moves, true

waits = Theme[Kit]("waits")
MANY = 1100
"""More dependents than one statement unblocks."""


def _next(*blockers: str, **fields: float) -> Continues:
    return Continues(Successor(type="next", input="1", blockers=blockers, **fields))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def _starts(kit: Kit, number: int) -> tuple[str, ...]:
    jobs = [kit.job("blocker", str(n)) for n in range(number)]
    await kit.create(*jobs)
    return tuple(job.chain_id for job in jobs)


async def _complete(kit: Kit, chain: str) -> Sequence[Transition]:
    return await kit.complete_externally(chain, Completes(f'"{chain}"'), step="blocker")


# Continuations


@waits.case
async def a_continuation_is_created_blocked(kit: Kit) -> None:
    """A successor with blockers is blocked from its creation, and unblocked by the last of them."""
    first, second = await _starts(kit, 2)
    await kit.start()
    made = await kit.close(outcome=_next(first, second))
    expected = [(Verb.CONTINUE, Status.RUNNING, Status.CONTINUED), (Verb.CREATE, None, Status.BLOCKED)]
    equal(moves(made), expected, "the transitions")
    true(not await kit.claim("next"), "a blocked successor was claimed")
    await _complete(kit, first)
    equal(moves(await _complete(kit, second))[1:], [(Verb.UNBLOCK, Status.BLOCKED, Status.READY)], "what was unblocked")
    equal((await kit.lease("next")).blockers, 2, "the number of blockers that the claimed job names")


@waits.case
async def a_continuation_from_outside_is_created_blocked(kit: Kit) -> None:
    """A successor with blockers of a job that is finished from outside is blocked too."""
    (blocker,) = await _starts(kit, 1)
    chain = await kit.start()
    made = await kit.complete_externally(chain, _next(blocker))
    equal(moves(made)[1:], [(Verb.CREATE, None, Status.BLOCKED)], "the creation")
    equal(chains(await _complete(kit, blocker), Verb.UNBLOCK), [chain], "the chains unblocked")


@waits.case
async def blockers_belong_to_the_job_they_were_given(kit: Kit) -> None:
    """Each job of a chain has its own blockers, returned in the order given."""
    first, second, third = given = await _starts(kit, 3)
    for blocker in given:
        await _complete(kit, blocker)
    chain = await kit.start(blockers=(second,))
    await kit.close(outcome=_next(third, first))
    equal(await kit.blockers(chain, 0), [second], "the blockers of the first job")
    equal(await kit.blockers(chain, 1), [third, first], "the blockers of the second")
    answer = await kit.adapter.blocker_outputs([(chain, 1), (chain, 0), (chain, 2)])
    equal(set(answer), {(chain, 0), (chain, 1)}, "the jobs in the answer about three")
    equal([one.output for one in answer[chain, 1]], [f'"{third}"', f'"{first}"'], "the outputs")


@waits.case
async def a_continuation_with_blockers_is_not_granted(kit: Kit) -> None:
    """A successor with blockers is never granted to the worker, even if they all completed before."""
    open_, closed = await _starts(kit, 2)
    await _complete(kit, closed)
    for blocker in (open_, closed):
        await kit.start()
        keep = ClaimSuccessor(token=kit.token(), lease=30)
        settled = await kit.settle(await kit.lease(), Continues(_next(blocker).successor, keep))
        equal(dict(settled.claimed_successors), {}, "the successors kept")
    equal(len(await kit.claim("next", 9)), 1, "successors ready")


@waits.case
async def a_continuation_keeps_its_plan(kit: Kit) -> None:
    """A successor unblocked before its planned time is scheduled for that time."""
    (blocker,) = await _starts(kit, 1)
    await kit.start()
    await kit.close(outcome=_next(blocker, delay=600.0))
    due = kit.after(600)
    made = await _complete(kit, blocker)
    equal(moves(made)[1:], [(Verb.UNBLOCK, Status.BLOCKED, Status.SCHEDULED)], "what was unblocked")
    equal(made[1].due_at, due, "when it becomes due")


@waits.case
async def a_continuation_that_is_lost_fails_its_chain(kit: Kit) -> None:
    """A successor whose blocker failed before fails in the commit that created it, and with it its dependents."""
    (blocker,) = await _starts(kit, 1)
    await kit.cancel(blocker)
    chain = await kit.start()
    dependent = await kit.start("other", blockers=(chain,))
    made = await kit.close(outcome=_next(blocker))
    equal(chains(made, Verb.FAIL_BY_BLOCKER), [chain, dependent], "the chains failed")
    equal(await kit.status(chain), Status.FAILED, "the status of the chain")
    true((await kit.outcome(chain)).failure is not None, "a chain that failed by its blocker does not say why")


@waits.case
async def a_blocked_chain_holds_its_dependents(kit: Kit) -> None:
    """A chain that waits for a chain whose continuation waits holds on until that is done."""
    (blocker,) = await _starts(kit, 1)
    chain = await kit.start()
    dependent = await kit.start("other", blockers=(chain,))
    await kit.close(outcome=_next(blocker))
    equal(chains(await _complete(kit, blocker), Verb.UNBLOCK), [chain], "the chains unblocked by the blocker")
    equal(chains(await kit.close("next"), Verb.UNBLOCK), [dependent], "the chains unblocked by the chain")


# Jobs that run


@waits.case
async def a_running_job_can_wait(kit: Kit) -> None:
    """A job that blocks gives its attempt back, and runs again when its blocker completed."""
    (blocker,) = await _starts(kit, 1)
    chain = await kit.start()
    kit.wait(5)
    (made,) = await kit.done(await kit.lease(), Blocks((blocker,)), worker="one")
    equal(moves([made]), [(Verb.BLOCK, Status.RUNNING, Status.BLOCKED)], "the transitions")
    equal((made.chain_id, made.worker, made.due_at), (chain, "one", None), "chain, worker and due time")
    record = await kit.tail(chain)
    equal((record.status, record.blocked_by, record.attempt), (Status.BLOCKED, 1, 0), "status, awaited and attempt")
    equal((record.leased_by, record.leased_until), (None, None), "its lease")
    kit.wait(5)
    await _complete(kit, blocker)
    job = await kit.lease()
    equal((job.attempt, job.crashes, job.blockers, job.due_at), (1, 0, 1, kit.now), "the job claimed again")


@waits.case
async def a_wait_is_recorded_as_an_attempt(kit: Kit) -> None:
    """The attempt that ended in waiting is on record, and its trace is the next attempt's last."""
    (blocker,) = await _starts(kit, 1)
    chain = await kit.start()
    await kit.done(await kit.lease(), Blocks((blocker,)), trace="00-attempt")
    await _complete(kit, blocker)
    (record,) = await kit.adapter.attempts(chain, 0)
    equal((record.verb, record.number, record.worker), (Verb.BLOCK, 1, "worker"), "verb, number and worker")
    equal((record.trace, record.failure), ("00-attempt", None), "trace and failure")
    equal((await kit.lease()).last_trace, "00-attempt", "the trace of the attempt before")


@waits.case
async def a_wait_that_is_over_ends_at_once(kit: Kit) -> None:
    """Where the blockers completed before, the job blocks and is unblocked in one commit."""
    (blocker,) = await _starts(kit, 1)
    await _complete(kit, blocker)
    await kit.start()
    made = await kit.close(outcome=Blocks((blocker,)))
    expected = [(Verb.BLOCK, Status.RUNNING, Status.BLOCKED), (Verb.UNBLOCK, Status.BLOCKED, Status.READY)]
    equal(moves(made), expected, "the transitions")
    equal((await kit.lease()).attempt, 1, "the attempt claimed again")


@waits.case
async def a_wait_that_is_lost_fails_at_once(kit: Kit) -> None:
    """Where a blocker failed before, the job blocks and fails in one commit, and with it its dependents."""
    (blocker,) = await _starts(kit, 1)
    await kit.cancel(blocker)
    chain = await kit.start()
    dependent = await kit.start("other", blockers=(chain,))
    made = await kit.close(outcome=Blocks((blocker,)))
    expected = [(Verb.BLOCK, Status.RUNNING, Status.BLOCKED), (Verb.FAIL_BY_BLOCKER, Status.BLOCKED, Status.FAILED)]
    equal(moves(made)[:2], expected, "the transitions")
    equal(chains(made, Verb.FAIL_BY_BLOCKER), [chain, dependent], "the chains failed")


@waits.case
async def a_wait_can_follow_a_wait(kit: Kit) -> None:
    """A job can wait again and again; its blockers are returned in the order in which they were given."""
    first, second, third = await _starts(kit, 3)
    chain = await kit.start(blockers=(first,))
    await _complete(kit, first)
    for blocker in (third, second):
        await kit.close(outcome=Blocks((blocker,)))
        equal(await kit.status(chain), Status.BLOCKED, "the status")
        equal(chains(await _complete(kit, blocker), Verb.UNBLOCK), [chain], "the chains unblocked")
    equal((await kit.lease()).blockers, 3, "the number of blockers that the claimed job names")
    equal(await kit.blockers(chain), [first, third, second], "the blockers")


@waits.case
async def a_completed_blocker_can_be_named_again(kit: Kit) -> None:
    """A blocker that completed and is named again, alone or with others, blocks no job and is returned once."""
    first, second = await _starts(kit, 2)
    chain = await kit.start(blockers=(first,))
    await _complete(kit, first)
    made = await kit.close(outcome=Blocks((first,)))
    equal(chains(made, Verb.UNBLOCK), [chain], "the chains unblocked at once")
    await kit.close(outcome=Blocks((second, first)))
    equal((await kit.tail(chain)).blocked_by, 1, "the blockers still awaited")
    equal(chains(await _complete(kit, second), Verb.UNBLOCK), [chain], "the chains unblocked")
    equal(await kit.blockers(chain), [first, second], "the blockers")


@waits.case
async def an_open_blocker_can_be_named_again(kit: Kit) -> None:
    """A blocker that the job no longer waited for is awaited again when it is named again."""
    first, second = await _starts(kit, 2)
    chain = await kit.start(blockers=(first, second), until=Until.ANY)
    await _complete(kit, first)
    await kit.close(outcome=Blocks((second,)))
    equal(await kit.status(chain), Status.BLOCKED, "the status")
    equal(chains(await _complete(kit, second), Verb.UNBLOCK), [chain], "the chains unblocked")
    equal(await kit.blockers(chain), [first, second], "the blockers")


@waits.case
async def earlier_blockers_do_not_count_for_a_later_wait(kit: Kit) -> None:
    """A blocker that the job no longer waits for neither frees it from a later wait nor fails it."""
    first, left, second = await _starts(kit, 3)
    chain = await kit.start(blockers=(first, left), until=Until.ANY)
    await _complete(kit, first)
    await kit.close(outcome=Blocks((second,)))
    equal(moves(await kit.cancel(left)), [(Verb.CANCEL, Status.READY, Status.CANCELLED)], "the transitions")
    equal((await kit.tail(chain)).blocked_by, 1, "the blockers still awaited")
    equal(chains(await _complete(kit, second), Verb.UNBLOCK), [chain], "the chains unblocked")


@waits.case
async def a_wait_has_the_rule_it_was_given(kit: Kit) -> None:
    """The rule of a wait replaces the one that the job was created with."""
    first, second, third = await _starts(kit, 3)
    await _complete(kit, first)
    chain = await kit.start(blockers=(first,), on_failure=OnFailure.FAIL)
    await kit.close(outcome=Blocks((second, third), until=Until.ANY, on_failure=OnFailure.IGNORE))
    equal(chains(await kit.cancel(second), Verb.UNBLOCK), [chain], "the chains unblocked")


@waits.case
async def a_wait_is_repeated(kit: Kit) -> None:
    """A wait whose reply was lost is DONE again with the same transitions, and changes nothing."""
    (blocker,) = await _starts(kit, 1)
    await kit.start()
    job = await kit.lease()
    first = await kit.settle(job, Blocks((blocker,)))
    second = await kit.settle(job, Blocks((blocker,)))
    equal((second.results, second.transitions), ((SettleResult.DONE,), first.transitions), "the repeat")
    equal(len(await _complete(kit, blocker)), 2, "transitions when the blocker completes")
    third = await kit.settle(job, Blocks((blocker,)))
    equal((third.results, third.transitions), ((SettleResult.DONE,), first.transitions), "the repeat after the wait")


@waits.case
async def a_wait_needs_the_lease(kit: Kit) -> None:
    """A job whose lease is lost does not wait."""
    (blocker,) = await _starts(kit, 1)
    chain = await kit.start()
    job = await kit.lease(lease=5)
    kit.wait(10)
    await kit.reap()
    settled = await kit.settle(job, Blocks((blocker,)))
    equal((settled.results, settled.transitions), ((SettleResult.LOST,), ()), "the answer")
    equal(await kit.blockers(chain), [], "the blockers")
    await kit.lease()


@waits.case
async def waits_are_settled_beside_other_outcomes(kit: Kit) -> None:
    """A batch may hold waits, continuations that wait, and plain outcomes; each is answered in its position."""
    (blocker,) = await _starts(kit, 1)
    await kit.create(*(kit.job(input=str(n)) for n in range(4)))
    outcomes: list[Outcome] = [Completes("1"), Blocks((blocker,)), _next(blocker), Fails(FAILURE)]
    claimed = await kit.claim(limit=4)
    batch = [Settlement(job, outcome, "worker") for job, outcome in zip(claimed, outcomes, strict=True)]
    equal((await kit.settle_all(*batch)).results, (SettleResult.DONE,) * 4, "the verdicts")
    found = [await kit.status(job.lease.chain_id) for job in claimed]
    equal(found, [Status.COMPLETED, Status.BLOCKED, Status.BLOCKED, Status.FAILED], "the statuses")
    equal(len(chains(await _complete(kit, blocker), Verb.UNBLOCK)), 2, "chains unblocked")


@waits.case
async def a_blocker_may_close_in_the_same_batch(kit: Kit) -> None:
    """A batch may close a blocker and hold a wait for it: the call or ``unblock_pending`` frees the job."""
    (blocker,) = await _starts(kit, 1)
    chain = await kit.start()
    closing = Settlement(await kit.lease("blocker"), Completes("1"), "worker")
    settled = await kit.settle_all(Settlement(await kit.lease(), Blocks((blocker,)), "worker"), closing)
    made = [*settled.transitions, *await kit.unblock_pending()]
    equal(chains(made, Verb.UNBLOCK), [chain], "the chains unblocked")


@waits.case
async def thousands_are_awaited(kit: Kit) -> None:
    """A job can wait for 2,500 chains, and is unblocked by the last."""
    blockers = await _starts(kit, 2500)
    chain = await kit.start(blockers=blockers)
    claimed = await kit.claim("blocker", 2500)
    for part in (claimed[:1000], claimed[1000:2000], claimed[2000:2499]):
        settled = await kit.settle_all(*(Settlement(job, Completes("1"), "worker") for job in part))
        equal(chains(settled.transitions, Verb.UNBLOCK), [], "the chains unblocked before the last")
        await kit.unblock_pending()
    equal((await kit.tail(chain)).blocked_by, 1, "the blockers still awaited")
    made = [*await kit.done(claimed[2499]), *await kit.unblock_pending()]
    equal(chains(made, Verb.UNBLOCK), [chain], "the chains unblocked by the last")
    equal(await kit.blockers(chain), list(blockers), "the blockers")


@waits.case
async def more_than_a_thousand_wait_for_any(kit: Kit) -> None:
    """However many chains wait for any of two blockers, the first to close frees each once, soon after."""
    first, second = blockers = await _starts(kit, 2)
    await kit.create(*(kit.job(blockers=blockers, until=Until.ANY) for _ in range(MANY)))
    made = [*await _complete(kit, first), *await _unblock_all(kit)]
    made += [*await _complete(kit, second), *await _unblock_all(kit)]
    freed = chains(made, Verb.UNBLOCK)
    equal((len(freed), len(set(freed))), (MANY, MANY), "chains unblocked, and different ones")


@waits.case
async def more_than_a_thousand_wait_on(kit: Kit) -> None:
    """Chains that wait on where their blocker failed are unchanged, and ``unblock_pending`` comes to an end."""
    (blocker,) = await _starts(kit, 1)
    await kit.create(*(kit.job(blockers=(blocker,), on_failure=OnFailure.WAIT) for _ in range(MANY)))
    made = [*await kit.close("blocker", Fails(FAILURE)), *await _unblock_all(kit)]
    equal(moves(made), [(Verb.FAIL, Status.RUNNING, Status.FAILED)], "the transitions")


async def _unblock_all(kit: Kit) -> list[Transition]:
    """Call ``unblock_pending`` until nothing is left, and return its transitions."""
    made: list[Transition] = []
    for _ in range(MANY):
        more = await kit.unblock_pending(limit=500)
        if not more:
            return made
        made += more
    raise AssertionError("unblock_pending does not come to an end")
