"""Interrupted at any statement, every verb leaves work that can be carried on to the end that it would have come to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from _pytest.mark import ParameterSet

from otelq.model import Verb
from otelq_verify.crashpoints import SCENARIOS, CrashStage, Interruption, Scenario, line, sweep
from otelq_verify.crashpoints.scenarios import BY_NAME

from .conftest import DRIVERS, OF_URLS, OTHERS

FAULTS = frozenset(Interruption)


def _tries() -> Iterator[ParameterSet]:
    """Yield every scenario with both stores; the stores take turns in every run, and `make verify` tries all."""
    for (turn, driver), (number, scenario) in product(enumerate(OF_URLS), enumerate(SCENARIOS)):
        marks = [] if (turn + number) % 2 else [pytest.mark.verify]
        yield pytest.param(driver, scenario, marks=marks, id=f"{DRIVERS[driver]}-{scenario.name.replace(' ', '-')}")


@pytest.mark.parametrize("stage, scenario", [*_tries()], indirect=["stage"], scope="module")
async def test_the_work_goes_on_wherever_a_verb_was_interrupted(stage: CrashStage, scenario: Scenario) -> None:
    [swept] = [swept async for swept in sweep(stage, [scenario], faults=FAULTS, in_turn=True)]

    assert swept.statements > 0
    if not swept.survived:
        pytest.fail(line(swept), pytrace=False)


MAIN = (
    "completion(): continue a chain",
    "tx=: start a chain",
)
"""What a driver does by itself: begin, hand over and end a transaction, its own and the caller's."""
MORE = (
    "claim",
    "complete a job that others wait for",
    "start chains with dedup keys",
    "cancel",
    "transaction(): start two chains",
)
"""More of it, for `make verify`; `python -m otelq_verify crashpoints URL --driver ...` runs all scenarios."""


@pytest.mark.parametrize("stage", OTHERS, indirect=True, scope="module")
@pytest.mark.parametrize("name", [*MAIN, *(pytest.param(name, marks=pytest.mark.verify) for name in MORE)])
async def test_the_work_goes_on_by_every_driver(stage: CrashStage, name: str) -> None:
    [swept] = [swept async for swept in sweep(stage, [BY_NAME[name]], faults=FAULTS, in_turn=True)]

    if not swept.survived:
        pytest.fail(line(swept), pytrace=False)


@pytest.mark.parametrize("stage", ["aiosqlite"], indirect=True)
async def test_every_verb_is_among_the_scenarios(stage: CrashStage) -> None:
    seen = {verb async for swept in sweep(stage, SCENARIOS, faults=()) for verb in swept.seen}

    assert seen == set(Verb)


def test_every_scenario_has_a_name_of_its_own() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
