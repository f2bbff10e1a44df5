"""Waits that can never end: for chains that do not exist, or that wait for this one."""

from __future__ import annotations

import asyncio

from otelq.errors import InvalidArgument, NotFound, OtelqError, Refused
from otelq.model import (
    Blocks,
    Completes,
    Continues,
    OnFailure,
    Outcome,
    Settled,
    Settlement,
    SettleResult,
    Status,
    Successor,
    Until,
    Verb,
)

from ..cases import Theme
from ..kit import Kit, chains, equal, raises

circles = Theme[Kit]("circles")


def _next(*blockers: str) -> Continues:
    return Continues(Successor(type="next", input="1", blockers=blockers))


async def _blocker(kit: Kit) -> str:
    return await kit.start("blocker")


async def _refused(kit: Kit, outcome: Outcome, error: type[OtelqError] = Refused) -> None:
    """Settle a batch with a bad outcome, for the running job of the type ``work``; nothing may be written."""
    neighbour = await kit.start("neighbour")
    good = Settlement(await kit.lease("neighbour"), Completes("1"), "worker")
    bad = Settlement(await kit.lease(), outcome, "worker")
    with raises(error, "settling a batch with a wait that is refused"):
        await kit.settle_all(good, bad)
    equal(await kit.status(neighbour), Status.RUNNING, "the status of its neighbour in the batch")
    equal(await kit.status(bad.job.lease.chain_id), Status.RUNNING, "the status of the job")
    equal(await kit.blockers(bad.job.lease.chain_id), [], "the blockers of the job")
    await kit.done(good.job)
    await kit.done(bad.job)


@circles.case
async def a_wait_for_a_missing_chain_is_refused(kit: Kit) -> None:
    """A running job cannot wait for a chain that does not exist; nothing of the batch is written."""
    await kit.start()
    await _refused(kit, Blocks((await _blocker(kit), kit.id())))


@circles.case
async def a_wait_for_itself_is_refused_also_where_the_rest_is_enough(kit: Kit) -> None:
    """A job that names its own chain is refused, though another blocker that it names has met its condition."""
    done = await _blocker(kit)
    await kit.close("blocker")
    chain = await kit.start()
    await _refused(kit, Blocks((done, chain), until=Until.ANY))


@circles.case
async def a_continuation_with_a_missing_blocker_is_refused(kit: Kit) -> None:
    """A successor cannot wait for a chain that does not exist; nothing of the batch is written."""
    await kit.start()
    await _refused(kit, _next(await _blocker(kit), kit.id()))


@circles.case
async def a_continuation_from_outside_with_a_missing_blocker_is_not_found(kit: Kit) -> None:
    """Finishing into a successor whose blocker does not exist is NotFound; nothing is written."""
    good, chain = await kit.start(), await kit.start()
    with raises(NotFound, "finishing into a successor with a missing blocker"):
        await kit.complete_all_externally((good, "work", Completes("1")), (chain, "work", _next(kit.id())))
    equal([await kit.status(good), await kit.status(chain)], [Status.READY] * 2, "the statuses")


async def _line(kit: Kit, chain: str, length: int) -> str:
    """Start ``length`` chains, each waiting for the one before, and return the last."""
    for _ in range(length):
        chain = await kit.start("line", blockers=(chain,))
    return chain


def _refuses_circles(length: int) -> None:
    through = ("itself", "one chain", "two chains", "three chains")[length]

    async def a_wait(kit: Kit) -> None:
        await _refused(kit, Blocks((await _line(kit, await kit.start(), length),)))

    async def a_continuation(kit: Kit) -> None:
        await _refused(kit, _next(await _line(kit, await kit.start(), length)))

    async def from_outside(kit: Kit) -> None:
        chain = await kit.start()
        last = await _line(kit, chain, length)
        with raises(InvalidArgument, "finishing into a circle"):
            await kit.complete_externally(chain, _next(last))
        equal(await kit.status(chain), Status.READY, "the status of the chain")

    name = through.replace(" ", "_")
    circles.add(f"a_wait_in_a_circle_through_{name}_is_refused", f"A job cannot wait for {through}.", a_wait)
    for word, check in (("a_continuation", a_continuation), ("a_continuation_from_outside", from_outside)):
        promise = f"{word.replace('_', ' ').capitalize()} cannot close a circle through {through}."
        circles.add(f"{word}_in_a_circle_through_{name}_is_refused", promise, check)


