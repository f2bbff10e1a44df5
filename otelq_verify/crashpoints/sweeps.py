"""The sweep: a verb is interrupted at each of its statements in turn, and the work is carried on to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from otelq.errors import InvalidArgument
from otelq.model import JobQuery, Transition, Verb
from otelq.ports.state import StateAdapter

from ..conformance.kit import Broken
from ..invariants import violations
from .points import Interruption, Point, points
from .recovery import Fates, carry_on, empty_ledger, fates, make_ledger
from .scenario import ArrangedScenario, Scenario, ScenarioKit, VerbResult
from .stages import CrashStage, StatementTrace


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of one scenario: how many statements it has, and what was wrong after which of its points."""

    scenario: Scenario
    statements: int
    points: int
    seen: frozenset[Verb]
    problems: Sequence[str] = field(default=())

    @property
    def survived(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Course:
    """How the scenario goes if nobody interrupts it, and how the work goes if the verb was never made."""

    statements: Sequence[str]
    heard: VerbResult
    done: Fates
    undone: Fates


class Sweep:
    """One database, and the adapter that arranges everything and carries on."""

    def __init__(
        self, stage: CrashStage, survivor: StateAdapter, *, faults: Collection[Interruption], in_turn: bool
    ) -> None:
        self._stage = stage
        self._in_turn = in_turn
        self._faults = [fault for fault in stage.faults if fault in faults]
        self._survivor = survivor
        self._now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)

    async def run(self, scenario: Scenario) -> Swept:
        """Interrupt the scenario at every point."""
        course = await self._course(scenario)
        problems: list[str] = []
        todo = list(points(course.statements, self._faults, in_turn=self._in_turn))
        for point in todo:
            problems += [f"{point}: {problem}" for problem in await self._survive(scenario, course, point)]
        seen = frozenset(made.verb for made in course.heard.transitions) | scenario.silent
        return Swept(scenario, len(course.statements), len(todo), seen, problems)

    async def _course(self, scenario: Scenario) -> Course:
        scene = await self._new_scene(scenario)
        await scenario.arrange(scene)
        await carry_on(scene)
        undone = await fates(scene, of_ledger=scenario.writes)
        async with self._interrupted(scenario, None) as (scene, trace):
            if trace.heard is None or trace.heard.problem:
                raise Broken(f"{scenario.name}, undisturbed, {trace.heard.problem if trace.heard else 'died'}")
            await carry_on(scene)
            return Course(trace.statements, trace.heard, await fates(scene, of_ledger=scenario.writes), undone)

    async def _survive(self, scenario: Scenario, course: Course, point: Point) -> list[str]:
        """What is wrong after an interruption."""
        async with self._interrupted(scenario, point) as (scene, trace):
            problems = [trace.problem] if trace.problem else []
            if trace.heard is None:
                problems += await self._violations(scene, "at once")
            problems += _misheard(trace.heard, course, scenario)
            try:
                await carry_on(scene)
            except Broken as broken:
                problems.append(str(broken))
            problems += await self._violations(scene, "at the end")
            return problems + _wrong(await fates(scene, of_ledger=scenario.writes), course, trace, scenario)

    @asynccontextmanager
    async def _interrupted(
        self, scenario: Scenario, point: Point | None
    ) -> AsyncGenerator[tuple[ScenarioKit, StatementTrace]]:
        scene = await self._new_scene(scenario)
        world = await scenario.arrange(scene)
        play = ArrangedScenario(scenario=scenario, world=world, now=scene.now, ledger=scene.ledger)
        async with self._stage.perform(play, point) as trace:
            yield scene, trace

    async def _new_scene(self, scenario: Scenario) -> ScenarioKit:
        """An empty store, at the same time as ever and with the same ids to come."""
        scene = ScenarioKit(self._survivor, now=self._now, ledger=self._stage.ledger)
        await self._survivor.truncate_all()
        if scenario.writes:
            await empty_ledger(scene)
        return scene

    async def _violations(self, scene: ScenarioKit, when: str) -> list[str]:
        async with scene.adapter.begin() as tx:
            return [f"{when} {found}" for found in await violations(tx.handle, self._stage.schema)]


async def sweep(
    stage: CrashStage,
    scenarios: Iterable[Scenario],
    *,
    faults: Collection[Interruption] = frozenset(Interruption),
    in_turn: bool = False,
) -> AsyncGenerator[Swept]:
    """
    Interrupt scenarios, one after the other, at every statement by each of these faults that can happen there.

    With ``in_turn`` the statements of a verb get one fault each, one after the other, and only its commits get all.
    The schema is made, and left empty.

    Raises:
        InvalidArgument: jobs are stored there.
    """
    survivor = stage.adapter()
    await survivor.open()
    try:
        await _refuse_what_is_in_use(survivor, stage.schema)
        await make_ledger(ScenarioKit(survivor, now=datetime.now(UTC), ledger=stage.ledger))
        try:
            for scenario in scenarios:
                yield await Sweep(stage, survivor, faults=faults, in_turn=in_turn).run(scenario)
        finally:
            await survivor.truncate_all()
    finally:
        await survivor.close()


async def _refuse_what_is_in_use(survivor: StateAdapter, schema: str) -> None:
    if (await survivor.jobs(JobQuery(limit=1))).items:
        raise InvalidArgument("schema", f"is {schema!r}, which holds jobs; drop it if nobody needs them")


def _misheard(heard: VerbResult | None, course: Course, scenario: Scenario) -> list[str]:
    """What was told that was not so, or was not told though it should have been."""
    if heard is None:
        return []
    if heard.problem:
        return [f"it {heard.problem}"]
    told, expected = _counted(heard.transitions), _counted(course.heard.transitions)
    too_many, too_few = told - expected, expected - told
    problems = [f"tells {times} x {what}" for what, times in too_many.items()]
    if scenario.is_same or not heard.was_repeated:
        problems += [f"does not tell {what}" for what in too_few]
    return problems


def _counted(made: Sequence[Transition]) -> Counter[str]:
    return Counter(f"{one.verb} of {one.chain_id}.{one.position} from {one.source} to {one.target}" for one in made)


def _wrong(found: Fates, course: Course, trace: StatementTrace, scenario: Scenario) -> list[str]:
    """Chains that did not come to what they should: of one who died, either with the verb or without it."""
    if trace.heard is not None:
        return _unlike(found, course.done)
    if found == course.done or found == course.undone:
        return []
    if scenario.is_whole:
        return [f"neither done nor undone, but {problem}" for problem in _unlike(found, course.done)]
    either = {chain: fate for chain, fate in found.items() if fate != course.undone.get(chain)}
    return _unlike(either, {chain: fate for chain, fate in course.done.items() if chain in either})


def _unlike(found: Fates, expected: Fates) -> list[str]:
    return [
        f"chain {chain} came to {found.get(chain)}, expected {expected.get(chain)}"
        for chain in sorted(found.keys() | expected.keys())
        if found.get(chain) != expected.get(chain)
    ]
