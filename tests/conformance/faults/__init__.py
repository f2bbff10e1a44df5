"""
Mistakes that a writer of an adapter could make, each planted into the SQLite adapter: the one that users get.

A fault is a statement with a part of it reworded, or a function that is called in the place of another. Its name says
what is wrong then. `../caught.toml` has the cases that catch it.
"""

from __future__ import annotations

from . import (
    aliases,
    blockers,
    claim,
    create,
    dedup,
    fence,
    filters,
    move,
    queries,
    reap,
    redrive,
    registry,
    requests,
    rules,
    settle,
    transactions,
    transitions,
    waits,
)
from .planting import Fault, Faults

_MATTERS = (
    create, dedup, aliases, blockers, waits, rules, claim, fence, settle, reap, requests, move, redrive, queries,
    filters, transactions, transitions, registry,
)  # fmt: skip

FAULTS: list[Fault] = [fault for matter in _MATTERS for fault in matter.faults]

__all__ = ["FAULTS", "Fault", "Faults"]
