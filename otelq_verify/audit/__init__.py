"""
An audit of the tables: triggers that record every change of every row, and what happened to jobs, read from that.

It shares no code with the adapters, the table of legal moves or the telemetry, so that it can testify against them.
PostgreSQL and SQLite; for tests, as it doubles what is written. ``telemetry`` compares it with metrics and spans.
"""

from .records import changes
from .triggers import install, uninstall
from .values import AuditedMove, Change
from .verbs import Oddity, Reading, moves, read

__all__ = ["AuditedMove", "Change", "Oddity", "Reading", "changes", "install", "moves", "read", "uninstall"]
