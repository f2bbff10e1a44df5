"""The kit of the notify port against notifiers with a planted fault: every case is seen to fail, each fault caught."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

import pytest

from otelq.inprocess import notifier
from otelq_verify.conformance import notify_kit
from otelq_verify.conformance.notify_cases import NOTIFY_CASES, NOTIFY_THEMES, notify_cases_for
from otelq_verify.conformance.notify_kit import NotifyFactory, run_notify_case, run_notify_cases

from .faults import Fault
from .notify_faults import NOTIFY_FAULTS
from .place import Place

CAUGHT: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "caught_notify.toml").read_text())
BY_NAME = {case.name: case for case in NOTIFY_CASES}


def shared() -> NotifyFactory:
    """Makes adapters of one place."""
    return Place().adapter


@pytest.mark.parametrize("case", notify_cases_for(notifier()), ids=[case.name for case in notify_cases_for(notifier())])
async def test_the_notifier_within_one_process_keeps_its_promise(case: notify_kit.NotifyCase) -> None:
    result = await run_notify_case(notifier, case)

    assert result.passed, result.message


async def test_a_notifier_of_a_shared_place_keeps_all_promises() -> None:
    report = await run_notify_cases(shared(), NOTIFY_CASES)

    assert report.passed, str(report)


@pytest.mark.parametrize("fault", NOTIFY_FAULTS, ids=[fault.name for fault in NOTIFY_FAULTS])
async def test_a_fault_is_caught_by_the_cases_of_the_table(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify_kit, "PATIENCE", 0.4)  # what never comes need not be waited for so long
    cases = [BY_NAME[name] for name in CAUGHT[fault.name]]

    with fault.planted():
        results = await asyncio.gather(*(run_notify_case(shared(), case) for case in cases))

    assert cases
    assert not [result.case.name for result in results if result.passed]


def test_every_case_is_seen_to_fail() -> None:
    assert set(BY_NAME) == {name for names in CAUGHT.values() for name in names}


def test_the_table_names_every_fault() -> None:
    assert sorted(CAUGHT) == sorted(fault.name for fault in NOTIFY_FAULTS)


def test_every_case_has_a_name_of_its_own_and_a_promise() -> None:
    assert len(BY_NAME) == len(NOTIFY_CASES)
    assert all(case.promise.endswith(".") and "\n" not in case.promise for case in NOTIFY_CASES)


def test_every_theme_is_listed() -> None:
    folder = Path(notify_kit.__file__).parent / "notify_cases"

    assert {theme.name for theme in NOTIFY_THEMES} == {file.stem for file in folder.glob("[a-z]*.py")}


def test_a_notifier_that_keeps_to_itself_is_spared_the_cases_about_others() -> None:
    left_out = set(BY_NAME) - {case.name for case in notify_cases_for(notifier())}

    assert left_out == {name for name in BY_NAME if name.startswith("peers.")}
