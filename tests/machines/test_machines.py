"""The state machines on every adapter. OTELQ_MACHINE_EXAMPLES asks for more runs than the few of every day."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from otelq.ports.state import StateAdapter
from otelq.testing.machines import ChainMachine, LifeMachine, on

EXAMPLES = int(os.environ.get("OTELQ_MACHINE_EXAMPLES", "15"))
FEW = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("machine", [LifeMachine, ChainMachine])
@pytest.mark.timeout(60 + 2 * EXAMPLES)
def test_adapter_and_model_agree(machine: type[LifeMachine] | type[ChainMachine], backend: str) -> None:
    run_state_machine_as_test(on(machine, _factory(backend)), settings=FEW)


def _factory(url: str) -> Callable[[], StateAdapter]:
    scheme = url.split(":", 1)[0]
    make = import_module("otelq.postgres" if scheme.startswith("postgres") else f"otelq.{scheme}").adapter
    return lambda: make(url)
