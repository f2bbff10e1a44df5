"""Verbs that the application makes from outside."""

from __future__ import annotations

from collections.abc import Sequence

from otelq.errors import InvalidArgument, JobAlreadyClosed, NotFound
from otelq.model import Amendment, Completes, Continues, Dedup, Successor, Transition

from ..scenario_kit import Act, Scenario, ScenarioKit, World
from .arrangement import hold, wait_for

NEXT = Continues(Successor(type="next", input="2"))


async def tied(scene: ScenarioKit) -> World:
    """Arrange a running chain with a key, one that waits for it, and one that waits for both."""
    first = await scene.start("other", dedup=Dedup("key"))
    await hold(scene)
    [second] = await wait_for(scene, first)
    await wait_for(scene, first, second.chain_id)
    return World(chains=(first, second.chain_id))


async def _cancelled(scene: ScenarioKit) -> World:
    """Arrange two cancelled chains: one had a key, the other waited for it."""
    world = await tied(scene)
    await scene.cancel(*world.chains)
    return world


async def _referring(scene: ScenarioKit) -> World:
    """Arrange a chain that waits for two others, of which one is closed. All are deleted with it."""
    closed = await scene.start("other", dedup=Dedup("key", scope="any"))
    await scene.complete_externally(closed, step="other")
    [waits] = await wait_for(scene, closed, await scene.start("other"))
    return World(chains=(waits.chain_id,))


async def _running(scene: ScenarioKit) -> World:
    chains = await scene.start("other"), await scene.start("other")
    await hold(scene, 2)
    return World(chains=chains)


async def planned(scene: ScenarioKit) -> World:
    return World(chains=(await scene.start("other", delay=60), await scene.start("other", delay=60)))


async def _overdue(scene: ScenarioKit) -> World:
    """Arrange chains that were not started in time, one of which has a dependent."""
    late = await scene.start("other", expires=30, dedup=Dedup("key"))
    await scene.start("other", expires=30)
    await wait_for(scene, late)
    scene.wait(60)
    return World()


def _on_all(verb: str, **fields: object) -> Act:
    """Return the act of making a verb on all the chains."""

    async def act(scene: ScenarioKit, world: World) -> Sequence[Transition]:
        made: Sequence[Transition] = await getattr(scene, verb)(*world.chains, **fields)
        return made

    return act


async def _amends(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    first, second = world.chains
    return await scene.amend_all(
        Amendment(chain_id=first, priority=3, input='"amended"'), Amendment(chain_id=second, delay=120)
    )


def _finishes(outcome: Completes | Continues) -> Act:
    async def act(scene: ScenarioKit, world: World) -> Sequence[Transition]:
        first, second = world.chains
        return await scene.complete_all_externally((first, "other", outcome), (second, "next", Completes("1")))

    return act


async def _expires(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    return await scene.expire()


REQUESTING = (
    Scenario(name="cancel", arrange=tied, act=_on_all("cancel"), refusals=(JobAlreadyClosed,)),
    Scenario(name="complete from outside", arrange=tied, act=_finishes(Completes("1")), refusals=(JobAlreadyClosed,)),
    Scenario(name="continue from outside", arrange=tied, act=_finishes(NEXT), refusals=(JobAlreadyClosed,)),
    Scenario(name="redrive", arrange=_cancelled, act=_on_all("redrive"), refusals=(InvalidArgument,)),
    Scenario(name="delete", arrange=_referring, act=_on_all("delete", cascade=True), refusals=(NotFound,)),
    Scenario(name="trigger", arrange=planned, act=_on_all("trigger")),
    Scenario(name="amend", arrange=planned, act=_amends),
    Scenario(name="take over", arrange=_running, act=_on_all("take_over"), refusals=(InvalidArgument,)),
    Scenario(name="expire", arrange=_overdue, act=_expires),
)
