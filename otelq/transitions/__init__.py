"""
The rules that all stores share, as plain functions of plain values: no clock, no event loop, no driver.

``table`` says which moves are legal, ``build`` makes the transitions, and ``outcomes`` reads what attempts came to.
``blockers``, ``dedup`` and ``leases`` are the rules of waiting, of keys and of leases that ran out. ``refusals`` has
the errors, and ``pages`` says where a page begins and ends. An adapter keeps what its database makes different: SQL,
rows, the order of locks.
"""

from __future__ import annotations

from .table import MOVES, IllegalMove, Move, closes_chain, closes_job, is_legal

__all__ = ["MOVES", "IllegalMove", "Move", "closes_chain", "closes_job", "is_legal"]
