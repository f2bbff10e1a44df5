"""
State machines for Hypothesis: an adapter runs in lock-step with a model of its port.

``LifeMachine`` takes a few jobs through every verb of workers and clients, while the clock moves and with stale tokens.
``ChainMachine`` lets chains wait for each other by every rule. ``DedupMachine`` starts chains that share keys.
``QueryMachine`` queries with any filters. Together they make every verb. ``SlotMachine`` is of another kind: it runs a
real worker on the adapter, holds its handlers and releases them one by one, and compares the worker with a model of its
slots.

The model is written from the port and the description of the statuses, and shares no code with the adapters. Where
adapter and model differ, or an invariant does not hold, Hypothesis shows the shortest sequence of steps. ``pair`` makes
one adapter of two, which must then give the same answers.

``on`` binds a machine to a store, by a factory that takes no arguments::

    TestLife = on(LifeMachine, lambda: otelq.sqlite.adapter("sqlite:////tmp/machine.db")).TestCase

Hypothesis sorts rules by name and prefers the first: rules that end everything have names late in the alphabet. The
store is emptied at the start of every run. Machines are synchronous: each has one ``asyncio.Runner``.
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
"""Machines that compare every answer of the adapter with a model's."""
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
