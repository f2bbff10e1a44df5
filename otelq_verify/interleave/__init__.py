"""
Several transactions open at once, of which one takes one step at a time.

Two of these read and write the same rows in an order that nobody planned: most of what is hard about a queue in a
database is there. Here the order is chosen: by Hypothesis in ``InterleavingMachine``, by hand in the named ``cases``.

- ``gates``: a task stops before each of its steps, and goes on when it is told to. On PostgreSQL a step is a statement
  or a commit (``statements`` wraps what gives the connections); on any other store it is a verb, or the commit of a
  transaction of several.
- ``actors``: a task each, on an adapter of its own, as if in a process of its own. It does one operation after the
  other, or all in one transaction that commits or rolls back.
- ``stage``: the ``Stage`` lets one actor take one step, and knows when all stand still: at a gate, at their ends,
  or at a lock. That is never guessed: PostgreSQL is asked who waits for whom. Elsewhere a transaction is taken to keep
  all others waiting while it is open, as on SQLite; where it does not, less is known, and nothing breaks.
- ``operations``: every verb, aimed at a small world of chains that share blockers, keys and leases.
- ``verdict``: what must hold at the end. The tables keep the invariants; some order of what was reported leads every
  job to where it stands; what is left can be carried to its end by plain verbs, and then every chain is closed.

A ``Finding`` is one of these broken; or a deadlock between otelq's own verbs; an error that no caller should see; a
worker that waits for somebody's open transaction; an operation that never ends. Its text has the schedule: who took
which step, in which order, and what came of it. Between transactions of callers, each of several verbs, a deadlock is
allowed: one of them raises ``Unavailable``, and nothing of it is written.
"""

from __future__ import annotations

from .cases import ANYWHERE, BY_STATEMENT, Schedule, run_schedule
from .machine import InterleavingMachine, machine_on
from .stage import Finding, Stage

__all__ = [
    "ANYWHERE",
    "BY_STATEMENT",
    "Finding",
    "InterleavingMachine",
    "Schedule",
    "Stage",
    "machine_on",
    "run_schedule",
]
