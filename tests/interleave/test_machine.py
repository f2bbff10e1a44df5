"""The machine on real stores. OTELQ_INTERLEAVINGS asks for more runs than the few of every day."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from otelq_verify.interleave import machine_on

from .factories import factory

EXAMPLES = int(os.environ.get("OTELQ_INTERLEAVINGS", "12"))
EVERY_DAY = "OTELQ_INTERLEAVINGS" not in os.environ
FEW = settings(
    max_examples=EXAMPLES,
    stateful_step_count=15,
    deadline=None,
    derandomize=EVERY_DAY,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
@pytest.mark.timeout(120 + 12 * EXAMPLES)
def test_whatever_the_order_of_statements_and_commits_nothing_breaks(backend: str) -> None:
    with machine_on(factory(backend)) as machine:
        run_state_machine_as_test(machine, settings=FEW)

    assert machine.seen
