"""
The conformance kits: what a state adapter and a notify adapter promise, as cases, run against any adapter.

::

    report = await run_cases(lambda: MyState("my://localhost"), CASES)
    assert report.passed, str(report)

No test framework is needed: a case is data, and a report is a text.
"""

from __future__ import annotations

from .cases import Case, Factory, Report, Result, run_case, run_cases
from .kit import Broken, Kit
from .notify_cases import NOTIFY_CASES, notify_cases_for
from .notify_kit import NotifyCase, NotifyFactory, NotifyKit, run_notify_case, run_notify_cases
from .state_cases import CASES

__all__ = [
    "CASES",
    "NOTIFY_CASES",
    "Broken",
    "Case",
    "Factory",
    "Kit",
    "NotifyCase",
    "NotifyFactory",
    "NotifyKit",
    "Report",
    "Result",
    "notify_cases_for",
    "run_case",
    "run_cases",
    "run_notify_case",
    "run_notify_cases",
]
