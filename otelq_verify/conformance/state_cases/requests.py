"""Trigger, cancel and delete: by request, all or nothing."""

from __future__ import annotations

from otelq.errors import InvalidArgument, JobAlreadyClosed, NotFound, OtelqError, StillReferenced
from otelq.model import Completes, Continues, Dedup, JobQuery, Retries, Status, Successor, Verb

from ..cases import Theme
from ..kit import FAILURE, Kit, chains, equal, ids, moves, raises, true
from .complete_externally import MAKE_OPEN

requests = Theme[Kit]("requests")


async def _closed(kit: Kit) -> str:
    chain = await kit.start("closed")
    await kit.close("closed")
    return chain


# Trigger


@requests.case
async def trigger_makes_due(kit: Kit) -> None:
    """A triggered job is due now, and can be claimed."""
    chain = await kit.start(delay=600)
    kit.wait(10)
    made = await kit.trigger(chain)
    equal(moves(made), [(Verb.TRIGGER, Status.SCHEDULED, Status.READY)], "the transitions")
    equal((made[0].at, made[0].due_at), (kit.now, None), "the time, and when it becomes due")
    equal((await kit.lease()).due_at, kit.now, "since when the job is due")


@requests.case
async def trigger_ends_a_back_off(kit: Kit) -> None:
    """A job that waits for its next attempt can be triggered; its attempts stay counted."""
    chain = await kit.start()
    await kit.close(outcome=Retries(600, FAILURE))
    equal(chains(await kit.trigger(chain), Verb.TRIGGER), [chain], "the chains triggered")
    equal((await kit.lease()).attempt, 2, "the attempt")


@requests.case
async def trigger_leaves_a_due_job(kit: Kit) -> None:
    """A job that is due already stays as it is, without a transition; the others are triggered."""
    due, planned = await kit.start(), await kit.start(delay=600)
    kit.wait(5)
    equal(chains(await kit.trigger(due, planned), Verb.TRIGGER), [planned], "the chains triggered")
    equal(ids(await kit.claim(limit=2)), [due, planned], "the order of the next claim")


async def _trigger_refused(kit: Kit, error: type[OtelqError], chain: str) -> None:
    planned = await kit.start("planned", delay=600)
    with raises(error, "a trigger"):
        await kit.trigger(planned, chain)
    true(not await kit.claim("planned"), "a job was triggered by a call that was refused")


@requests.case
async def trigger_refuses_blocked_and_running_jobs(kit: Kit) -> None:
    """A blocked or running job cannot be triggered; nothing is written."""
    for status in (Status.BLOCKED, Status.RUNNING):
        await _trigger_refused(kit, InvalidArgument, await MAKE_OPEN[status](kit))


@requests.case
async def trigger_refuses_closed_and_missing_chains(kit: Kit) -> None:
    """A closed chain is JobAlreadyClosed, a missing one NotFound; nothing is written."""
    await _trigger_refused(kit, JobAlreadyClosed, await _closed(kit))
    await _trigger_refused(kit, NotFound, kit.id())


# Cancel


def _cancels(status: Status) -> None:
    async def check(kit: Kit) -> None:
        chain = await MAKE_OPEN[status](kit)
        made = await kit.cancel(chain)
        equal(moves(made), [(Verb.CANCEL, status, Status.CANCELLED)], "the transitions")
        outcome = await kit.outcome(chain)
        equal((outcome.status, outcome.output), (Status.CANCELLED, None), "the outcome")
        true(not await kit.claim(), "a cancelled job was claimed")

    requests.add(f"cancel_closes_a_{status}_job", f"A {status} job can be cancelled.", check)


for _status in MAKE_OPEN:
    _cancels(_status)


@requests.case
async def cancel_names_the_worker(kit: Kit) -> None:
    """The cancel of a running job names the worker that loses it, and that of a waiting one names none."""
    running = await kit.start()
    await kit.lease(worker="one")
    waiting = await kit.start()
    made = await kit.cancel(running, waiting)
    equal([move.worker for move in made], ["one", None], "the workers")


@requests.case
async def cancel_refuses_closed_and_missing_chains(kit: Kit) -> None:
    """A closed chain is JobAlreadyClosed, a missing one NotFound; nothing is written."""
    for error, chain in ((JobAlreadyClosed, await _closed(kit)), (NotFound, kit.id())):
        good = await kit.start("good")
        with raises(error, "a cancel"):
            await kit.cancel(good, chain)
        equal(await kit.status(good), Status.READY, "the status of the good chain")


@requests.case
async def cancel_takes_a_chain_with_its_dependents(kit: Kit) -> None:
    """Of a set, dependents are cancelled too; those outside the set fail."""
    blocker = await kit.start()
    inside, outside = await kit.start("other", blockers=(blocker,)), await kit.start("other", blockers=(blocker,))
    made = await kit.cancel(blocker, inside)
    equal(set(chains(made, Verb.CANCEL)), {blocker, inside}, "the chains cancelled")
    equal(chains(made, Verb.FAIL_BY_BLOCKER), [outside], "the chains failed")
    equal(await kit.status(inside), Status.CANCELLED, "the status of the dependent inside the set")


