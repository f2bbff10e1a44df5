"""Tokens: only the holder of a job's current lease moves it."""

from __future__ import annotations

from otelq.model import (
    Claimed,
    Completes,
    Continues,
    Fails,
    Lease,
    Outcome,
    Releases,
    Retries,
    Settlement,
    SettleResult,
    Snoozes,
    Status,
    Successor,
    Verb,
)

from ..cases import Theme
from ..kit import FAILURE, Kit, before_the_end, chains, equal, ids, true

fence = Theme[Kit]("fence")

OUTCOMES: dict[str, Outcome] = {
    "completes": Completes('"late"'),
    "continues": Continues(Successor(type="next", input="1")),
    "retries": Retries(5, FAILURE),
    "snoozes": Snoozes(5),
    "fails": Fails(FAILURE),
    "releases": Releases(),
}
"""One outcome of each kind."""


async def _overtaken(kit: Kit) -> tuple[Claimed, Claimed]:
    """Return the old claim and the new of a job whose lease ran out and that another worker holds."""
    await kit.start()
    old = await kit.lease(lease=10)
    kit.wait(11)
    await kit.reap()
    return old, await kit.lease()


async def _expect_lost(kit: Kit, job: Claimed, result: SettleResult = SettleResult.LOST) -> None:
    """Demand that every outcome of a lost job gets the result and moves nothing."""
    for name, outcome in OUTCOMES.items():
        settled = await kit.settle(job, outcome)
        equal(settled.results, (result,), f"the result where the worker {name}")
        equal(settled.transitions, (), f"the transitions where the worker {name}")


def _holds_against(name: str, outcome: Outcome) -> None:
    async def check(kit: Kit) -> None:
        old, new = await _overtaken(kit)
        settled = await kit.settle(old, outcome)
        equal((settled.results, settled.transitions), ((SettleResult.LOST,), ()), "what the old holder gets")
        await kit.done(new)
        equal((await kit.outcome(new.lease.chain_id)).output, "1", "the output, which is the new holder's")

    fence.add(
        f"holds_against_a_worker_that_{name}",
        f"A worker whose job another one holds gets LOST where it {name}, and moves nothing.",
        check,
    )


for _name, _outcome in OUTCOMES.items():
    _holds_against(_name, _outcome)


@fence.case
async def falls_with_the_reaper(kit: Kit) -> None:
    """A job taken back by the reaper is lost to its holder, also before another worker claims it."""
    await kit.start()
    job = await kit.lease(lease=10)
    kit.wait(11)
    await kit.reap()
    await _expect_lost(kit, job)


@fence.case
async def holds_until_the_job_is_reaped(kit: Kit) -> None:
    """A lease that ran out but was not taken back still lets its holder settle."""
    await kit.start()
    job = await kit.lease(lease=10)
    kit.wait(60)
    await kit.done(job)


@fence.case
async def falls_with_a_released_claim(kit: Kit) -> None:
    """A job of a released claim is lost to that claim."""
    await kit.start()
    job = await kit.lease()
    await kit.release_claim(job.lease.token)
    await _expect_lost(kit, job)


@fence.case
async def falls_with_a_finish(kit: Kit) -> None:
    """A running job closed from outside is lost to its worker."""
    chain = await kit.start()
    job = await kit.lease()
    await kit.complete_externally(chain, Completes('"outside"'))
    await _expect_lost(kit, job)
    equal(await kit.renew(job.lease), [SettleResult.LOST], "the result on renewing")
    equal((await kit.outcome(chain)).output, '"outside"', "the output")


@fence.case
async def falls_with_a_finish_into_a_successor(kit: Kit) -> None:
    """A worker whose job was continued from outside has no hold on the successor."""
    chain = await kit.start()
    job = await kit.lease()
    await kit.complete_externally(chain, Continues(Successor(type="next", input="1")))
    await _expect_lost(kit, job)
    equal(ids(await kit.claim("next")), [chain], "the successor claimed")


@fence.case
async def forgets_a_cancel_that_was_redriven(kit: Kit) -> None:
    """A lease that is lost after its chain was cancelled and redriven is LOST, not CANCELLED."""
    chain = await kit.start()
    await kit.cancel(chain)
    await kit.redrive(chain)
    job = await kit.lease()
    await kit.take_over(chain)
    await _expect_lost(kit, job)


@fence.case
async def reports_a_cancel(kit: Kit) -> None:
    """A worker whose chain was cancelled gets CANCELLED, for settling as for renewing."""
    chain = await kit.start()
    job = await kit.lease()
    await kit.cancel(chain)
    equal(list(await kit.renew(job.lease)), [SettleResult.CANCELLED], "the result on renewing")
    await _expect_lost(kit, job, SettleResult.CANCELLED)
    equal(await kit.status(chain), Status.CANCELLED, "the chain's status")


@fence.case
async def falls_with_a_delete(kit: Kit) -> None:
    """A worker whose chain was deleted gets LOST."""
    chain = await kit.start()
    job = await kit.lease()
    await kit.delete(chain)
    await _expect_lost(kit, job)
    equal(list(await kit.renew(job.lease)), [SettleResult.LOST], "the result on renewing")


