"""
An audit of the tables: triggers record every change of every row, and the changes are read as moves of jobs.

It shares no code with the adapters, the table of legal moves or the telemetry, so that it can contradict them. It works
on PostgreSQL and SQLite, and is for tests, as it doubles the writes. ``telemetry`` compares it with metrics and spans.
"""

from .records import changes
from .triggers import install, uninstall
from .values import AuditedMove, Change
from .verbs import Oddity, Reading, moves, read

__all__ = ["AuditedMove", "Change", "Oddity", "Reading", "changes", "install", "moves", "read", "uninstall"]
