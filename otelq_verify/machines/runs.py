"""Runs of the machines without a test framework, with a report for people."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from otelq.model import Verb
from otelq.ports.state import StateAdapter

from ..runner import failure_of
from .machine import StoreMachine, on


@dataclass(frozen=True, slots=True)
class MachineRun:
    """The result of one machine: how often it made each verb, and the shortest way to a failure, if there is one."""

    name: str
    seen: Counter[Verb]
    failure: str | None

    @property
    def passed(self) -> bool:
        return self.failure is None

    def __str__(self) -> str:
        mark = "ok  " if self.passed else "FAIL"
        line = f"{mark}  {self.name}: {self.seen.total():,} transitions of {len(self.seen)} verbs"
        return line if self.failure is None else f"{line}\n\n{self.failure}"


def run_machines(
    machines: Sequence[type[StoreMachine]], factory: Callable[[], StateAdapter], *, examples: int, steps: int
) -> Iterator[MachineRun]:
    """Run machines one after the other, each for so many examples of so many steps, which differ every time."""
    for machine in machines:
        bound = on(machine, factory)
        error = failure_of(bound, examples=examples, steps=steps)
        failure = "".join(traceback.format_exception(error)) if error else None
        yield MachineRun(machine.__name__, bound.seen, failure)
