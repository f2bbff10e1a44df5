"""Leasing jobs that are due."""

from __future__ import annotations

import asyncio

from otelq.model import ClaimRequest, ClaimSuccessor, Continues, Status, Successor, Verb

from ..cases import Theme
from ..kit import Kit, before_the_end, equal, ids, moves, patience_of, true

claim = Theme[Kit]("claim")


async def _suspects(kit: Kit, number: int, type: str = "work") -> list[str]:
    """Start jobs and let each crash once."""
    jobs = [kit.job(type) for _ in range(number)]
    await kit.create(*jobs)
    await kit.claim(type, number, lease=1)
    kit.wait(2)
    equal(len(await kit.reap(type)), number, "jobs reaped")
    return [job.chain_id for job in jobs]


@claim.case
async def returns_what_it_leased(kit: Kit) -> None:
    """A claim returns the job under its lease, and one transition with all its fields."""
    chain = await kit.start(trace="00-trace")
    created, token = kit.now, kit.token()
    kit.wait(10)
    (job,), made = await kit.claim_arms(ClaimRequest(type="work", limit=1, lease=30), worker="w1", token=token)
    equal((job.lease.chain_id, job.lease.position, job.lease.token), (chain, 0, token), "the lease")
    equal((job.attempt, job.crashes, job.blockers), (1, 0, 0), "attempt, crashes and blockers")
    equal((job.due_at, job.claimed_at, job.leased_until), (created, kit.now, kit.after(30)), "the times")
    equal(moves(made), [(Verb.CLAIM, Status.READY, Status.RUNNING)], "the transitions")
    move = made[0]
    equal((move.attempt, move.worker, move.trace), (1, "w1", "00-trace"), "the transition's attempt, worker, trace")
    equal((move.at, move.due_at, move.created_at), (kit.now, created, created), "the transition's times")


@claim.case
async def is_shown_in_the_record(kit: Kit) -> None:
    """A claimed job is running, and its record names the worker and the end of the lease."""
    chain = await kit.start()
    await kit.claim_arms(ClaimRequest(type="work", limit=1, lease=30), worker="w1")
    record = await kit.tail(chain)
    equal((record.status, record.attempt), (Status.RUNNING, 1), "status and attempt")
    equal((record.leased_by, record.leased_until), ("w1", kit.after(30)), "worker and end of the lease")


@claim.case
async def goes_by_priority_then_due_time_then_id(kit: Kit) -> None:
    """Jobs of a type come in the order (priority, run_at, chain_id); a lower priority comes first."""
    jobs = [
        kit.job(priority=1, at=kit.after(1)),
        kit.job(priority=0, at=kit.after(3)),
        kit.job(priority=1),
        kit.job(priority=-1, at=kit.after(9)),
        kit.job(priority=0, at=kit.after(2)),
        kit.job(priority=1),
    ]
    await kit.create(*reversed(jobs))
    kit.wait(10)
    expected = [jobs[index].chain_id for index in (3, 4, 1, 2, 5, 0)]
    found = [*ids(await kit.claim(limit=4)), *ids(await kit.claim(limit=4))]
    equal(found, expected, "the order of two claims")


@claim.case
async def keeps_to_the_limit_of_each_arm(kit: Kit) -> None:
    """Each arm takes up to its own limit, whatever the others find."""
    await kit.create(*(kit.job(type) for type in ("a", "b") for _ in range(5)))
    arms = [ClaimRequest(type=type, limit=limit, lease=30) for type, limit in (("a", 2), ("b", 4), ("c", 3))]
    claimed, _ = await kit.claim_arms(*arms)
    equal([job.type for job in claimed].count("a"), 2, "jobs of the arm with the limit 2")
    equal([job.type for job in claimed].count("b"), 4, "jobs of the arm with the limit 4")


