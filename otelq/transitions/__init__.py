"""
The rules that all stores share, as plain functions of plain values: no clock, no event loop, no driver.

``table`` has the legal moves, ``build`` builds transitions, ``outcomes`` reads the outcomes of attempts. ``blockers``,
``dedup`` and ``leases`` have the rules for waiting, for dedup keys and for leases that ran out. ``refusals`` has the
errors, ``pages`` the bounds of pages. An adapter keeps to itself only what depends on its database: SQL, rows and the
order of locks.
"""

from __future__ import annotations

from .table import MOVES, IllegalMove, Move, closes_chain, closes_job, is_legal

__all__ = ["MOVES", "IllegalMove", "Move", "closes_chain", "closes_job", "is_legal"]
