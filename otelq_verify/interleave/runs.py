"""Runs of the named cases and the machine without a test framework, with a report for people."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from otelq.ports.state import StateAdapter

from ..runner import failure_of
from .cases import ANYWHERE, BY_STATEMENT, Schedule, run_schedule
from .machine import machine_on
from .stage import Finding, Stage, opened

Factory = Callable[[], StateAdapter]


@dataclass(frozen=True, slots=True)
class Interleaved:
    """The result of a case or of the machine: a remark, and its finding if there is one."""

    name: str
    remark: str
    finding: str | None

    @property
    def passed(self) -> bool:
        return self.finding is None

    def __str__(self) -> str:
        line = f"{'ok  ' if self.passed else 'FAIL'}  {self.name}: {self.remark}"
        return line if self.finding is None else f"{line}\n\n{self.finding}\n"


def run_interleavings(
    factory: Factory, *, schema: str, examples: int, steps: int, only: str = ""
) -> Iterator[Interleaved]:
    """Run the named cases that suit the adapter, then the machine, with other schedules every time."""
    yield from asyncio.run(_run_cases(factory, schema, only))
    if only in "InterleavingMachine":
        yield _run_machine(factory, schema, examples=examples, steps=steps)


async def _run_cases(factory: Factory, schema: str, only: str) -> list[Interleaved]:
    async with opened(factory) as stage:
        cases = [*ANYWHERE, *(BY_STATEMENT if stage.is_gated else [])]
        return [await _run_case(stage, case, schema) for case in cases if only in case.name]


async def _run_case(stage: Stage, case: Schedule, schema: str) -> Interleaved:
    try:
        await run_schedule(stage, case, schema=schema)
    except Finding as finding:
        return Interleaved(case.name, case.promise, str(finding))
    except Exception as error:
        return Interleaved(case.name, case.promise, "".join(traceback.format_exception(error)))
    return Interleaved(case.name, case.promise, None)


def _run_machine(factory: Factory, schema: str, *, examples: int, steps: int) -> Interleaved:
    with machine_on(factory, schema=schema) as machine:
        error = failure_of(machine, examples=examples, steps=steps)
        remark = f"{machine.seen.total():,} transitions of {len(machine.seen)} verbs"
    return Interleaved("InterleavingMachine", remark, _finding(error) if error else None)


def _finding(error: Exception) -> str:
    notes = "\n".join(getattr(error, "__notes__", ()))
    return f"{error}\n\n{notes}"
