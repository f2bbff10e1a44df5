"""Interrupted at any statement, every verb leaves work that can be carried on to the end that it would have come to."""

from __future__ import annotations

import pytest

from otelq.model import Verb
from otelq.testing.crashpoints import SCENARIOS, Scenario, Stage, line, sweep


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name.replace(" ", "-") for scenario in SCENARIOS])
async def test_the_work_goes_on_wherever_a_verb_was_interrupted(stage: Stage, scenario: Scenario) -> None:
    [swept] = [swept async for swept in sweep(stage, [scenario], in_turn=True)]

    assert swept.statements > 0
    if not swept.survived:
        pytest.fail(line(swept), pytrace=False)


@pytest.mark.parametrize("stage", ["sqlite"], indirect=True)
async def test_every_verb_is_among_the_scenarios(stage: Stage) -> None:
    seen = {verb async for swept in sweep(stage, SCENARIOS, faults=()) for verb in swept.seen}

    assert seen == set(Verb)


def test_every_scenario_has_a_name_of_its_own() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
