"""The health of a worker, as probes of an orchestrator ask for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """
    The state of one worker, or of several together.

    Attributes:
        live: the process does its work or may again; only a new process helps one that is not.
        ready: it claims jobs: its loops have started, the last tick of each succeeded, and it is not stopping.
        problem: the reason why it is not both; empty if it is.
    """

    live: bool = True
    ready: bool = True
    problem: str = ""
