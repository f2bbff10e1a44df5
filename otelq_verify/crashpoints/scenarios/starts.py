"""Chains are started."""

from __future__ import annotations

from otelq.model import Dedup, OnFailure

from ..scenario_kit import Scenario, ScenarioKit, World
from .arrangement import creates, creates_again, requested


async def beside_blockers(scene: ScenarioKit) -> World:
    """Arrange a chain that is to wait for an open one and a closed one."""
    done = await scene.start("other")
    await scene.complete_externally(done, step="other")
    job = scene.job(blockers=(await scene.start("other"), done))
    return World(jobs=(job, scene.job("next", blockers=(job.chain_id,))))


async def _beside_a_lost_blocker(scene: ScenarioKit) -> World:
    lost = await scene.start("other")
    await scene.cancel(lost)
    waits = scene.job("next", blockers=(lost,), on_failure=OnFailure.IGNORE)
    return World(jobs=(scene.job(blockers=(lost,), dedup=Dedup("key")), waits))


async def beside_a_closed_holder(scene: ScenarioKit) -> World:
    """Arrange a key whose holder has closed, and a free key."""
    holder = await scene.start("work", dedup=Dedup("key", scope="any"))
    await scene.cancel(holder)
    return World(jobs=(scene.job(dedup=Dedup("key")), scene.job(dedup=Dedup("another"))))


async def _beside_a_holder_under_an_alias(scene: ScenarioKit) -> World:
    await scene.start("other", dedup=Dedup("key"))
    known, free = Dedup("key"), Dedup("another")
    return World(jobs=tuple(scene.job(dedup=dedup, aliases=("other",)) for dedup in (known, free)))


STARTING = (
    Scenario(name="start a chain", arrange=requested({}), act=creates, repeat=creates_again, is_same=True),
    Scenario(
        name="start two chains, one planned, one that expires",
        arrange=requested({"delay": 60}, {"type": "next", "expires": 7200}),
        act=creates,
        repeat=creates_again,
        is_same=True,
    ),
    Scenario(
        name="start 500 chains",
        arrange=requested(*[{"type": "work"}] * 500),
        act=creates,
        repeat=creates_again,
        is_same=True,
    ),
    Scenario(
        name="start chains that wait",
        arrange=beside_blockers,
        act=creates,
        repeat=creates_again,
        is_same=True,
    ),
    Scenario(
        name="start chains whose blocker is lost",
        arrange=_beside_a_lost_blocker,
        act=creates,
        repeat=creates_again,
        is_same=True,
    ),
    Scenario(
        name="start chains with dedup keys",
        arrange=beside_a_closed_holder,
        act=creates,
        repeat=creates_again,
        is_same=True,
    ),
    Scenario(
        name="start chains with dedup keys under aliases",
        arrange=_beside_a_holder_under_an_alias,
        act=creates,
        repeat=creates_again,
        is_same=True,
    ),
)
