"""Chains that wait for others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from otelq.errors import NotFound
from otelq.model import Completes, Continues, Fails, Outcome, Settlement, Status, Successor, Transition, Verb

from ..cases import Theme
from ..kit import FAILURE, Kit, chains, equal, moves, raises, true

blockers = Theme[Kit]("blockers")
MANY = 1100
"""More dependents than one statement unblocks."""


async def _starts(kit: Kit, number: int, type: str = "blocker") -> tuple[str, ...]:
    jobs = [kit.job(type, str(n)) for n in range(number)]
    await kit.create(*jobs)
    return tuple(job.chain_id for job in jobs)


@blockers.case
async def hold_a_job_until_all_completed(kit: Kit) -> None:
    """A chain is blocked until the last of its blockers completes, and ready in that same commit."""
    first, second = await _starts(kit, 2)
    _, made = await kit.create(kit.job(blockers=(first, second)))
    equal(moves(made), [(Verb.CREATE, None, Status.BLOCKED)], "the transitions of the start")
    true(not await kit.claim(), "a blocked job was claimed")
    equal(chains(await kit.close("blocker"), Verb.UNBLOCK), [], "chains unblocked by the first of two blockers")
    true(not await kit.claim(), "a job was claimed that still waits for one blocker")
    settled = await kit.close("blocker")
    equal(moves(settled)[1:], [(Verb.UNBLOCK, Status.BLOCKED, Status.READY)], "what the last blocker unblocked")
    equal(settled[1].chain_id, made[0].chain_id, "the chain unblocked")
    await kit.lease()


@blockers.case
async def closed_in_one_batch_count_one_by_one(kit: Kit) -> None:
    """Two blockers that close in the same batch unblock their dependent, once."""
    chain = await kit.start(blockers=await _starts(kit, 2))
    batch = [Settlement(job, Completes("1"), "worker") for job in await kit.claim("blocker", 2)]
    settled = await kit.settle_all(*batch)
    equal(chains(settled.transitions, Verb.UNBLOCK), [chain], "the chains unblocked")
    await kit.lease()


@blockers.case
async def closed_at_the_same_time_leave_no_dependent_blocked(kit: Kit) -> None:
    """Blockers that close in calls at the same time free their dependents, each once, soon after at the latest."""
    given = await _starts(kit, 6)
    jobs = [kit.job(blockers=order) for order in (given, given[::-1], given[3:] + given[:3])]
    await asyncio.gather(*(kit.create(job) for job in jobs))
    claimed = await kit.claim("blocker", 6)
    answers = [*await asyncio.gather(*(kit.done(job) for job in claimed)), await kit.unblock_pending()]
    unblocked = [chain for made in answers for chain in chains(made, Verb.UNBLOCK)]
    equal(sorted(unblocked), sorted(job.chain_id for job in jobs), "the chains unblocked")


@blockers.case
async def of_one_batch_do_not_count_for_others(kit: Kit) -> None:
    """A dependent of three stays blocked when two of them close in a batch."""
    await kit.start(blockers=await _starts(kit, 3))
    batch = [Settlement(job, Completes("1"), "worker") for job in await kit.claim("blocker", 2)]
    settled = await kit.settle_all(*batch)
    equal(chains(settled.transitions, Verb.UNBLOCK), [], "the chains unblocked")
    true(not await kit.claim(), "a job was claimed that still waits for one blocker")


@blockers.case
async def that_completed_before_do_not_block(kit: Kit) -> None:
    """A chain whose blockers have all completed is due at once."""
    first, second = await _starts(kit, 2)
    await kit.complete_externally(first, step="blocker")
    await kit.complete_externally(second, step="blocker")
    _, made = await kit.create(kit.job(blockers=(first, second)))
    equal(moves(made), [(Verb.CREATE, None, Status.READY)], "the transitions of the start")
    await kit.lease()


@blockers.case
async def that_completed_before_count_as_done(kit: Kit) -> None:
    """Of two blockers, one completed before the start, only the other is awaited."""
    first, second = await _starts(kit, 2)
    await kit.complete_externally(first, step="blocker")
    chain = await kit.start(blockers=(first, second))
    equal((await kit.tail(chain)).blocked_by, 1, "the blockers still awaited")
    made = await kit.complete_externally(second, step="blocker")
    equal(chains(made, Verb.UNBLOCK), [chain], "the chains unblocked")


@blockers.case
async def are_counted_in_the_record(kit: Kit) -> None:
    """The record of a blocked job says how many blockers are awaited."""
    first, second, _ = given = await _starts(kit, 3)
    chain = await kit.start(blockers=given)
    for awaited, blocker in ((3, first), (2, second)):
        record = await kit.tail(chain)
        equal((record.status, record.blocked_by), (Status.BLOCKED, awaited), "status and blockers awaited")
        await kit.complete_externally(blocker, step="blocker")


@blockers.case
async def give_their_outputs_in_order(kit: Kit) -> None:
    """Outputs are in the order given at the start, whatever the order of ids or of closing."""
    first, second, third = await _starts(kit, 3)
    chain = await kit.start(blockers=(third, first, second))
    for blocker in (second, third, first):
        await kit.complete_externally(blocker, Completes(f'"{blocker}"'), step="blocker")
    job = await kit.lease()
    equal(job.blockers, 3, "the number of blockers that the claimed job names")
    found = (await kit.adapter.blocker_outputs([(chain, 0)]))[chain, 0]
    equal([one.chain_id for one in found], [third, first, second], "the order of the blockers")
    equal([one.output for one in found], [f'"{one}"' for one in (third, first, second)], "their outputs")
    equal({one.type for one in found}, {"blocker"}, "their types")


@blockers.case
async def must_exist(kit: Kit) -> None:
    """A blocker that does not exist is NotFound, and nothing of the batch is written."""
    neighbour, job = kit.job(), kit.job(blockers=(kit.id(),))
    with raises(NotFound, "a start with a missing blocker"):
        await kit.create(neighbour, job)
    for chain in (neighbour.chain_id, job.chain_id):
        true(not await kit.exists(chain), "a chain was written by a start that was refused")


@blockers.case
async def may_come_earlier_in_the_batch(kit: Kit) -> None:
    """A batch may start a blocker and then its dependent."""
    blocker = kit.job("blocker")
    _, made = await kit.create(blocker, kit.job(blockers=(blocker.chain_id,)))
    equal(moves(made), [(Verb.CREATE, None, Status.READY), (Verb.CREATE, None, Status.BLOCKED)], "the transitions")
    equal(len(chains(await kit.close("blocker"), Verb.UNBLOCK)), 1, "chains unblocked")


@blockers.case
async def may_not_come_later_in_the_batch(kit: Kit) -> None:
    """A blocker that the batch starts only later does not exist yet, so no circle can be closed."""
    first, second = kit.id(), kit.id()
    with raises(NotFound, "a start whose blocker comes later in the batch"):
        await kit.create(kit.job(chain_id=first, blockers=(second,)), kit.job(chain_id=second, blockers=(first,)))
    true(not await kit.exists(first), "a chain was written by a start that was refused")


@blockers.case
async def are_chains_not_jobs(kit: Kit) -> None:
    """A blocker that continues holds on until its whole chain completes."""
    (blocker,) = await _starts(kit, 1)
    await kit.start(blockers=(blocker,))
    made = await kit.close("blocker", Continues(Successor(type="next", input="1")))
    equal(chains(made, Verb.UNBLOCK), [], "chains unblocked by a continuation")
    true(not await kit.claim(), "a job was claimed whose blocker went on")
    equal(len(chains(await kit.close("next"), Verb.UNBLOCK)), 1, "chains unblocked by the end")


@blockers.case
async def leave_a_later_plan_in_force(kit: Kit) -> None:
    """A job unblocked before its planned time is scheduled for that time."""
    (blocker,) = await _starts(kit, 1)
    due = kit.after(600)
    await kit.start(blockers=(blocker,), at=due)
    kit.wait(60)
    made = await kit.close("blocker")
    equal(moves(made)[1:], [(Verb.UNBLOCK, Status.BLOCKED, Status.SCHEDULED)], "what the blocker unblocked")
    equal(made[1].due_at, due, "when the job becomes due")
    true(not await kit.claim(), "a job was claimed before its planned time")
    kit.wait(540)
    await kit.lease()


@blockers.case
async def end_their_hold_now(kit: Kit) -> None:
    """A job is due since it was unblocked, not since it was started."""
    (blocker,) = await _starts(kit, 1)
    await kit.start(blockers=(blocker,))
    kit.wait(60)
    await kit.close("blocker")
    unblocked = kit.now
    kit.wait(5)
    equal((await kit.lease()).due_at, unblocked, "since when the job is due")


@blockers.case
async def that_fail_fail_their_dependents(kit: Kit) -> None:
    """A failed blocker fails its dependents in the same commit, with a reason."""
    blocker, other = await _starts(kit, 2)
    chain = await kit.start(blockers=(blocker, other))
    made = await kit.close("blocker", Fails(FAILURE))
    equal(moves(made)[1:], [(Verb.FAIL_BY_BLOCKER, Status.BLOCKED, Status.FAILED)], "what the failure did")
    outcome = await kit.outcome(chain)
    equal(outcome.status, Status.FAILED, "the dependent's status")
    true(outcome.failure is not None, "a chain that failed by its blocker does not say why")
    equal(chains(await kit.close("blocker"), Verb.UNBLOCK), [], "chains that the other blocker unblocked later")


@blockers.case
async def fail_through_several_levels(kit: Kit) -> None:
    """A failure runs through chains of dependents, each failing once, however they are joined."""
    (root,) = await _starts(kit, 1)
    level = [root]
    for _ in range(4):
        jobs = [kit.job(blockers=tuple(level)) for _ in range(2)]
        await kit.create(*jobs)
        level = [job.chain_id for job in jobs]
    made = await kit.close("blocker", Fails(FAILURE))
    failed = chains(made, Verb.FAIL_BY_BLOCKER)
    equal((len(failed), len(set(failed))), (8, 8), "chains failed, and different ones")
    equal(await kit.status(level[0]), Status.FAILED, "the status on the last level")


@blockers.case
async def that_failed_before_fail_a_start(kit: Kit) -> None:
    """A chain started with a failed or cancelled blocker is created, and fails in the same commit."""
    failed, cancelled, completed = await _starts(kit, 3)
    await kit.close("blocker", Fails(FAILURE))
    await kit.cancel(cancelled)
    await kit.complete_externally(completed, step="blocker")
    for blocker in (failed, cancelled):
        job = kit.job(blockers=(completed, blocker))
        _, made = await kit.create(job)
        equal(
            moves(made),
            [(Verb.CREATE, None, Status.BLOCKED), (Verb.FAIL_BY_BLOCKER, Status.BLOCKED, Status.FAILED)],
            "the transitions of the start",
        )
        equal(await kit.status(job.chain_id), Status.FAILED, "the status of the new chain")


@blockers.case
async def that_failed_before_fail_a_batch_in_order(kit: Kit) -> None:
    """In a batch, a chain behind one that fails at its start fails too."""
    (blocker,) = await _starts(kit, 1)
    await kit.cancel(blocker)
    first = kit.job(blockers=(blocker,))
    second = kit.job(blockers=(first.chain_id,))
    _, made = await kit.create(first, second, kit.job("other"))
    equal(set(chains(made, Verb.FAIL_BY_BLOCKER)), {first.chain_id, second.chain_id}, "the chains that fail")
    equal(await kit.status(second.chain_id), Status.FAILED, "the status of the second chain")


@blockers.case
async def that_are_cancelled_fail_their_dependents(kit: Kit) -> None:
    """A cancelled blocker fails its dependents, as a failed one does."""
    (blocker,) = await _starts(kit, 1)
    chain = await kit.start(blockers=(blocker,))
    made = await kit.cancel(blocker)
    equal(
        moves(made),
        [(Verb.CANCEL, Status.READY, Status.CANCELLED), (Verb.FAIL_BY_BLOCKER, Status.BLOCKED, Status.FAILED)],
        "the transitions",
    )
    equal(await kit.status(chain), Status.FAILED, "the dependent's status")


@blockers.case
async def do_not_touch_a_job_that_no_longer_waits(kit: Kit) -> None:
    """A dependent that was finished or cancelled before is left alone when its blocker closes."""
    (blocker,) = await _starts(kit, 1)
    finished, cancelled = await kit.start(blockers=(blocker,)), await kit.start(blockers=(blocker,))
    await kit.complete_externally(finished)
    await kit.cancel(cancelled)
    equal(len(await kit.close("blocker")), 1, "transitions when the blocker closes")
    equal(await kit.status(finished), Status.COMPLETED, "the status of the finished dependent")
    true(not await kit.claim(), "a closed dependent was claimed")


@blockers.case
async def do_not_touch_the_successor_of_a_finished_job(kit: Kit) -> None:
    """A dependent that was continued from outside waits for no blocker any more."""
    (blocker,) = await _starts(kit, 1)
    chain = await kit.start(blockers=(blocker,))
    await kit.complete_externally(chain, Continues(Successor(type="next", input="1")))
    equal(await kit.status(chain), Status.READY, "the status of the successor")
    running = await kit.lease("next")
    equal(len(await kit.close("blocker", Fails(FAILURE))), 1, "transitions when the blocker fails")
    await kit.done(running)


async def _close_for_many(kit: Kit, outcome: Outcome, verb: Verb, limit: int) -> Sequence[Transition]:
    (blocker,) = await _starts(kit, 1)
    await kit.create(*(kit.job(blockers=(blocker,)) for _ in range(MANY)))
    made = [*await kit.close("blocker", outcome)]
    for _ in range(MANY // limit + 2):
        if len(chains(made, verb)) < MANY:
            made += await kit.unblock_pending(limit)
    return made


@blockers.case
async def unblock_more_than_a_thousand(kit: Kit) -> None:
    """However many chains wait for one blocker, each is unblocked once, soon after by ``unblock_pending``."""
    made = await _close_for_many(kit, Completes("1"), Verb.UNBLOCK, limit=60)
    times = Counter(chains(made, Verb.UNBLOCK))
    equal((len(times), set(times.values())), (MANY, {1}), "chains unblocked, and how often each")
    equal(len(await kit.unblock_pending()), 0, "transitions of one more unblock_pending")
    equal(len(await kit.claim(limit=2 * MANY)), MANY, "jobs ready")


@blockers.case
async def fail_more_than_a_thousand(kit: Kit) -> None:
    """However many chains wait for a blocker that fails, each fails once, soon after by ``unblock_pending``."""
    made = await _close_for_many(kit, Fails(FAILURE), Verb.FAIL_BY_BLOCKER, limit=1000)
    times = Counter(chains(made, Verb.FAIL_BY_BLOCKER))
    equal((len(times), set(times.values())), (MANY, {1}), "chains failed, and how often each")


@blockers.case
async def wait_for_fifty(kit: Kit) -> None:
    """A dependent of fifty blockers that close in batches of ten goes with the last one."""
    await kit.start(blockers=await _starts(kit, 50))
    unblocked: list[str] = []
    while claimed := await kit.claim("blocker", 10):
        true(not unblocked, "the dependent was unblocked before the last batch")
        settled = await kit.settle_all(*(Settlement(job, Completes("1"), "worker") for job in claimed))
        unblocked += chains(settled.transitions, Verb.UNBLOCK)
    equal(len(unblocked), 1, "times the dependent was unblocked")
