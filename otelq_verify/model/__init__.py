"""
What an adapter should do, in plain Python: the model that the state machines compare with.

It is written from the port and the table of statuses, and shares no code with the adapters nor with ``transitions``:
rows that change, lists that are walked from end to end, and no index. ``rows`` says what is stored; ``waiting``,
``keys``, ``working`` and ``requesting`` what moves it; ``records`` and ``asking`` what is answered about it.
"""

from __future__ import annotations

from .blockers import Impossible
from .rows import HolderRow, Job, Model, ModelAttempt, Move, WaitRow

__all__ = ["HolderRow", "Impossible", "Job", "Model", "ModelAttempt", "Move", "WaitRow"]
