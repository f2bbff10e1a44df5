"""The report of a sweep, for people."""

from __future__ import annotations

from collections.abc import Sequence

from .sweeps import Swept


def line(swept: Swept) -> str:
    """Return a row for a scenario, and a row for each problem."""
    mark = "ok  " if swept.survived else "FAIL"
    row = f"{mark}  {swept.scenario.name} ({_verbs(swept)}): {swept.statements} statements, {swept.points} points"
    return "\n".join([row, *[f"      {problem}" for problem in swept.problems]])


def _verbs(swept: Swept) -> str:
    return ", ".join(sorted(swept.seen))


def summary(done: Sequence[Swept]) -> str:
    """Return the last row."""
    points = sum(swept.points for swept in done)
    fallen = sum(not swept.survived for swept in done)
    statements = sum(swept.statements for swept in done)
    verdict = f"{fallen} of {len(done)} scenarios were not survived" if fallen else "all survived"
    return f"{len(done)} scenarios, {statements} statements, {points:,} points: {verdict}"
