"""
The conformance kit: promises of a port as cases, run against any adapter.

A case is data: a name, one sentence, and a coroutine function that takes a kit and raises ``Broken`` where the
adapter breaks the promise. No test framework is needed; ``run_cases`` gives a report for people.

``Kit`` is what the cases of a state adapter work with; those of a notify adapter, and how they are run, are in
``notify_kit``.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from otelq.ports.state import StateAdapter

from .kit import Broken, Kit

K = TypeVar("K")
Factory = Callable[[], StateAdapter]
"""Makes an unopened adapter; the kit opens it and empties its store before every case."""
CASE_TIMEOUT = 30.0
"""Seconds after which a case counts as failed: some lock was never released."""


@dataclass(frozen=True, slots=True)
class Case(Generic[K]):
    """One promise: ``check`` raises where it is broken. ``K`` is what it works with."""

    name: str
    promise: str
    check: Callable[[K], Awaitable[None]]


class Theme(Generic[K]):
    """Collects the cases of one file; their names begin with the theme's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases: list[Case[K]] = []

    def case(self, check: Callable[[K], Awaitable[None]]) -> Callable[[K], Awaitable[None]]:
        """Add a function as a case: its name is the case's, its docstring the promise."""
        self.add(check.__name__, inspect.getdoc(check) or "", check)
        return check

    def add(self, name: str, promise: str, check: Callable[[K], Awaitable[None]]) -> None:
        """Add a case."""
        self.cases.append(Case(f"{self.name}.{name}", promise, check))


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one case; ``error`` is None if the promise holds."""

    case: Case[Any]
    error: BaseException | None

    @property
    def passed(self) -> bool:
        return self.error is None

    @property
    def message(self) -> str:
        """Return one line on the failure; an empty text if there was none."""
        match self.error:
            case None:
                return ""
            case Broken() as broken:
                return str(broken)
            case TimeoutError():
                return f"did not end within {CASE_TIMEOUT:g} seconds"
            case error:
                return f"{type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a run; its text is a table for people."""

    adapter: str
    results: Sequence[Result]

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if not result.passed]

    @property
    def passed(self) -> bool:
        return not self.failed

    def __str__(self) -> str:
        return "\n".join([*self._table(), "", self._sum(), *self._broken()])

    def _table(self) -> list[str]:
        return [f"{'ok  ' if result.passed else 'FAIL'}  {result.case.name}" for result in self.results]

    def _broken(self) -> list[str]:
        lines: list[str] = []
        for result in self.failed:
            lines += ["", result.case.name, f"  promised: {result.case.promise}", f"  but: {result.message}"]
        return lines

    def _sum(self) -> str:
        kept, all_ = len(self.results) - len(self.failed), len(self.results)
        return f"{self.adapter}: {kept} of {all_} promises kept"


async def run_case(factory: Factory, case: Case[Kit]) -> Result:
    """Run one case on an emptied store."""
    adapter = factory()
    try:
        await adapter.open()
        try:
            await adapter.truncate_all()
            async with asyncio.timeout(CASE_TIMEOUT):
                await case.check(Kit(adapter))
        finally:
            await adapter.close()
    except Exception as error:
        return Result(case, error)
    return Result(case, None)


async def run_cases(factory: Factory, cases: Sequence[Case[Kit]]) -> Report:
    """Run cases one after the other, each on an emptied store."""
    results = [await run_case(factory, case) for case in cases]
    return Report(factory().name, results)
