"""
Several transactions are open at once, and a scheduler chooses which of them takes the next step.

Transactions that read and write the same rows in an unplanned order are most of what is hard about a queue in a
database. Here the order is chosen: by Hypothesis in ``InterleavingMachine``, by hand in the named ``cases``.

- ``gates``: a task stops before each of its steps, and waits until the scheduler lets it go on. On PostgreSQL a step is
  a statement or a commit (``statements`` wraps the source of connections). On any other store it is a verb, or the
  commit of a transaction of several.
- ``actors``: each is a task on an adapter of its own, as if in its own process. It makes one operation after the other,
  or all in one transaction that commits or rolls back.
- ``stage``: the ``Stage`` lets one actor take one step, and knows when all have stopped: at a gate, at their ends, or
  at a lock. That is never guessed: PostgreSQL is asked which session waits for which. Elsewhere an open transaction is
  assumed to block all others, as on SQLite; if it does not, fewer problems are found, and nothing breaks.
- ``operations``: every verb, aimed at a small world of chains that share blockers, keys and leases.
- ``end_checks``: the demands at the end. The tables keep the invariants; some order of the reported transitions leads
  every job to its status; plain verbs can carry the remaining work on until every chain is closed.

A ``Finding`` is raised where one of these is broken; and for a deadlock between otelq's own verbs, an error that no
caller should see, a worker that waits for the open transaction of another, or an operation that never ends. Its text
has the schedule: the steps in their order, each with its actor and its result. Between transactions of callers, each of
several verbs, a deadlock is allowed: one of them raises ``Unavailable``, and writes nothing.
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
