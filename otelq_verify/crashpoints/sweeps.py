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
from .recovery import ChainResults, carry_on, chain_results, empty_ledger, make_ledger
from .scenario_kit import ArrangedScenario, Scenario, ScenarioKit, VerbResult
from .stages import CrashStage, StatementTrace


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of one scenario: how many statements and points it has, and the problems found."""

    scenario: Scenario
    statements: int
    points: int
    seen: frozenset[Verb]
    problems: Sequence[str] = field(default=())

    @property
    def survived(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Baseline:
    """The results of the scenario if nothing interrupts it, and the results if the verb is never made."""

    statements: Sequence[str]
    result: VerbResult
    done: ChainResults
    undone: ChainResults


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
        baseline = await self._baseline(scenario)
        problems: list[str] = []
        todo = list(points(baseline.statements, self._faults, in_turn=self._in_turn))
        for point in todo:
            problems += [f"{point}: {problem}" for problem in await self._survive(scenario, baseline, point)]
        seen = frozenset(made.verb for made in baseline.result.transitions) | scenario.silent
        return Swept(scenario, len(baseline.statements), len(todo), seen, problems)

    async def _baseline(self, scenario: Scenario) -> Baseline:
        scene = await self._new_scene(scenario)
        await scenario.arrange(scene)
        await carry_on(scene)
        undone = await chain_results(scene, of_ledger=scenario.writes)
        async with self._interrupted(scenario, None) as (scene, trace):
            if trace.result is None or trace.result.problem:
                raise Broken(f"{scenario.name}, undisturbed, {trace.result.problem if trace.result else 'died'}")
            await carry_on(scene)
            return Baseline(
                trace.statements, trace.result, await chain_results(scene, of_ledger=scenario.writes), undone
            )

    async def _survive(self, scenario: Scenario, baseline: Baseline, point: Point) -> list[str]:
        """Return the problems after one interruption."""
        async with self._interrupted(scenario, point) as (scene, trace):
            problems = [trace.problem] if trace.problem else []
            # The memory of the process is lost: the tables alone must keep the invariants, before any recovery.
            if trace.result is None:
                problems += await self._violations(scene, "at once")
            problems += _wrong_transitions(trace.result, baseline, scenario)
            try:
                await carry_on(scene)
            except Broken as broken:
                problems.append(str(broken))
            problems += await self._violations(scene, "at the end")
            return problems + _wrong(await chain_results(scene, of_ledger=scenario.writes), baseline, trace, scenario)

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
        """Return a kit on an emptied store, with the same time and the same ids as in every run."""
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


def _wrong_transitions(result: VerbResult | None, baseline: Baseline, scenario: Scenario) -> list[str]:
    """Return the transitions that were reported and did not happen, and those that should have been reported."""
    if result is None:
        return []
    if result.problem:
        return [f"it {result.problem}"]
    reported, expected = _counted(result.transitions), _counted(baseline.result.transitions)
    too_many, too_few = reported - expected, expected - reported
    problems = [f"reports {times} x {what}" for what, times in too_many.items()]
    if scenario.is_same or not result.was_repeated:
        problems += [f"does not report {what}" for what in too_few]
    return problems


def _counted(made: Sequence[Transition]) -> Counter[str]:
    return Counter(f"{one.verb} of {one.chain_id}.{one.position} from {one.source} to {one.target}" for one in made)


def _wrong(found: ChainResults, baseline: Baseline, trace: StatementTrace, scenario: Scenario) -> list[str]:
    """Return the chains with a wrong result. If the process died, results with and without the verb are both right."""
    if trace.result is not None:
        return _unlike(found, baseline.done)
    if found == baseline.done or found == baseline.undone:
        return []
    if scenario.is_whole:
        return [f"neither done nor undone, but {problem}" for problem in _unlike(found, baseline.done)]
    either = {chain: result for chain, result in found.items() if result != baseline.undone.get(chain)}
    return _unlike(either, {chain: result for chain, result in baseline.done.items() if chain in either})


def _unlike(found: ChainResults, expected: ChainResults) -> list[str]:
    return [
        f"chain {chain} came to {found.get(chain)}, expected {expected.get(chain)}"
        for chain in sorted(found.keys() | expected.keys())
        if found.get(chain) != expected.get(chain)
    ]
