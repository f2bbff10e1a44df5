"""Faults that an adapter may have, each planted into the specimen by replacing one function or method.

The name of the replacement is the name of the fault. `../caught.toml` says which cases catch it.
"""

from __future__ import annotations

from . import (
    blockers,
    claiming,
    dedup,
    fencing,
    filters,
    moving,
    questions,
    reaping,
    redriving,
    requests,
    rules,
    settling,
    starting,
    transactions,
    transitions,
    waiting,
)
from .planting import FAULTS, Fault

__all__ = [
    "FAULTS",
    "Fault",
    "blockers",
    "claiming",
    "dedup",
    "fencing",
    "filters",
    "moving",
    "questions",
    "reaping",
    "redriving",
    "requests",
    "rules",
    "settling",
    "starting",
    "transactions",
    "transitions",
    "waiting",
]
