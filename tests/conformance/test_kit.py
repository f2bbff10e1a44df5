"""The kit against the SQLite adapter with a planted fault: every case is seen to fail, each fault to be caught."""

from __future__ import annotations

import asyncio

import pytest

from otelq.ports.state import StateAdapter
from otelq.sqlite import adapter
from otelq_verify.conformance.cases import Case, Report, Result, run_case, run_cases
from otelq_verify.conformance.kit import Broken, Kit
from otelq_verify.conformance.state_cases import CASES

from .caught import caught
from .faults import FAULTS, Fault
from .trial import results_with

CAUGHT = caught()
BY_NAME = {case.name: case for case in CASES}


def sound() -> StateAdapter:
    return adapter("memory://")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
async def test_a_fault_is_caught_by_the_cases_of_the_table(fault: Fault) -> None:
    cases = [BY_NAME[name] for name in CAUGHT[fault.name]]

    results = await results_with(fault, cases)

    assert cases
    assert not [result.case.name for result in results if result.passed]


def test_every_case_is_seen_to_fail() -> None:
    assert set(BY_NAME) == {name for names in CAUGHT.values() for name in names}


def test_the_table_names_every_fault() -> None:
    assert sorted(CAUGHT) == sorted(fault.name for fault in FAULTS)


async def _keeps(kit: Kit) -> None:
    await kit.start()


async def _breaks(kit: Kit) -> None:
    raise Broken("expected one thing, found another")


async def _errs(kit: Kit) -> None:
    raise KeyError("oops")


async def test_a_report_shows_every_case_and_explains_each_failure() -> None:
    cases = [
        Case("theme.keeps", "It keeps.", _keeps),
        Case("theme.breaks_it", "It does not break.", _breaks),
        Case("theme.errs", "It does not err.", _errs),
    ]

    report = await run_cases(sound, cases)

    assert str(report).splitlines() == [
        "ok    theme.keeps",
        "FAIL  theme.breaks_it",
        "FAIL  theme.errs",
        "",
        "sqlite: 1 of 3 promises kept",
        "",
        "theme.breaks_it",
        "  promised: It does not break.",
        "  but: expected one thing, found another",
        "",
        "theme.errs",
        "  promised: It does not err.",
        "  but: KeyError: 'oops'",
    ]
    assert [result.case.name for result in report.failed] == ["theme.breaks_it", "theme.errs"]


def test_a_report_without_failures_ends_with_the_count() -> None:
    report = Report("memory", [Result(Case("theme.keeps", "It keeps.", _keeps), None)])

    assert report.passed
    assert str(report).endswith("memory: 1 of 1 promises kept")


async def test_a_case_that_does_not_end_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelq_verify.conformance.cases.CASE_TIMEOUT", 0.01)

    async def waits(kit: Kit) -> None:
        await asyncio.Event().wait()

    result = await run_case(sound, Case("theme.waits", "It ends.", waits))

    assert result.message == "did not end within 0.01 seconds"
