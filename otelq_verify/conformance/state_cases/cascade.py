"""Chains deleted together with those they waited for."""

from __future__ import annotations

from otelq.errors import NotFound, StillReferenced
from otelq.model import Blocks, Continues, Successor, Verb

from ..cases import Theme
from ..kit import Kit, abandoned, chains, equal, raises, true

cascade = Theme[Kit]("cascade")


async def _next(kit: Kit, type: str, *blockers: str) -> None:
    await kit.close(type, Continues(Successor(type="next", input="1", blockers=blockers)))


@cascade.case
async def takes_the_blockers_along(kit: Kit) -> None:
    """The blockers of a chain are deleted with it, and theirs in turn, open or closed."""
    root = await kit.start("root")
    sides = [await kit.start("side", blockers=(root,)) for _ in range(2)]
    chain = await kit.start(blockers=tuple(sides))
    await kit.close("root")
    made = await kit.delete(chain, cascade=True)
    equal(sorted(chains(made, Verb.DELETE)), sorted([chain, *sides, root]), "the chains deleted")
    for each in (chain, *sides, root):
        true(not await kit.exists(each), "a chain that was deleted is there")


@cascade.case
async def takes_the_blockers_of_every_job(kit: Kit) -> None:
    """The blockers of all jobs of a chain are deleted with it, those of later jobs and later waits too."""
    first, second, third = [await kit.start("blocker") for _ in range(3)]
    chain = await kit.start(blockers=(first,))
    await kit.close("blocker")
    await kit.close(outcome=Blocks((second,)))
    await kit.close("blocker")
    await _next(kit, "work", third)
    made = await kit.delete(chain, cascade=True)
    equal(set(chains(made, Verb.DELETE)), {chain, first, second, third}, "the chains deleted")
    equal(len(made), 5, "the jobs deleted")


@cascade.case
async def takes_the_blockers_of_a_blockers_later_jobs(kit: Kit) -> None:
    """The set grows through the later jobs of blockers as well."""
    blocker, far = await kit.start("blocker"), await kit.start("far")
    chain = await kit.start(blockers=(blocker,))
    await _next(kit, "blocker", far)
    made = await kit.delete(chain, cascade=True)
    equal(set(chains(made, Verb.DELETE)), {chain, blocker, far}, "the chains deleted")


@cascade.case
async def leaves_others_alone(kit: Kit) -> None:
    """Chains that have nothing to do with the set stay, and so do the blockers where the call does not ask for them."""
    other, blocker = await kit.start("other"), await kit.start("blocker")
    chain, second = await kit.start(blockers=(blocker,)), await kit.start("second", blockers=(other,))
    await kit.delete(chain, cascade=True)
    equal([await kit.exists(one) for one in (other, second, blocker)], [True, True, False], "which are there")
    await kit.delete(second)
    true(await kit.exists(other), "a blocker was deleted without a cascade")


@cascade.case
async def refuses_blockers_that_others_wait_for(kit: Kit) -> None:
    """Where a chain outside the set has one of its chains as a blocker it is StillReferenced; nothing is written."""
    blocker = await kit.start("blocker")
    side = await kit.start("side", blockers=(blocker,))
    chain, outside = await kit.start(blockers=(side,)), await kit.start("outside", blockers=(blocker,))
    with raises(StillReferenced, "a cascade to a blocker of another chain"):
        await kit.delete(chain, cascade=True)
    equal([await kit.exists(one) for one in (chain, side, blocker)], [True] * 3, "which are there")
    made = await kit.delete(chain, outside, cascade=True)
    equal(len(made), 4, "the jobs deleted together with the other")


@cascade.case
async def refuses_missing_chains(kit: Kit) -> None:
    """A missing chain is NotFound; nothing is written."""
    chain = await kit.start(blockers=(await kit.start("blocker"),))
    with raises(NotFound, "a cascade from a chain that does not exist"):
        await kit.delete(chain, kit.id(), cascade=True)
    true(await kit.exists(chain), "a chain was deleted by a call that was refused")


@cascade.case
async def goes_down_a_long_line(kit: Kit) -> None:
    """A line of blockers of any length is deleted whole."""
    chain = await kit.start()
    for _ in range(300):
        chain = await kit.start(blockers=(chain,))
    equal(len(await kit.delete(chain, cascade=True)), 301, "the jobs deleted")
    equal(await kit.claim(), [], "the jobs left to claim")


@cascade.case
async def can_be_rolled_back(kit: Kit) -> None:
    """A cascade in a transaction that rolls back deletes nothing, and the dependents still wait."""
    blocker = await kit.start("blocker")
    chain = await kit.start(blockers=(blocker,))
    async with abandoned(kit) as tx:
        equal(len(await kit.delete(chain, cascade=True, tx=tx)), 2, "the jobs deleted inside")
    equal(chains(await kit.close("blocker"), Verb.UNBLOCK), [chain], "the chains unblocked after the rollback")
