"""Arrangements of worlds, and the acts that many scenarios share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otelq.model import Claimed, ClaimRequest, NewJob, Outcome, Settlement, SettleResult, Transition

from ...conformance.kit import equal
from ..scenario_kit import Act, Arrange, ScenarioKit, World


def requested(*given: dict[str, Any]) -> Arrange:
    """Arrange chains that are still to be started, each with these fields."""

    async def arrange(scene: ScenarioKit) -> World:
        return World(jobs=tuple([scene.job(**fields) for fields in given]))

    return arrange


def leased(number: int = 1, *, waiting: int = 0, **fields: Any) -> Arrange:
    """Arrange jobs under lease, and so many dependents for each."""

    async def arrange(scene: ScenarioKit) -> World:
        blockers = [await scene.start("other", **fields) for _ in range(number)]
        held = await hold(scene, number)
        for blocker in blockers:
            await wait_for(scene, blocker, times=waiting)
        return World(held=tuple(held), chains=tuple(blockers), tokens=(scene.token(),))

    return arrange


async def hold(scene: ScenarioKit, number: int = 1, *, type: str = "other") -> Sequence[Claimed]:
    """Claim so many jobs."""
    held, _ = await scene.claim_arms(ClaimRequest(type=type, limit=number, lease=30))
    equal(len(held), number, "jobs claimed")
    return held


async def wait_for(scene: ScenarioKit, *blockers: str, times: int = 1, **fields: Any) -> list[NewJob]:
    """Start chains that wait."""
    jobs = [scene.job("next", blockers=blockers, **fields) for _ in range(times)]
    if jobs:
        await scene.create(*jobs)
    return jobs


async def creates(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    """Start chains."""
    return (await scene.create(*world.jobs))[1]


async def creates_again(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    """Start the chains under the same ids, as a repetition."""
    return (await scene.create(*world.jobs, again=True))[1]


def settles(*outcomes: Outcome) -> Act:
    """Settle all that is held: with one outcome each, or with the same."""

    async def act(scene: ScenarioKit, world: World) -> Sequence[Transition]:
        given = outcomes if len(outcomes) > 1 else outcomes * len(world.held)
        items = [Settlement(job, outcome, "worker") for job, outcome in zip(world.held, given, strict=True)]
        settled = await scene.settle_all(*items)
        equal(set(settled.results), {SettleResult.DONE}, "the verdicts on leases that are held")
        return settled.transitions

    return act
