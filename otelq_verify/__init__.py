"""
Proofs that an adapter, a database and a notifier keep the promises of otelq.

``python -m otelq_verify --help`` lists those that need no program. For the tests of an adapter there are the kits of
``conformance``, the state machines of ``machines`` (for Hypothesis), the scenarios of ``crashpoints``, and
``violations``, which holds the tables to the invariants.
"""

from __future__ import annotations

from .conformance import (
    CASES,
    NOTIFY_CASES,
    Broken,
    Case,
    Kit,
    NotifyKit,
    Report,
    Result,
    notify_cases_for,
    run_case,
    run_cases,
    run_notify_case,
    run_notify_cases,
)
from .invariants import Violation, violations

__all__ = [
    "CASES",
    "NOTIFY_CASES",
    "Broken",
    "Case",
    "Kit",
    "NotifyKit",
    "Report",
    "Result",
    "Violation",
    "notify_cases_for",
    "run_case",
    "run_cases",
    "run_notify_case",
    "run_notify_cases",
    "violations",
]
