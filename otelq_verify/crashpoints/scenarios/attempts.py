"""Verbs of workers on jobs without dependents."""

from __future__ import annotations

from collections.abc import Sequence

from otelq.model import (
    ClaimRequest,
    ClaimSuccessor,
    Completes,
    Continues,
    Dedup,
    Fails,
    ReapRule,
    Releases,
    Retries,
    SettleResult,
    Snoozes,
    Successor,
    Transition,
    Verb,
)

from ...conformance.kit import FAILURE, equal
from ..scenario_kit import Scenario, ScenarioKit, World
from .arrangement import hold, leased, settles, wait_for

NEXT = Successor(type="next", input="2")


async def _ready(scene: ScenarioKit) -> World:
    """Arrange two jobs that are due, one of which has crashed before, and two tokens."""
    await scene.start("other")
    await hold(scene)
    scene.wait(60)
    await scene.reap("other")
    await scene.start("other")
    return World(tokens=(scene.token(), scene.token()))


async def _claims(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    wanted = ClaimRequest(type="other", limit=2, lease=30)
    return (await scene.claim_arms(wanted, token=world.tokens[0]))[1]


async def _claims_again(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    """Release what the first claim may have leased and claim again, as a worker does that got no reply."""
    await scene.release_claim(world.tokens[0])
    return (await scene.claim_arms(ClaimRequest(type="other", limit=2, lease=30), token=world.tokens[1]))[1]


async def _releases_claim(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    return await scene.release_claim(world.held[0].lease.token)


async def _renews(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    verdicts = await scene.renew(*[job.lease for job in world.held])
    equal(set(verdicts), {SettleResult.DONE}, "the verdicts on leases that are held")
    return ()


async def _expired(scene: ScenarioKit) -> World:
    """Arrange two leases that have run out. One job has spent its attempts, and has a dependent."""
    spent = await scene.start("other", dedup=Dedup("key"))
    await hold(scene)
    await scene.take_over(spent)
    await scene.start("other")
    await hold(scene, 2)
    await wait_for(scene, spent, times=2)
    scene.wait(60)
    return World()


async def _reaps(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    rule = ReapRule(type="other", max_attempts=2, max_crashes=5, delay=60)
    return await scene.adapter.reap([rule], now=scene.now)


WORKING = (
    Scenario(name="claim", arrange=_ready, act=_claims, repeat=_claims_again),
    Scenario(name="release a claim", arrange=leased(2), act=_releases_claim),
    Scenario(name="renew leases", arrange=leased(2), act=_renews, is_same=True, silent=frozenset({Verb.RENEW})),
    Scenario(name="reap", arrange=_expired, act=_reaps),
    Scenario(name="complete a job", arrange=leased(), act=settles(Completes("1")), is_same=True),
    Scenario(
        name="complete jobs with dedup keys",
        arrange=leased(dedup=Dedup("key")),
        act=settles(Completes("1")),
        is_same=True,
    ),
    Scenario(name="fail a job", arrange=leased(), act=settles(Fails(FAILURE)), is_same=True),
    Scenario(name="retry a job", arrange=leased(), act=settles(Retries(60, FAILURE)), is_same=True),
    Scenario(name="snooze a job", arrange=leased(), act=settles(Snoozes(60)), is_same=True),
    Scenario(name="release a job", arrange=leased(), act=settles(Releases()), is_same=True),
    Scenario(name="continue a chain", arrange=leased(dedup=Dedup("key")), act=settles(Continues(NEXT)), is_same=True),
    Scenario(
        name="continue a chain with the same worker",
        arrange=leased(),
        act=settles(Continues(NEXT, ClaimSuccessor(token=1 << 40, lease=30))),
        is_same=True,
    ),
    Scenario(
        name="settle a batch of all kinds",
        arrange=leased(6, waiting=1),
        act=settles(*(Completes("1"), Fails(FAILURE), Retries(60, FAILURE), Snoozes(60), Releases(), Continues(NEXT))),
        is_same=True,
        is_whole=False,
    ),
)
