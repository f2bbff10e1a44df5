"""
A model of an adapter in plain Python, which the state machines compare with.

It is written from the port and the table of statuses, and shares no code with the adapters nor with ``transitions``: it
has rows that change, lists that are walked from end to end, and no index. ``rows`` has what is stored; ``blockers``,
``keys``, ``leases`` and ``commands`` change it; ``records`` and ``filters`` answer queries.
"""

from __future__ import annotations

from .blockers import Impossible
from .rows import HolderRow, Job, Model, ModelAttempt, Move, WaitRow

__all__ = ["HolderRow", "Impossible", "Job", "Model", "ModelAttempt", "Move", "WaitRow"]
