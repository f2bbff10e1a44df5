"""
State machines for Hypothesis: an adapter in lock-step with a model of what it should do.

``LifeMachine`` leads a few jobs through every verb of the worker's and the client's life, with the clock moving and
with tokens that are stale. ``ChainMachine`` lets chains wait for each other by every rule. ``DedupMachine`` starts
chains that share keys. ``QueryMachine`` asks with any filters. Together they make every verb there is.

``SlotMachine`` is another kind: a real worker on the adapter, whose handlers the machine holds and lets go one by one,
beside a model of the places that the worker may fill.

The model is written from the port and the description of the statuses and knows nothing of the adapters' code; where
adapter and model differ, or an invariant does not hold, Hypothesis shows the shortest way there. ``pair`` makes
one adapter of two, which must then give the same answers.

``on`` binds a machine to a store, by a factory that takes no arguments::

    TestLife = on(LifeMachine, lambda: otelq.sqlite.adapter("sqlite:////tmp/machine.db")).TestCase

Hypothesis sorts rules by name and prefers the first: those that end everything have names late in the alphabet.
The store is emptied at the start of every run. Machines are synchronous: each has one ``asyncio.Runner``.
"""

from __future__ import annotations

from .chains import ChainMachine
from .dedup import DedupMachine
from .life import LifeMachine
from .machine import Machine, StoreMachine, on
from .queries import QueryMachine
from .slots import SlotMachine
from .twins import pair

IN_LOCK_STEP: tuple[type[Machine], ...] = (LifeMachine, ChainMachine, DedupMachine, QueryMachine)
"""Those that compare every answer of the adapter with a model's."""
MACHINES: tuple[type[StoreMachine], ...] = (*IN_LOCK_STEP, SlotMachine)

__all__ = [
    "IN_LOCK_STEP",
    "MACHINES",
    "ChainMachine",
    "DedupMachine",
    "LifeMachine",
    "Machine",
    "QueryMachine",
    "SlotMachine",
    "StoreMachine",
    "on",
    "pair",
]
