"""Chains wait for others, which end."""

from __future__ import annotations

from collections.abc import Sequence

from otelq.model import Blocks, Completes, Continues, Dedup, Fails, OnFailure, Successor, Transition, Until

from ...conformance.kit import FAILURE
from ..scenario_kit import Scenario, ScenarioKit, World
from .arrangement import hold, leased, settles, wait_for

MANY = 1000
"""As many as the end of a chain fails in one commit."""


async def _two_blockers(scene: ScenarioKit) -> World:
    """Arrange two jobs under lease, and chains that wait for both, for either, and for one of them."""
    blockers = [await scene.start("other", dedup=Dedup(f"key {n}")) for n in range(2)]
    held = await hold(scene, 2)
    await wait_for(scene, *blockers)
    await wait_for(scene, *blockers, until=Until.ANY)
    await wait_for(scene, blockers[1], on_failure=OnFailure.IGNORE)
    return World(held=tuple(held))


async def _a_cascade(scene: ScenarioKit) -> World:
    """Arrange a chain with dependents that have dependents, one of them with a key and one that waits on failures."""
    blocker = await scene.start("other")
    held = await hold(scene)
    [ring] = await wait_for(scene, blocker, dedup=Dedup("key"))
    await wait_for(scene, ring.chain_id, times=2)
    await wait_for(scene, blocker, on_failure=OnFailure.IGNORE)
    return World(held=tuple(held), chains=(blocker,))


async def _left_over(scene: ScenarioKit) -> World:
    """Arrange a chain that failed, with a dependent that ignores failures and is still pending."""
    blocker = await scene.start("other")
    if scene.adapter.name == "sqlite":  # no row can be locked there, so there are more dependents than one commit fails
        await wait_for(scene, blocker, times=MANY)
    [patient] = await wait_for(scene, blocker, on_failure=OnFailure.IGNORE)
    if scene.adapter.name == "sqlite":
        await scene.cancel(blocker)
        return World()
    async with scene.adapter.begin() as tx:
        await scene.adapter.lock([patient.chain_id], tx=tx)
        await scene.cancel(blocker)
    return World()


async def _beside_others(scene: ScenarioKit) -> World:
    """Arrange a job under lease, an open chain with a dependent, and a closed chain."""
    mine = await scene.start("other")
    held = await hold(scene)
    await wait_for(scene, mine)
    closed = await scene.start()
    await scene.complete_externally(closed)
    return World(held=tuple(held), chains=(await scene.start(), closed))


async def _blocks(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    return await settles(Blocks(world.chains))(scene, world)


async def _blocks_on_the_closed(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    return await settles(Blocks(world.chains[1:]))(scene, world)


async def _continues_and_waits(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    return await settles(Continues(Successor(type="next", input="2", blockers=world.chains)))(scene, world)


async def _beside_a_lost_one(scene: ScenarioKit) -> World:
    world = await _beside_others(scene)
    lost = await scene.start()
    await scene.cancel(lost)
    return World(held=world.held, chains=(world.chains[0], lost))


async def _unblocks_pending(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    return await scene.unblock_pending()


WAITING = (
    Scenario(
        name="complete a job that others wait for",
        arrange=leased(waiting=3),
        act=settles(Completes("1")),
        is_same=True,
    ),
    Scenario(
        name="complete two blockers at once",
        arrange=_two_blockers,
        act=settles(Completes("1")),
        is_same=True,
    ),
    Scenario(
        name="complete one blocker and fail the other",
        arrange=_two_blockers,
        act=settles(Completes("1"), Fails(FAILURE)),
        is_same=True,
    ),
    Scenario(name="fail a job that others wait for", arrange=_a_cascade, act=settles(Fails(FAILURE)), is_same=True),
    Scenario(name="wait for other chains", arrange=_beside_others, act=_blocks, is_same=True),
    Scenario(name="wait for a closed chain", arrange=_beside_others, act=_blocks_on_the_closed, is_same=True),
    Scenario(name="wait for a lost chain", arrange=_beside_a_lost_one, act=_blocks, is_same=True),
    Scenario(name="continue a chain that waits", arrange=_beside_others, act=_continues_and_waits, is_same=True),
    Scenario(
        name="continue a chain that is lost at once", arrange=_beside_a_lost_one, act=_continues_and_waits, is_same=True
    ),
    Scenario(name="unblock what is pending", arrange=_left_over, act=_unblocks_pending),
)