@claim.case
async def takes_what_there_is(kit: Kit) -> None:
    """An arm whose limit exceeds the ready jobs takes all of them; an arm with the limit 0 takes none."""
    await kit.create(kit.job("a"), kit.job("a"), kit.job("b"))
    claimed, _ = await kit.claim_arms(
        ClaimRequest(type="a", limit=9, lease=30), ClaimRequest(type="b", limit=0, lease=30)
    )
    equal([job.type for job in claimed], ["a", "a"], "the types claimed")


@claim.case
async def wants_types_alone(kit: Kit) -> None:
    """Only the wanted types are claimed, whichever type the chain began with."""
    await kit.start("first")
    true(not await kit.claim("second"), "a job of another type was claimed")
    await kit.close("first", Continues(Successor(type="second", input="1")))
    true(not await kit.claim("first"), "a job was claimed by the type of its chain")
    equal((await kit.lease("second")).chain_type, "first", "the chain's type")


@claim.case
async def does_not_come_before_the_due_time(kit: Kit) -> None:
    """A scheduled job is claimed from its due time on, without any write, and not before."""
    await kit.start(delay=60)
    kit.wait(59.999)
    true(not await kit.claim(), "a job was claimed a millisecond early")
    kit.wait(0.001)
    _, made = await kit.claim_arms(ClaimRequest(type="work", limit=1, lease=30))
    equal(moves(made), [(Verb.CLAIM, Status.READY, Status.RUNNING)], "the transitions")


@claim.case
async def is_not_held_up_by_the_future(kit: Kit) -> None:
    """Scheduled jobs at a better priority do not hide one that is due."""
    await kit.create(*(kit.job(delay=600, priority=-5) for _ in range(20)))
    due = await kit.start(priority=5)
    equal(ids(await kit.claim(limit=5)), [due], "the jobs claimed")


@claim.case
async def happens_once(kit: Kit) -> None:
    """A running job is not claimed again, also after its lease ran out, until it is reaped."""
    await kit.start()
    await kit.lease(lease=10)
    true(not await kit.claim(), "a running job was claimed")
    kit.wait(60)
    true(not await kit.claim(), "a job was claimed that was not taken back")


@claim.case
async def leaves_closed_jobs_alone(kit: Kit) -> None:
    """Completed and cancelled jobs are not claimed."""
    first, second = await kit.start(), await kit.start()
    await kit.complete_externally(first)
    await kit.cancel(second)
    true(not await kit.claim(limit=5), "a closed job was claimed")


@claim.case
async def ends_at_the_deadline(kit: Kit) -> None:
    """A timeout shorter than the lease ends the lease."""
    await kit.start()
    job = await kit.lease(lease=30, timeout=10)
    equal(job.leased_until, kit.after(10), "the end of the lease")


@claim.case
async def leaves_suspects_when_asked(kit: Kit) -> None:
    """Without ``suspect`` no job is claimed that crashed before; its neighbours are."""
    await _suspects(kit, 2)
    sound = await kit.start()
    equal(ids(await kit.claim(limit=5, suspect=False)), [sound], "the jobs claimed")


@claim.case
async def takes_one_suspect_at_a_time(kit: Kit) -> None:
    """With ``suspect`` a call takes one suspect at most, over all its arms, and sound jobs beside it."""
    crashed = {*await _suspects(kit, 2, "a"), *await _suspects(kit, 2, "b")}
    await kit.create(kit.job("a"), kit.job("b"))
    for expected in (3, 1, 1, 1):
        arms = (ClaimRequest(type=type, limit=5, lease=900) for type in ("a", "b"))
        claimed, _ = await kit.claim_arms(*arms)
        equal(len(claimed), expected, "jobs claimed")
        equal(len(crashed & set(ids(claimed))), 1, "suspects among them")
        equal([job.crashes for job in claimed if job.lease.chain_id in crashed], [1], "crashes of the claimed suspect")


@claim.case
async def counts_a_suspect_within_the_limit(kit: Kit) -> None:
    """A suspect counts towards the limit of its arm."""
    await _suspects(kit, 1)
    await kit.create(kit.job(), kit.job())
    equal(len(await kit.claim(limit=1)), 1, "jobs claimed with the limit 1")
    equal(len(await kit.claim(limit=2)), 2, "jobs claimed with the limit 2")


