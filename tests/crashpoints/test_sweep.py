"""Interrupted at any statement, every verb leaves work that can be carried on to the end that it would have come to."""

from __future__ import annotations

import pytest

from otelq.model import Verb
from otelq_verify.crashpoints import SCENARIOS, CrashStage, Interruption, Scenario, line, sweep
from otelq_verify.crashpoints.scenarios import BY_NAME

from .conftest import OTHERS

FAULTS = frozenset(Interruption)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name.replace(" ", "-") for scenario in SCENARIOS])
async def test_the_work_goes_on_wherever_a_verb_was_interrupted(stage: CrashStage, scenario: Scenario) -> None:
    [swept] = [swept async for swept in sweep(stage, [scenario], faults=FAULTS, in_turn=True)]

    assert swept.statements > 0
    if not swept.survived:
        pytest.fail(line(swept), pytrace=False)


MAIN = (
    "claim",
    "complete a job that others wait for",
    "start chains with dedup keys",
    "cancel",
    "completion(): continue a chain",
    "transaction(): start two chains",
    "tx=: start a chain",
)
"""The scenarios for drivers of pools and engines; `python -m otelq_verify crashpoints URL --driver ...` runs all."""


@pytest.mark.parametrize("stage", OTHERS, indirect=True, scope="module")
@pytest.mark.parametrize("name", MAIN)
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
