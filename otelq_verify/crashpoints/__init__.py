"""
The crash-point sweep: every verb is interrupted at every statement that it makes, and the work is carried on.

A scenario (``scenarios``) arranges a world and makes a verb in it. It runs once in peace, to count its statements,
those that begin and end transactions among them; then once for each statement and each fault: the connection dies
before it, its reply is lost, the process dies after it. Then the invariants are asked of the tables, a worker carries
on, and every chain must have come to what it comes to in peace; after the death of a process, to that or to what it
comes to if the verb was never made. Whoever survives must have been told of every transition once, and of no other.
"""

from __future__ import annotations

from .points import Interruption, Point
from .report import line, summary
from .scenario_kit import Scenario
from .scenarios import SCENARIOS
from .stages import CrashStage
from .sweeps import Swept, sweep

__all__ = ["SCENARIOS", "CrashStage", "Interruption", "Point", "Scenario", "Swept", "line", "summary", "sweep"]
