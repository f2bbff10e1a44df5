"""
The rules that all stores share, as plain functions of plain values: no clock, no event loop, no driver.

``table`` says which moves are legal, and ``build`` makes the transitions. An adapter keeps what its database makes
different: SQL, rows, the order of locks.
"""

from __future__ import annotations

from .table import MOVES, IllegalMove, Move, closes_chain, closes_job, is_legal

__all__ = ["MOVES", "IllegalMove", "Move", "closes_chain", "closes_job", "is_legal"]
