"""Leases that are ended by request."""

from __future__ import annotations

from otelq.errors import InvalidArgument, JobAlreadyClosed, NotFound, OtelqError
from otelq.model import Completes, SettleResult, Status, Verb

from ..cases import Theme
from ..kit import Kit, chains, equal, moves, raises
from .complete_externally import MAKE_OPEN

take_over = Theme[Kit]("take_over")


@take_over.case
async def ends_a_lease_at_once(kit: Kit) -> None:
    """A running job is ready at once, with the attempt spent and no crash counted."""
    chain = await kit.start()
    await kit.lease(worker="one")
    kit.wait(5)
    (made,) = await kit.take_over(chain)
    equal(moves([made]), [(Verb.TAKE_OVER, Status.RUNNING, Status.READY)], "the transitions")
    equal(
        (made.chain_id, made.attempt, made.worker, made.at), (chain, 1, "one", kit.now), "the fields of the transition"
    )
    record = await kit.tail(chain)
    equal((record.leased_by, record.leased_until, record.attempt), (None, None, 1), "lease and attempt on record")
    job = await kit.lease()
    equal((job.attempt, job.crashes, job.due_at), (2, 0, kit.now), "attempt, crashes and due time")


@take_over.case
async def leaves_crashes_as_they_are(kit: Kit) -> None:
    """Crashes that were counted before stay counted."""
    chain = await kit.start()
    await kit.lease(lease=5)
    kit.wait(10)
    await kit.reap()
    await kit.lease()
    await kit.take_over(chain)
    equal((await kit.lease()).crashes, 1, "the crashes")


@take_over.case
async def fences_the_worker_off(kit: Kit) -> None:
    """The worker that held the job has lost it: it renews nothing and settles nothing."""
    chain = await kit.start()
    job = await kit.lease()
    await kit.take_over(chain)
    equal(list(await kit.renew(job.lease)), [SettleResult.LOST], "the result on a renewal")
    equal((await kit.settle(job, Completes('"late"'))).results, (SettleResult.LOST,), "the result on a settlement")
    equal(await kit.status(chain), Status.READY, "the status")


@take_over.case
async def is_recorded(kit: Kit) -> None:
    """The attempt that was ended is on record."""
    chain = await kit.start()
    job = await kit.lease(worker="one")
    kit.wait(5)
    await kit.take_over(chain)
    (record,) = await kit.adapter.attempts(chain, 0)
    equal((record.verb, record.number, record.token), (Verb.TAKE_OVER, 1, job.lease.token), "verb, number and token")
    equal((record.worker, record.started_at), ("one", job.claimed_at), "worker and beginning")
    equal((record.ended_at, record.failure), (kit.now, None), "end and failure")


async def _refused(kit: Kit, error: type[OtelqError], chain: str) -> None:
    good = await kit.start("good")
    await kit.lease("good")
    with raises(error, "taking over"):
        await kit.take_over(good, chain)
    equal(await kit.status(good), Status.RUNNING, "the status of the good chain")


@take_over.case
async def refuses_what_does_not_run(kit: Kit) -> None:
    """A job that is not running is an InvalidArgument; nothing is written."""
    for status in (Status.BLOCKED, Status.SCHEDULED, Status.READY):
        await _refused(kit, InvalidArgument, await MAKE_OPEN[status](kit))


@take_over.case
async def refuses_closed_and_missing_chains(kit: Kit) -> None:
    """A closed chain is JobAlreadyClosed, a missing one NotFound; nothing is written."""
    chain = await kit.start()
    await kit.close()
    await _refused(kit, JobAlreadyClosed, chain)
    await _refused(kit, NotFound, kit.id())


@take_over.case
async def takes_many_and_none(kit: Kit) -> None:
    """Many jobs can be taken over in one call, each once, or none."""
    given = [await kit.start() for _ in range(3)]
    await kit.claim(limit=3)
    equal(chains(await kit.take_over(*given, given[0]), Verb.TAKE_OVER), given, "the chains taken over")
    equal(list(await kit.take_over()), [], "the transitions of an empty batch")
    equal(len(await kit.claim(limit=9)), 3, "jobs ready")