@claim.case
async def is_exclusive(kit: Kit) -> None:
    """Claims at the same time never share a job."""
    await kit.create(*(kit.job() for _ in range(40)))
    taken = await asyncio.gather(*(kit.claim(limit=10) for _ in range(6)))
    rest = await kit.claim(limit=40)
    found = [chain for claimed in (*taken, rest) for chain in ids(claimed)]
    equal((len(found), len(set(found))), (40, 40), "jobs claimed in all, and different ones")


@claim.case
async def passes_over_what_others_hold(kit: Kit) -> None:
    """A job that an open transaction is closing is never claimed; another one is."""
    held, free = await kit.start(), await kit.start()
    async with kit.adapter.begin() as tx:
        await kit.cancel(held, tx=tx)
        claiming = await before_the_end(kit.claim(limit=2), patience=patience_of(kit))
        if kit.adapter.name == "postgresql":
            true(claiming.done(), "a claim waited for a transaction that holds one of the jobs")
    equal(ids(await claiming), [free], "the jobs claimed")


@claim.case
async def can_be_released(kit: Kit) -> None:
    """Releasing a claim gives back its jobs and their attempts; other claims are unchanged."""
    await kit.create(*(kit.job() for _ in range(3)))
    lost, kept = kit.token(), kit.token()
    await kit.claim(limit=2, token=lost)
    await kit.claim(limit=1, token=kept)
    made = await kit.release_claim(lost)
    equal(moves(made), [(Verb.RELEASE, Status.RUNNING, Status.READY)] * 2, "the transitions")
    again = await kit.claim(limit=5)
    equal([(job.attempt, job.crashes) for job in again], [(1, 0)] * 2, "attempts and crashes after the next claim")
    equal(list(await kit.release_claim(lost)), [], "transitions of disowning once more")


@claim.case
async def can_be_released_after_a_part_moved_on(kit: Kit) -> None:
    """Releasing a claim touches only jobs that still run under the token."""
    await kit.create(kit.job(), kit.job())
    token = kit.token()
    first, second = await kit.claim(limit=2, token=token)
    await kit.done(first)
    made = await kit.release_claim(token)
    equal([move.chain_id for move in made], [second.lease.chain_id], "the chains given back")


@claim.case
async def can_be_released_with_a_claimed_successor(kit: Kit) -> None:
    """A successor claimed under another token is not given back with the claim before it."""
    await kit.start()
    token = kit.token()
    job = await kit.lease(token=token)
    keep = ClaimSuccessor(token=kit.token(), lease=30)
    await kit.done(job, Continues(Successor(type="next", input="1"), keep))
    equal(list(await kit.release_claim(token)), [], "transitions of disowning the claim before")


@claim.case
async def can_be_foreseen(kit: Kit) -> None:
    """``next_due`` is the seconds until the earliest waiting job of the types, 0 if one is due now."""
    await kit.create(kit.job("a", delay=90), kit.job("a", delay=60, priority=9), kit.job("b", delay=30))
    equal(await kit.next_due("a"), 60.0, "seconds until the first job of one type")
    equal(await kit.next_due("a", "b", "c"), 30.0, "seconds until the first job of three types")
    kit.wait(45)
    equal(await kit.next_due("a", "b"), 0.0, "seconds until a job that is due")


@claim.case
async def can_be_foreseen_for_waiting_jobs_alone(kit: Kit) -> None:
    """``next_due`` is None where nothing waits for the clock: running, blocked and closed jobs do not count."""
    equal(await kit.next_due("work"), None, "next_due of an empty store")
    running = await kit.start()
    await kit.lease()
    await kit.start(blockers=(running,))
    await kit.complete_externally(await kit.start())
    equal(await kit.next_due("work"), None, "next_due beside running, blocked and closed jobs")