@fence.case
async def knows_only_its_tokens(kit: Kit) -> None:
    """A token that was never given, or that of another position, moves nothing."""
    await kit.start()
    job = await kit.lease()
    forged = (
        Lease(job.lease.chain_id, job.lease.position, job.lease.token + 1),
        Lease(job.lease.chain_id, job.lease.position + 1, job.lease.token),
        Lease(kit.id(), job.lease.position, job.lease.token),
    )
    for lease in forged:
        settled = await kit.settle(_under(job, lease), Completes('"forged"'))
        equal(settled.results, (SettleResult.LOST,), f"the result on settling under {lease}")
        equal(list(await kit.renew(lease)), [SettleResult.LOST], f"the result on renewing {lease}")
    await kit.done(job)


def _under(job: Claimed, lease: Lease) -> Claimed:
    return Claimed(
        lease=lease,
        type=job.type,
        queue=job.queue,
        chain_type=job.chain_type,
        input=job.input,
        attempt=job.attempt,
        crashes=job.crashes,
        priority=job.priority,
        due_at=job.due_at,
        created_at=job.created_at,
        chain_created_at=job.chain_created_at,
        claimed_at=job.claimed_at,
        leased_until=job.leased_until,
    )


@fence.case
async def harms_no_neighbour(kit: Kit) -> None:
    """In a batch the lost item is lost and its neighbours are written; results come in the order given."""
    old, new = await _overtaken(kit)
    await kit.create(kit.job(), kit.job())
    first, second = await kit.claim(limit=2)
    batch = [Settlement(job, Completes("1"), "worker") for job in (first, old, second)]
    settled = await kit.settle_all(*batch)
    equal(settled.results, (SettleResult.DONE, SettleResult.LOST, SettleResult.DONE), "the verdicts")
    equal(sorted(chains(settled.transitions, Verb.COMPLETE)), ids([first, second]), "the chains completed")
    equal(list(await kit.renew(first.lease, new.lease)), [SettleResult.LOST, SettleResult.DONE], "verdicts on renewing")


@fence.case
async def is_renewed_from_now(kit: Kit) -> None:
    """A renewal holds the lease for so many seconds from now."""
    chain = await kit.start()
    job = await kit.lease(lease=30)
    kit.wait(20)
    equal(list(await kit.renew(job.lease, seconds=30)), [SettleResult.DONE], "the result")
    equal((await kit.tail(chain)).leased_until, kit.after(30), "the end of the lease")
    kit.wait(29)
    equal(list(await kit.reap()), [], "jobs reaped before the renewed lease ran out")
    kit.wait(2)
    equal(len(await kit.reap()), 1, "jobs reaped after it")


@fence.case
async def is_renewed_after_it_ran_out(kit: Kit) -> None:
    """A lease that ran out but was not taken back is extended."""
    await kit.start()
    job = await kit.lease(lease=10)
    kit.wait(60)
    equal(list(await kit.renew(job.lease)), [SettleResult.DONE], "the result")
    equal(list(await kit.reap()), [], "jobs reaped")


@fence.case
async def is_not_renewed_past_the_deadline(kit: Kit) -> None:
    """No renewal passes the deadline, and at the deadline the lease is lost."""
    chain = await kit.start()
    job = await kit.lease(lease=30, timeout=60)
    deadline = kit.after(60)
    kit.wait(40)
    equal(list(await kit.renew(job.lease, seconds=30)), [SettleResult.DONE], "the result before the deadline")
    equal((await kit.tail(chain)).leased_until, deadline, "the end of the lease")
    kit.wait(20)
    equal(list(await kit.renew(job.lease, seconds=30)), [SettleResult.LOST], "the result at the deadline")
    kit.wait(1)
    equal(len(await kit.reap()), 1, "jobs reaped after the deadline")


@fence.case
async def is_not_renewed_for_another(kit: Kit) -> None:
    """The old holder's renewal is LOST and leaves the new holder's lease as it is."""
    old, new = await _overtaken(kit)
    equal(list(await kit.renew(old.lease, seconds=900)), [SettleResult.LOST], "the result")
    equal((await kit.tail(new.lease.chain_id)).leased_until, new.leased_until, "the end of the lease")


@fence.case
async def is_renewed_without_waiting(kit: Kit) -> None:
    """A renewal never waits: a lease that an open transaction is closing is BUSY, neither lost nor extended."""
    chain = await kit.start()
    job = await kit.lease()
    async with kit.adapter.begin() as tx:
        await kit.complete_externally(chain, tx=tx)
        renewing = await before_the_end(kit.renew(job.lease), patience=5)
        true(renewing.done(), "a renewal waited for a transaction")
        equal(list(await renewing), [SettleResult.BUSY], "the result")


@fence.case
async def takes_an_empty_batch(kit: Kit) -> None:
    """Renewing or settling nothing is fine."""
    equal(list(await kit.renew()), [], "verdicts on renewing nothing")
    equal((await kit.settle_all()).results, (), "verdicts on settling nothing")
