"""Open jobs held still by a transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from otelq.errors import JobAlreadyClosed, NotFound
from otelq.model import Continues, Status, Successor

from ..cases import Theme
from ..kit import Kit, before_the_end, equal, ids, raises, true
from .complete_externally import MAKE_OPEN

lock = Theme[Kit]("lock")


@lock.case
async def returns_the_open_jobs_in_order(kit: Kit) -> None:
    """Locking returns the open jobs, whatever their status, in the order of the chains given."""
    order = (Status.RUNNING, Status.READY, Status.SCHEDULED, Status.BLOCKED)
    made = [await MAKE_OPEN[status](kit) for status in order]
    given = [made[0], made[2], made[1], made[3]]
    await kit.complete_externally(made[1], Continues(Successor(type="next", input='"two"')))
    async with kit.adapter.begin() as tx:
        found = await kit.adapter.lock(given, tx=tx)
        equal([record.chain_id for record in found], given, "the chains")
        equal([record.position for record in found], [0, 0, 1, 0], "the positions")
        equal((found[0].status, found[0].leased_by), (Status.RUNNING, "worker"), "the running job")
        equal((found[2].type, found[2].input), ("next", '"two"'), "the job that continues")
        equal((found[3].status, found[3].blocked_by), (Status.BLOCKED, 1), "the blocked job")


def _holds_off(name: str, act: Callable[[Kit, str], Awaitable[object]], expected: Status) -> None:
    async def check(kit: Kit) -> None:
        chain = await kit.start()
        async with kit.adapter.begin() as tx:
            await kit.adapter.lock([chain], tx=tx)
            other = await before_the_end(_try(act, kit, chain))
            true(await kit.status(chain) is Status.READY, f"a {name} moved a locked job")
            (again,) = await kit.adapter.lock([chain], tx=tx)
            equal(again.status, Status.READY, "the status inside")
        await other
        if await kit.status(chain) is Status.READY:
            await act(kit, chain)  # the first try skipped the job, or was refused for now
        equal(await kit.status(chain), expected, "the status after the transaction")

    lock.add(
        f"holds_off_a_{name}", f"A {name} waits until the transaction that locked the job ends, or passes over.", check
    )


async def _try(act: Callable[[Kit, str], Awaitable[object]], kit: Kit, chain: str) -> None:
    try:
        await act(kit, chain)
    except Exception as error:
        true(type(error).__name__ == "Unavailable", f"what a locked job raised: {error!r}")


async def _lock_too(kit: Kit, chain: str) -> None:
    async with kit.adapter.begin() as tx:
        await kit.adapter.lock([chain], tx=tx)
        await kit.cancel(chain, tx=tx)


_holds_off("cancel", lambda kit, chain: kit.cancel(chain), Status.CANCELLED)
_holds_off("finish", lambda kit, chain: kit.complete_externally(chain), Status.COMPLETED)
_holds_off("claim", lambda kit, chain: kit.claim(), Status.RUNNING)
_holds_off("second_lock", _lock_too, Status.CANCELLED)


@lock.case
async def sees_what_the_transaction_wrote(kit: Kit) -> None:
    """Locking sees the transaction's own writes."""
    async with kit.adapter.begin() as tx:
        chain = await kit.start(delay=600, tx=tx)
        await kit.trigger(chain, tx=tx)
        (found,) = await kit.adapter.lock([chain], tx=tx)
        equal((found.chain_id, found.status), (chain, Status.READY), "what is locked")


@lock.case
async def refuses_closed_and_missing_chains(kit: Kit) -> None:
    """A closed chain is JobAlreadyClosed, a missing one NotFound; the transaction can go on."""
    closed, good = await kit.start(), await kit.start("other")
    await kit.close()
    async with kit.adapter.begin() as tx:
        for error, chain in ((JobAlreadyClosed, closed), (NotFound, kit.id())):
            with raises(error, "a lock"):
                await kit.adapter.lock([good, chain], tx=tx)
        started = await kit.start(tx=tx)
        equal(list(await kit.adapter.lock([], tx=tx)), [], "the answer about no chains")
    equal(ids(await kit.claim()), [started], "the jobs claimed")
