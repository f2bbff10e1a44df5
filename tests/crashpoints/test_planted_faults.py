"""The sweep notices what it is there for: verbs that are done by halves, told falsely, lost, or left to nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from otelq.model import Transition
from otelq_verify.crashpoints import Interruption, Scenario, line, summary, sweep
from otelq_verify.crashpoints.points import Counting, Point, brief
from otelq_verify.crashpoints.scenario_kit import ScenarioKit, World
from otelq_verify.crashpoints.scenarios.arrangement import creates, requested
from otelq_verify.crashpoints.wire_stage import WireStage
from tests.servers import PostgresServer

from .conftest import SCHEMA


@pytest.fixture
def stage(postgres18: PostgresServer) -> Iterator[WireStage]:
    url = postgres18.create_migrated_database()
    yield WireStage(url, schema=SCHEMA)
    postgres18.drop_database(url)


async def _starts_one_by_one(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    return [made for job in world.jobs for made in (await scene.create(job))[1]]


async def _starts_the_first(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    return (await scene.create(world.jobs[0]))[1]


async def _starts_the_second(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    return (await scene.create(world.jobs[1]))[1]


async def _tells_twice(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    made = await creates(scene, world)
    return [*made, *made]


async def _tells_nothing(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    await scene.create(*world.jobs, again=True)
    return ()


async def _fails(scene: ScenarioKit, world: World) -> Sequence[Transition]:
    raise OSError("the network is down")


PLANTED: Sequence[tuple[Scenario, Interruption, str]] = [
    (
        Scenario(name="halves", arrange=requested({}, {}), act=_starts_one_by_one),
        Interruption.KILLED,
        "neither done nor undone, but chain",
    ),
    (
        Scenario(name="doubles", arrange=requested({}, {}), act=_starts_the_first, repeat=_starts_the_second),
        Interruption.UNANSWERED,
        "expected None",  # the repetition made a chain of its own
    ),
    (
        Scenario(name="lies", arrange=requested({}), act=creates, repeat=_tells_twice),
        Interruption.UNSENT,
        "reports 1 x create of",
    ),
    (
        Scenario(name="silences", arrange=requested({}), act=creates, repeat=_tells_nothing, is_same=True),
        Interruption.UNANSWERED,
        "does not report create of",
    ),
    (
        Scenario(name="leaks", arrange=requested({}), act=creates, repeat=_fails),
        Interruption.UNSENT,
        "raises, made again, builtins.OSError: the network is down",
    ),
]


@pytest.mark.parametrize("scenario, fault, problem", PLANTED, ids=[scenario.name for scenario, _, _ in PLANTED])
async def test_a_broken_promise_is_named_with_the_point(
    stage: WireStage, scenario: Scenario, fault: Interruption, problem: str
) -> None:
    [swept] = [swept async for swept in sweep(stage, [scenario], faults=[fault])]

    assert not swept.survived
    assert any(f"{fault} statement" in one and problem in one for one in swept.problems), line(swept)


async def test_a_report_names_verbs_statements_and_points_and_says_that_all_survived(stage: WireStage) -> None:
    sound = Scenario(name="start a chain", arrange=requested({}), act=creates)

    [swept] = [swept async for swept in sweep(stage, [sound], faults=[Interruption.UNSENT])]

    assert line(swept) == f"ok    start a chain (create): {swept.statements} statements, {swept.points} points"
    assert summary([swept]).endswith("points: all survived")


async def test_a_report_of_what_was_not_survived_says_so(stage: WireStage) -> None:
    scenario, fault, _ = PLANTED[0]

    [swept] = [swept async for swept in sweep(stage, [scenario], faults=[fault])]

    assert line(swept).startswith("FAIL  halves (create): ")
    assert summary([swept]).endswith("1 of 1 scenarios were not survived")


async def test_other_statements_than_were_counted_are_a_problem() -> None:
    counting = Counting(Point(Interruption.UNSENT, 2, "SELECT 2"))

    assert [counting.is_at("SELECT 1"), counting.is_at("SELECT 3")] == [False, True]
    assert counting.problems == ["made other statements than before: SELECT 1; SELECT 3"]


def test_a_statement_is_named_by_its_beginning_without_comments() -> None:
    assert brief("-- Why.\nSELECT\n  1 -- one") == "SELECT 1"
    assert len(brief("SELECT " + "1 + " * 100)) < 70
