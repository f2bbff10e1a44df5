"""
The crash-point sweep: every verb is interrupted at every statement that it makes, and the work is carried on.

A scenario (``scenarios``) arranges a world and makes a verb in it. It runs once undisturbed, to count its statements,
including those that begin and end transactions. Then it runs once for each statement and each fault: the connection
dies before the statement, its reply is lost, or the process dies after it. After that the invariants are checked in the
tables, a worker carries on, and every chain must have the result of the undisturbed run. After the death of a process,
the result of a run without the verb is allowed as well. A process that survives must have reported every transition
once, and no other.
"""

from __future__ import annotations

from .points import Interruption, Point
from .report import line, summary
from .scenario_kit import Scenario
from .scenarios import SCENARIOS
from .stages import CrashStage
from .sweeps import Swept, sweep

__all__ = ["SCENARIOS", "CrashStage", "Interruption", "Point", "Scenario", "Swept", "line", "summary", "sweep"]
