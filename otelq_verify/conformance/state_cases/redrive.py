"""Chains that ended badly, opened again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otelq.errors import AlreadyExists, InvalidArgument, NotFound, OtelqError
from otelq.model import (
    Blocks,
    Completes,
    Continues,
    Dedup,
    Fails,
    JobQuery,
    OnFailure,
    Retries,
    SettleResult,
    Status,
    Successor,
    Transition,
    Until,
    Verb,
)

from ..cases import Theme
from ..kit import FAILURE, Kit, abandoned, chains, equal, moves, raises, true
from .complete_externally import MAKE_OPEN

redrive = Theme[Kit]("redrive")
KEY = Dedup("customer-7")
MANY = 1100
"""More dependents than one statement unblocks."""


async def _failed(kit: Kit, type: str = "work", **fields: Any) -> str:
    chain = await kit.start(type, **fields)
    await kit.close(type, Fails(FAILURE))
    return chain


async def _refused(kit: Kit, error: type[OtelqError], *chain_ids: str) -> None:
    """Demand that a refused redrive writes nothing, not even of the good chain before."""
    good = await _failed(kit, "good")
    with raises(error, "a redrive"):
        await kit.redrive(good, *chain_ids)
    equal(await kit.status(good), Status.FAILED, "the status of the good chain")
    true(not await kit.claim("good"), "a chain was opened by a call that was refused")


@redrive.case
async def opens_a_failed_chain(kit: Kit) -> None:
    """A redriven job is due at once, with its attempts at 0 and its priority as before."""
    chain = await kit.start(priority=3)
    await kit.close(outcome=Retries(0, FAILURE))
    await kit.close(outcome=Fails(FAILURE))
    kit.wait(60)
    (made,) = await kit.redrive(chain)
    equal(moves([made]), [(Verb.REDRIVE, Status.FAILED, Status.READY)], "the transitions")
    equal((made.chain_id, made.position, made.at, made.attempt), (chain, 0, kit.now, 0), "chain, job, time and attempt")
    job = await kit.lease()
    equal((job.attempt, job.crashes, job.priority), (1, 0, 3), "attempt, crashes and priority")
    equal((job.due_at, job.lease.position), (kit.now, 0), "due time and position")


@redrive.case
async def opens_a_cancelled_chain(kit: Kit) -> None:
    """A cancelled chain is opened again, whatever it was about to do."""
    for make in (MAKE_OPEN[Status.READY], MAKE_OPEN[Status.SCHEDULED], MAKE_OPEN[Status.RUNNING]):
        chain = await make(kit)
        await kit.cancel(chain)
        equal(moves(await kit.redrive(chain)), [(Verb.REDRIVE, Status.CANCELLED, Status.READY)], "the transitions")
        await kit.close()
        equal(await kit.status(chain), Status.COMPLETED, "the status after it ran")


@redrive.case
async def keeps_the_trace_of_the_last_attempt(kit: Kit) -> None:
    """The first attempt after a redrive still knows the trace of the one that failed, and so does the redrive."""
    chain = await kit.start()
    await kit.done(await kit.lease(), Fails(FAILURE), trace="00-attempt")
    (made,) = await kit.redrive(chain)
    equal(made.last_trace, "00-attempt", "the trace that the redrive names")
    equal((await kit.lease()).last_trace, "00-attempt", "the trace of the attempt before")


@redrive.case
async def starts_counting_crashes_again(kit: Kit) -> None:
    """A chain that failed by crashing has no crashes when it is redriven: it is no suspect."""
    chain = await kit.start()
    await kit.lease(lease=5)
    kit.wait(10)
    await kit.reap(max_crashes=1)
    equal(await kit.status(chain), Status.FAILED, "the status after the crash")
    await kit.redrive(chain)
    job = await kit.lease(suspect=False)
    equal((job.attempt, job.crashes), (1, 0), "attempt and crashes")


@redrive.case
async def opens_the_job_that_ended_so(kit: Kit) -> None:
    """Of a chain that continued the last job is opened; those before stay as they are."""
    chain = await kit.start()
    await kit.close(outcome=Continues(Successor(type="next", input='"two"')))
    await kit.close("next", Fails(FAILURE))
    (made,) = await kit.redrive(chain)
    equal((made.position, made.type, made.chain_type), (1, "next", "work"), "the job opened")
    found = [(record.status, record.input) for record in await kit.records(chain)]
    equal(found, [(Status.CONTINUED, "1"), (Status.READY, '"two"')], "the jobs")
    await kit.lease("next")


@redrive.case
async def leaves_nothing_of_the_end(kit: Kit) -> None:
    """A redriven chain is open in every answer: without failure, and no longer among the failed."""
    chain = await _failed(kit)
    await kit.redrive(chain)
    outcome = await kit.outcome(chain)
    equal((outcome.status, outcome.failure), (Status.READY, None), "the outcome")
    record = await kit.tail(chain)
    equal((record.closed_at, record.failure, record.attempt), (None, None, 0), "the record")
    failed = await kit.adapter.jobs(JobQuery(statuses=frozenset({Status.FAILED})))
    equal(failed.items, [], "the failed jobs")
    equal(len((await kit.adapter.chains(JobQuery())).items), 1, "the chains")


@redrive.case
async def keeps_the_outcome_on_record(kit: Kit) -> None:
    """The attempts of a job before its redrive are stored, as those of an earlier generation."""
    chain = await kit.start()
    await kit.close(outcome=Retries(0, FAILURE))
    await kit.close(outcome=Fails(FAILURE))
    await kit.redrive(chain)
    await kit.close()
    found = await kit.adapter.attempts(chain, 0)
    reported = [(one.generation, one.number, one.verb) for one in found]
    equal(reported, [(1, 1, Verb.RETRY), (1, 2, Verb.FAIL), (0, 1, Verb.COMPLETE)], "generation, number and verb")
    equal([one.failure for one in found], [FAILURE, FAILURE, None], "the failures")
    equal(found[1].worker, "worker", "the worker of the attempt that failed")


@redrive.case
async def can_happen_again(kit: Kit) -> None:
    """Each redrive begins a generation: 1 is the first there was, 0 the present one."""
    chain = await _failed(kit)
    for _ in range(2):
        await kit.redrive(chain)
        await kit.close(outcome=Fails(FAILURE))
    found = await kit.adapter.attempts(chain, 0)
    equal([(one.generation, one.number) for one in found], [(1, 1), (2, 1), (0, 1)], "generations and numbers")
    await kit.redrive(chain)
    found = await kit.adapter.attempts(chain, 0)
    equal([one.generation for one in found], [1, 2, 3], "the generations after one more")


@redrive.case
async def records_an_end_without_an_attempt(kit: Kit) -> None:
    """A chain that was closed before anything ran leaves an attempt on record, without token and worker."""
    chain = await kit.start()
    await kit.cancel(chain)
    ended = kit.now
    kit.wait(5)
    equal(list(await kit.adapter.attempts(chain, 0)), [], "the attempts before")
    await kit.redrive(chain)
    (one,) = await kit.adapter.attempts(chain, 0)
    equal((one.verb, one.generation, one.ended_at), (Verb.CANCEL, 1, ended), "verb, generation and end")
    equal((one.token, one.worker, one.started_at), (None, None, None), "token, worker and beginning")


@redrive.case
async def still_knows_a_lost_reply(kit: Kit) -> None:
    """A settlement whose reply was lost is DONE again after the chain was redriven, and changes nothing."""
    chain = await kit.start()
    job = await kit.lease()
    first = await kit.settle(job, Fails(FAILURE))
    await kit.redrive(chain)
    second = await kit.settle(job, Fails(FAILURE))
    equal((second.results, second.transitions), ((SettleResult.DONE,), first.transitions), "the repeat")
    equal(await kit.status(chain), Status.READY, "the status of the chain")


@redrive.case
async def fences_off_what_ran_before(kit: Kit) -> None:
    """A worker that held the job before it was cancelled cannot settle it after the redrive."""
    chain = await kit.start()
    job = await kit.lease()
    await kit.cancel(chain)
    await kit.redrive(chain)
    for _ in ("before the next claim", "while another holds the job"):
        settled = await kit.settle(job, Completes('"late"'))
        true(settled.results[0] in (SettleResult.LOST, SettleResult.CANCELLED), f"the result is {settled.results[0]}")
        await kit.claim()
    equal(await kit.status(chain), Status.RUNNING, "the status")


@redrive.case
async def keeps_an_amended_input(kit: Kit) -> None:
    """A job whose input was amended runs with that again."""
    chain = await kit.start()
    await kit.amend(chain, input='"new"')
    await kit.close(outcome=Fails(FAILURE))
    await kit.redrive(chain)
    equal((await kit.lease()).input, '"new"', "the input claimed")


@redrive.case
async def refuses_open_and_completed_chains(kit: Kit) -> None:
    """A chain that is open, in whatever status, or completed is an InvalidArgument; nothing is written."""
    for make in MAKE_OPEN.values():
        await _refused(kit, InvalidArgument, await make(kit))
    await kit.start("completed")
    await _refused(kit, InvalidArgument, (await kit.close("completed"))[0].chain_id)


@redrive.case
async def refuses_missing_chains(kit: Kit) -> None:
    """A missing chain is NotFound; nothing is written."""
    await _refused(kit, NotFound, kit.id())


# Dedup keys


@redrive.case
async def takes_its_key_back(kit: Kit) -> None:
    """A redriven chain holds its dedup key again."""
    for dedup in (KEY, Dedup("customer-8", scope="any")):
        chain = await _failed(kit, dedup=dedup)
        await kit.redrive(chain)
        created, _ = await kit.create(kit.job(dedup=dedup))
        equal((created[0].chain_id, created[0].deduplicated), (chain, True), "what create says")
        await kit.close()


@redrive.case
async def gives_its_key_back_again(kit: Kit) -> None:
    """When a redriven chain closes, its key is free as after any end."""
    chain = await _failed(kit, dedup=KEY)
    await kit.redrive(chain)
    await kit.close()
    await kit.start(dedup=Dedup("customer-7", scope="any"))


@redrive.case
async def refuses_a_chain_whose_key_is_held(kit: Kit) -> None:
    """Where another chain holds the key by now it is AlreadyExists; nothing is written."""
    chain = await _failed(kit, dedup=KEY)
    holder = await kit.start(dedup=KEY)
    await _refused(kit, AlreadyExists, chain)
    created, _ = await kit.create(kit.job(dedup=KEY))
    equal(created[0].chain_id, holder, "the holder")


@redrive.case
async def refuses_two_chains_of_one_key(kit: Kit) -> None:
    """Two chains that held one key after each other cannot be redriven together."""
    chains_of_key = [await _failed(kit, dedup=KEY) for _ in range(2)]
    await _refused(kit, AlreadyExists, *chains_of_key)


# Blockers


async def _pair(kit: Kit, **rule: Any) -> tuple[str, str]:
    """Return a blocker that failed, and its dependent, which was cancelled."""
    blocker = await kit.start("blocker")
    chain = await kit.start(blockers=(blocker,), **rule)
    await kit.cancel(chain)
    await kit.close("blocker", Fails(FAILURE))
    return blocker, chain


@redrive.case
async def waits_again_for_open_blockers(kit: Kit) -> None:
    """A job whose blockers are still open is blocked again, until they complete."""
    blocker, other = await kit.start("blocker"), await kit.start("blocker")
    chain = await kit.start(blockers=(blocker, other))
    await kit.cancel(chain)
    await kit.close("blocker")
    equal(moves(await kit.redrive(chain)), [(Verb.REDRIVE, Status.CANCELLED, Status.BLOCKED)], "the transitions")
    equal((await kit.tail(chain)).blocked_by, 1, "the blockers awaited")
    equal(chains(await kit.close("blocker"), Verb.UNBLOCK), [chain], "the chains unblocked")
    equal((await kit.lease()).blockers, 2, "the number of blockers that the claimed job names")


@redrive.case
async def does_not_wait_for_completed_blockers(kit: Kit) -> None:
    """A job whose blockers completed meanwhile is ready."""
    blocker = await kit.start("blocker")
    chain = await kit.start(blockers=(blocker,))
    await kit.cancel(chain)
    await kit.close("blocker")
    equal(moves(await kit.redrive(chain)), [(Verb.REDRIVE, Status.CANCELLED, Status.READY)], "the transitions")


@redrive.case
async def refuses_a_job_whose_blocker_is_lost(kit: Kit) -> None:
    """A job that can never be unblocked is an InvalidArgument that names the blocker; nothing is written."""
    blocker, chain = await _pair(kit)
    await _refused(kit, InvalidArgument, chain)
    try:
        await kit.redrive(chain)
    except InvalidArgument as error:
        true(blocker in str(error), f"the error does not name the blocker {blocker}: {error}")


@redrive.case
async def takes_a_chain_together_with_its_blocker(kit: Kit) -> None:
    """Blockers redriven in the same call count as open, whatever the order; their end unblocks the dependent."""
    for order in (1, -1):
        pair = await _pair(kit)
        made = await kit.redrive(*pair[::order])
        equal(chains(made, Verb.REDRIVE), list(pair[::order]), "the chains redriven, in order")
        equal([await kit.status(one) for one in pair], [Status.READY, Status.BLOCKED], "the statuses")
        equal(chains(await kit.close("blocker"), Verb.UNBLOCK), [pair[1]], "the chains unblocked")
        await kit.close()


@redrive.case
async def takes_a_chain_after_its_blocker(kit: Kit) -> None:
    """A dependent that failed with its blocker can be redriven after it, and waits for it again."""
    blocker = await kit.start("blocker")
    chain = await kit.start(blockers=(blocker,))
    await kit.close("blocker", Fails(FAILURE))
    equal(chains(await kit.redrive(blocker), Verb.REDRIVE), [blocker], "the chains redriven")
    equal(await kit.status(chain), Status.FAILED, "the status of the dependent, which stays closed")
    await kit.redrive(chain)
    equal(chains(await kit.close("blocker"), Verb.UNBLOCK), [chain], "the chains unblocked")


@redrive.case
async def fails_again_with_its_blocker(kit: Kit) -> None:
    """A dependent that waits again fails again when its blocker does."""
    pair = await _pair(kit)
    await kit.redrive(*pair)
    made = await kit.close("blocker", Fails(FAILURE))
    equal(chains(made, Verb.FAIL_BY_BLOCKER), [pair[1]], "the chains failed")


def _looks_anew(name: str, rule: dict[str, Any], expected: Status) -> None:
    async def check(kit: Kit) -> None:
        failed, open_ = await kit.start("blocker"), await kit.start("open")
        chain = await kit.start(blockers=(failed, open_), **rule)
        await kit.cancel(chain)
        await kit.close("blocker", Fails(FAILURE))
        await kit.redrive(chain)
        equal(await kit.status(chain), expected, "the status")
        freed = chains(await kit.close("open"), Verb.UNBLOCK)
        equal(freed, [chain] * (name in ("all_ignore", "any_fail", "any_wait")), "the chains unblocked by the other")

    promise = "Redriven with one blocker failed and one open, a job waits by the rule that it was given."
    redrive.add(f"looks_at_its_blockers_by_the_rule_{name}", promise, check)


_looks_anew("all_ignore", {"on_failure": OnFailure.IGNORE}, Status.BLOCKED)
_looks_anew("all_wait", {"on_failure": OnFailure.WAIT}, Status.BLOCKED)
_looks_anew("any_fail", {"until": Until.ANY}, Status.BLOCKED)
_looks_anew("any_ignore", {"until": Until.ANY, "on_failure": OnFailure.IGNORE}, Status.READY)
_looks_anew("any_wait", {"until": Until.ANY, "on_failure": OnFailure.WAIT}, Status.BLOCKED)


@redrive.case
async def serves_those_that_wait_on(kit: Kit) -> None:
    """Dependents that wait for a failed chain are unblocked when it is redriven and completes."""
    blocker = await kit.start("blocker")
    chain = await kit.start(blockers=(blocker,), on_failure=OnFailure.WAIT)
    for _ in range(2):
        await kit.close("blocker", Fails(FAILURE))
        equal(moves(await kit.redrive(blocker)), [(Verb.REDRIVE, Status.FAILED, Status.READY)], "the transitions")
        equal(await kit.status(chain), Status.BLOCKED, "the status of the dependent")
    equal(chains(await kit.close("blocker"), Verb.UNBLOCK), [chain], "the chains unblocked")


@redrive.case
async def serves_those_that_began_to_wait_while_it_was_closed(kit: Kit) -> None:
    """A job that was given a failed blocker, and waits on, is unblocked when that is redriven and completes."""
    blocker = await _failed(kit, "blocker")
    started = await kit.start(blockers=(blocker,), on_failure=OnFailure.WAIT)
    running = await kit.start("runs")
    await kit.close("runs", Blocks((blocker,), on_failure=OnFailure.WAIT))
    await kit.redrive(blocker)
    equal(set(chains(await kit.close("blocker"), Verb.UNBLOCK)), {started, running}, "the chains unblocked")


@redrive.case
async def serves_more_than_a_thousand(kit: Kit) -> None:
    """Of any number of dependents of a redriven chain each is unblocked once, soon after by ``unblock_pending``."""
    blocker = await _failed(kit, "blocker")
    await kit.create(*(kit.job(blockers=(blocker,), on_failure=OnFailure.WAIT) for _ in range(MANY)))
    await kit.redrive(blocker)
    freed = chains([*await kit.close("blocker"), *await _unblock_all(kit)], Verb.UNBLOCK)
    equal((len(freed), len(set(freed))), (MANY, MANY), "chains unblocked, and different ones")


@redrive.case
async def leaves_no_pending_dependent_blocked(kit: Kit) -> None:
    """Dependents that were still pending when their blocker was redriven fail, or are served, in the end."""
    blocker = await kit.start("blocker")
    await kit.create(*(kit.job(blockers=(blocker,)) for _ in range(MANY)))
    made = [*await kit.close("blocker", Fails(FAILURE))]
    await kit.redrive(blocker)
    made += [*await _unblock_all(kit), *await kit.close("blocker"), *await _unblock_all(kit)]
    reported = chains(made, Verb.FAIL_BY_BLOCKER) + chains(made, Verb.UNBLOCK)
    equal((len(reported), len(set(reported))), (MANY, MANY), "chains reported, and different ones")


async def _unblock_all(kit: Kit) -> list[Transition]:
    """Call ``unblock_pending`` until nothing is left, and return its transitions."""
    made: list[Transition] = []
    while more := await kit.unblock_pending():
        made += more
    return made


@redrive.case
async def closes_no_circle(kit: Kit) -> None:
    """A chain cannot be redriven that would wait for one that waits for it; nothing is written."""
    chain = await kit.start()
    cancelled = await kit.start("other", blockers=(chain,))
    await kit.cancel(cancelled)
    await kit.close(outcome=Blocks((cancelled,), on_failure=OnFailure.WAIT))
    await _refused(kit, InvalidArgument, cancelled)
    equal(await kit.status(cancelled), Status.CANCELLED, "the status")


@redrive.case
async def takes_nothing_and_the_same_twice(kit: Kit) -> None:
    """An empty batch does nothing, and a chain named twice is redriven once."""
    made: Sequence[Transition] = await kit.redrive()
    equal(list(made), [], "the transitions of an empty batch")
    chain = await _failed(kit)
    equal(chains(await kit.redrive(chain, chain), Verb.REDRIVE), [chain], "the chains redriven")


@redrive.case
async def can_be_rolled_back(kit: Kit) -> None:
    """A redrive in a transaction that rolls back leaves the chain closed, with its outcome and its key as before."""
    chain = await _failed(kit, dedup=KEY)
    async with abandoned(kit) as tx:
        await kit.redrive(chain, tx=tx)
        equal(await kit.status(chain, tx=tx), Status.READY, "the status inside")
        equal(await kit.status(chain), Status.FAILED, "the status outside")
    equal((await kit.outcome(chain)).failure, FAILURE, "the failure after the rollback")
    equal([one.generation for one in await kit.adapter.attempts(chain, 0)], [0], "the generations")
    await kit.start(dedup=KEY)
