"""Taking back what dead workers hold."""

from __future__ import annotations

from otelq.model import Completes, Fails, JobQuery, Retries, SettleResult, Snoozes, Status, Verb

from ..cases import Theme
from ..kit import FAILURE, Kit, chains, equal, moves, true

reap = Theme[Kit]("reap")

MANY = 2_300
"""Dependents of one chain, of which every store leaves some pending."""


async def _crash(kit: Kit, type: str = "work", seconds: float = 10) -> str:
    """Claim a job and let its lease run out."""
    job = await kit.lease(type, lease=seconds)
    kit.wait(seconds + 1)
    return job.lease.chain_id


@reap.case
async def takes_back_what_ran_out(kit: Kit) -> None:
    """A job whose lease ran out is ready again; the attempt counts, and so does the crash."""
    chain = await kit.start()
    await kit.lease(lease=10)
    kit.wait(9)
    equal(list(await kit.reap()), [], "jobs reaped before the lease ran out")
    kit.wait(2)
    made = await kit.reap()
    equal(moves(made), [(Verb.REAP, Status.RUNNING, Status.READY)], "the transitions")
    equal((made[0].chain_id, made[0].attempt, made[0].worker), (chain, 1, "worker"), "chain, attempt and worker")
    job = await kit.lease()
    equal((job.attempt, job.crashes, job.due_at), (2, 1, kit.now), "attempt, crashes and due time")
    equal(list(await kit.reap()), [], "jobs reaped once more")


@reap.case
async def waits_for_the_delay(kit: Kit) -> None:
    """A rule's delay schedules the job for later."""
    await kit.start()
    await _crash(kit)
    made = await kit.reap(delay=60)
    equal(moves(made), [(Verb.REAP, Status.RUNNING, Status.SCHEDULED)], "the transitions")
    equal(made[0].due_at, kit.after(60), "when the job becomes due")
    kit.wait(59)
    true(not await kit.claim(), "a job was claimed before the delay was over")
    kit.wait(1)
    await kit.lease()


@reap.case
async def fails_when_attempts_are_spent(kit: Kit) -> None:
    """A job that lost its last attempt fails, and says why."""
    chain = await kit.start()
    await kit.close(outcome=Retries(0, FAILURE))
    await _crash(kit)
    made = await kit.reap(max_attempts=2)
    equal(moves(made), [(Verb.REAP, Status.RUNNING, Status.FAILED)], "the transitions")
    outcome = await kit.outcome(chain)
    equal(outcome.status, Status.FAILED, "the chain's status")
    true(outcome.failure is not None, "a chain that the reaper failed does not say why")


@reap.case
async def fails_when_crashes_are_spent(kit: Kit) -> None:
    """A job fails with the crash that reaches ``max_crashes``, however many attempts it may have."""
    await kit.start()
    for target in (Status.READY, Status.READY, Status.FAILED):
        await _crash(kit)
        made = await kit.reap(max_attempts=None, max_crashes=3)
        equal(moves(made), [(Verb.REAP, Status.RUNNING, target)], "the transitions")


@reap.case
async def counts_crashes_of_the_job_alone(kit: Kit) -> None:
    """Failed and snoozed attempts are no crashes."""
    await kit.start()
    await kit.close(outcome=Retries(0, FAILURE))
    await kit.close(outcome=Snoozes(0))
    await _crash(kit)
    equal(moves(await kit.reap(max_crashes=2)), [(Verb.REAP, Status.RUNNING, Status.READY)], "the transitions")
    equal((await kit.lease()).crashes, 1, "the crashes counted")


@reap.case
async def goes_by_the_rules(kit: Kit) -> None:
    """Only types with a rule are reaped, each by its own."""
    await kit.create(*(kit.job(type) for type in ("a", "b", "c")))
    for type in ("a", "b", "c"):
        await kit.lease(type, lease=1)
    kit.wait(2)
    equal(moves(await kit.reap("a", max_crashes=1)), [(Verb.REAP, Status.RUNNING, Status.FAILED)], "the type a")
    equal(moves(await kit.reap("b")), [(Verb.REAP, Status.RUNNING, Status.READY)], "the type b")
    equal(moves(await kit.reap("c")), [(Verb.REAP, Status.RUNNING, Status.READY)], "the type c")


@reap.case
async def spares_living_leases(kit: Kit) -> None:
    """Leases under a spared token are left alone and stay their holder's."""
    await kit.create(kit.job(), kit.job())
    mine, other = await kit.lease(lease=10), await kit.lease(lease=10)
    kit.wait(11)
    made = await kit.reap(except_tokens=[mine.lease.token, kit.token()])
    equal([move.chain_id for move in made], [other.lease.chain_id], "the chains reaped")
    equal(list(await kit.renew(mine.lease)), [SettleResult.DONE], "the result on renewing the spared lease")