@requests.case
async def cancel_closes_the_tail(kit: Kit) -> None:
    """Cancelling a chain that continued closes its open job and leaves the earlier ones as they are."""
    chain = await kit.start()
    await kit.close(outcome=Continues(Successor(type="next", input="1")))
    (move,) = await kit.cancel(chain)
    equal((move.position, move.type, move.chain_type), (1, "next", "work"), "the job cancelled")
    found = [record.status for record in await kit.records(chain)]
    equal(found, [Status.CONTINUED, Status.CANCELLED], "the statuses of the jobs")


# Delete


@requests.case
async def delete_removes_everything(kit: Kit) -> None:
    """A deleted chain is gone with its jobs and attempts, one transition for each job."""
    chain, other = await kit.start(), await kit.start("other")
    await kit.close(outcome=Continues(Successor(type="next", input="1")))
    await kit.close("next", Completes("1"))
    made = await kit.delete(chain)
    expected = [(Verb.DELETE, Status.CONTINUED, None), (Verb.DELETE, Status.COMPLETED, None)]
    equal(moves(made), expected, "the transitions")
    equal([(move.position, move.type) for move in made], [(0, "work"), (1, "next")], "the jobs deleted")
    true(not await kit.exists(chain), "outcomes still shows a deleted chain")
    equal(await kit.records(chain), [], "the jobs of the deleted chain")
    equal(list(await kit.adapter.attempts(chain, 0)), [], "the attempts of the deleted chain")
    equal([record.chain_id for record in (await kit.adapter.jobs(JobQuery())).items], [other], "what is left")


def _deletes(status: Status) -> None:
    async def check(kit: Kit) -> None:
        chain = await MAKE_OPEN[status](kit)
        equal(moves(await kit.delete(chain)), [(Verb.DELETE, status, None)], "the transitions")
        true(not await kit.exists(chain), "outcomes still shows a deleted chain")
        kit.wait(900)
        true(not await kit.claim(), "a deleted job was claimed")
        equal(list(await kit.reap()), [], "jobs reaped")

    requests.add(f"delete_removes_a_{status}_job", f"A chain whose job is {status} can be deleted.", check)


for _status in MAKE_OPEN:
    _deletes(_status)


@requests.case
async def delete_leaves_no_trace_of_the_id(kit: Kit) -> None:
    """The id and the key of a deleted chain can be used again."""
    job = kit.job(dedup=Dedup("key"))
    await kit.create(job)
    await kit.delete(job.chain_id)
    created, made = await kit.create(job)
    equal((created[0].exists, created[0].deduplicated, len(made)), (False, False, 1), "the second start")


@requests.case
async def delete_refuses_what_others_wait_for(kit: Kit) -> None:
    """A chain that is a blocker of another, open or closed, is StillReferenced; nothing is written."""
    blocker = await kit.start("blocker")
    dependent = await kit.start(blockers=(blocker,))
    free = await kit.start("free")
    for _ in ("an open dependent", "a closed dependent"):
        with raises(StillReferenced, "deleting a blocker"):
            await kit.delete(free, blocker)
        true(await kit.exists(free), "a chain was deleted by a call that was refused")
        if await kit.claim("blocker"):
            await kit.complete_externally(blocker, step="blocker")
            await kit.complete_externally(dependent)


@requests.case
async def delete_takes_a_chain_with_its_dependents(kit: Kit) -> None:
    """A blocker can be deleted together with its dependents, in any order, or after them."""
    blocker = await kit.start("blocker")
    dependent = await kit.start(blockers=(blocker,))
    made = await kit.delete(blocker, dependent)
    equal(set(chains(made, Verb.DELETE)), {blocker, dependent}, "the chains deleted")
    second = await kit.start("blocker")
    other = await kit.start(blockers=(second,))
    await kit.delete(other)
    equal(chains(await kit.delete(second), Verb.DELETE), [second], "the blocker deleted after its dependent")


@requests.case
async def delete_refuses_missing_chains(kit: Kit) -> None:
    """A missing chain is NotFound; nothing is written."""
    good = await kit.start()
    with raises(NotFound, "deleting a chain that does not exist"):
        await kit.delete(good, kit.id())
    true(await kit.exists(good), "a chain was deleted by a call that was refused")


@requests.case
async def an_empty_batch_changes_nothing(kit: Kit) -> None:
    """Empty batches are fine and do nothing."""
    await kit.start(delay=600)
    made = [*await kit.trigger(), *await kit.cancel(), *await kit.delete(), *await kit.complete_all_externally()]
    equal(made, [], "the transitions")