for _length in range(4):
    _refuses_circles(_length)


@circles.case
async def a_circle_through_a_wait_is_refused(kit: Kit) -> None:
    """A job cannot wait for a chain that began to wait for it while it ran."""
    chain, other = await kit.start(), await kit.start("other")
    await kit.close("other", Blocks((chain,)))
    await _refused(kit, Blocks((other,)))


@circles.case
async def a_circle_through_a_continuation_is_refused(kit: Kit) -> None:
    """A job cannot wait for a chain that waits for it in a later job."""
    chain, other = await kit.start(), await kit.start("other")
    await kit.close("other", _next(chain))
    await _refused(kit, Blocks((other,)))


@circles.case
async def a_circle_of_which_one_blocker_is_enough_is_refused(kit: Kit) -> None:
    """It is a circle also where one of the chains could be unblocked by another blocker."""
    chain = await kit.start()
    other = await kit.start("other", blockers=(chain, await _blocker(kit)), until=Until.ANY)
    await _refused(kit, Blocks((other,)))


@circles.case
async def a_circle_within_a_batch_is_refused(kit: Kit) -> None:
    """Two jobs of a batch that would wait for each other are refused."""
    first, second = await kit.start("first"), await kit.start("second")
    one = Settlement(await kit.lease("first"), Blocks((second,)), "worker")
    two = Settlement(await kit.lease("second"), Blocks((first,)), "worker")
    with raises(Refused, "settling two jobs that wait for each other"):
        await kit.settle_all(one, two)
    equal([await kit.status(first), await kit.status(second)], [Status.RUNNING] * 2, "the statuses")


@circles.case
async def a_circle_is_not_closed_at_the_same_time(kit: Kit) -> None:
    """Of two jobs that begin to wait for each other at the same time, one at most does."""
    first, second = await kit.start("first"), await kit.start("second")
    one = Settlement(await kit.lease("first"), Blocks((second,)), "worker")
    two = Settlement(await kit.lease("second"), Blocks((first,)), "worker")
    for _ in range(2):  # a try that finds the other's rows locked may be refused for now
        await asyncio.gather(kit.settle_all(one), kit.settle_all(two), return_exceptions=True)
    found = [await kit.status(first), await kit.status(second)]
    equal(sorted(found), [Status.BLOCKED, Status.RUNNING], "the statuses")


@circles.case
async def a_closed_chain_waits_for_no_other(kit: Kit) -> None:
    """A chain that closed while it waited for this one may be waited for: it is no circle."""
    chain = await kit.start()
    cancelled = await kit.start("other", blockers=(chain,))
    await kit.cancel(cancelled)
    made = await kit.close(outcome=Blocks((cancelled,), on_failure=OnFailure.IGNORE))
    equal(chains(made, Verb.UNBLOCK), [chain], "the chains unblocked")


@circles.case
async def a_chain_that_waits_no_longer_closes_no_circle(kit: Kit) -> None:
    """A chain that was unblocked by another blocker may be waited for: it is no circle."""
    chain, blocker = await kit.start(), await _blocker(kit)
    other = await kit.start("other", blockers=(chain, blocker), until=Until.ANY)
    await kit.complete_externally(blocker, step="blocker")
    await kit.close(outcome=Blocks((other,)))
    equal(chains(await kit.close("other"), Verb.UNBLOCK), [chain], "the chains unblocked")


@circles.case
async def two_ways_are_no_circle(kit: Kit) -> None:
    """A job may wait for two chains that wait for the same third."""
    root = await _blocker(kit)
    sides = [await kit.start("side", blockers=(root,)) for _ in range(2)]
    chain = await kit.start()
    settled: Settled = await kit.settle(await kit.lease(), Blocks(tuple(sides)))
    equal(settled.results, (SettleResult.DONE,), "the result")
    await kit.complete_externally(root, step="blocker")
    made = [move for _ in sides for move in await kit.close("side")]
    equal(chains(made, Verb.UNBLOCK), [chain], "the chains unblocked")