@reap.case
async def keeps_to_its_limit(kit: Kit) -> None:
    """A call takes back as many as its limit allows; calling again takes the rest."""
    await kit.create(*(kit.job() for _ in range(5)))
    await kit.claim(limit=5, lease=10)
    kit.wait(11)
    equal([len(await kit.reap(limit=2)) for _ in range(4)], [2, 2, 1, 0], "jobs reaped by four calls")


@reap.case
async def frees_and_fails_as_any_failure(kit: Kit) -> None:
    """A chain that the reaper fails also fails the chains that wait for it."""
    blocker = await kit.start()
    dependent = await kit.start("other", blockers=(blocker,))
    await _crash(kit)
    made = await kit.reap(max_attempts=1)
    equal(chains(made, Verb.FAIL_BY_BLOCKER), [dependent], "the chains that failed with it")


@reap.case
async def leaves_what_moved_on(kit: Kit) -> None:
    """Jobs that were closed, retried or renewed in time are not reaped."""
    await kit.create(*(kit.job() for _ in range(4)))
    first, second, third, fourth = await kit.claim(limit=4, lease=10)
    await kit.done(first, Completes("1"))
    await kit.done(second, Retries(0, FAILURE))
    await kit.done(third, Fails(FAILURE))
    kit.wait(5)
    await kit.renew(fourth.lease, seconds=10)
    kit.wait(6)
    equal(list(await kit.reap()), [], "jobs reaped")


@reap.case
async def keeps_a_record(kit: Kit) -> None:
    """An attempt that the reaper ended is listed among the attempts."""
    chain = await kit.start()
    await _crash(kit)
    await kit.reap()
    (record,) = await kit.adapter.attempts(chain, 0)
    equal((record.number, record.verb, record.worker), (1, Verb.REAP, "worker"), "number, ending and worker")
    equal(record.ended_at, kit.now, "when it ended")


@reap.case
async def can_be_foreseen(kit: Kit) -> None:
    """``next_maintenance`` is the seconds until the first lease of the types runs out, but those excepted."""
    equal(await kit.next_maintenance(), None, "the answer of an empty store")
    await kit.create(kit.job("work"), kit.job("work"), kit.job("other"), kit.job("work", delay=5))
    equal(await kit.next_maintenance(), None, "the answer where no job runs")
    first = await kit.lease("work", lease=60)
    await kit.lease("work", lease=90)
    await kit.lease("other", lease=10)
    equal(await kit.next_maintenance(), 60.0, "seconds until the first lease of the type runs out")
    equal(await kit.next_maintenance("work", "other"), 10.0, "seconds until the first lease of both types does")
    equal(await kit.next_maintenance(except_tokens=[first.lease.token]), 90.0, "seconds for all leases but one")
    kit.wait(61)
    equal(await kit.next_maintenance(), 0.0, "seconds for a lease that ran out")
    await kit.reap()
    equal(await kit.next_maintenance(), 29.0, "seconds after a reap")


@reap.case
async def foresees_what_expires(kit: Kit) -> None:
    """``next_maintenance`` counts the time by which a job must start, unless it was started."""
    await kit.create(kit.job("other", expires=40), kit.job("work", expires=20))
    equal(await kit.next_maintenance(), 20.0, "seconds until a job expires")
    await kit.lease("work", lease=30)
    equal(await kit.next_maintenance(), 30.0, "seconds until the lease of a started job runs out")
    kit.wait(40)
    equal(await kit.next_maintenance("none"), 0.0, "seconds for a job of any type that has expired")
    await kit.expire()
    equal(await kit.next_maintenance("none"), None, "the answer once it is expired")


@reap.case
async def foresees_pending_dependents(kit: Kit) -> None:
    """``next_maintenance`` is 0 while dependents of a closed chain are pending."""
    blocker = await kit.start("blocker")
    await kit.create(*(kit.job(blockers=(blocker,)) for _ in range(MANY)))
    await kit.cancel(blocker)
    blocked = JobQuery(statuses=frozenset({Status.BLOCKED}), limit=1)
    true(bool((await kit.adapter.jobs(blocked)).items), f"no dependent of {MANY} is pending")
    while (await kit.adapter.jobs(blocked)).items:
        equal(await kit.next_maintenance(), 0.0, "seconds while dependents are pending")
        await kit.unblock_pending()
    equal(await kit.next_maintenance(), None, "the answer when none is")
