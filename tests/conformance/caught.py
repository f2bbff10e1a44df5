"""
The table ``caught.toml``: which cases must catch which fault.

Every case stands there at least once, at the fault that fewest cases catch, and every fault has a case.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from otelq_verify.conformance.state_cases import CASES

from .faults import Fault
from .trial import results_with

TABLE = Path(__file__).parent / "caught.toml"
Caught = Mapping[str, Sequence[str]]
_HEAD = """\
# The faults in `faults/`, and the cases that must catch each. Every case catches at least one.
# `python -m tests.conformance caught` finds them anew in about ten minutes, or those of certain faults by their names.
"""


def caught() -> Caught:
    """Read the table."""
    return tomllib.loads(TABLE.read_text())


async def find(faults: Sequence[Fault]) -> Caught:
    """Run every case against each of the faults, and return the cases that fail."""
    return {
        fault.name: [result.case.name for result in await results_with(fault, CASES) if not result.passed]
        for fault in faults
    }


def chosen(found: Caught, *, beside: Caught) -> dict[str, list[str]]:
    """Choose the cases that must catch faults: those that catch none of the others, or else one that catches few."""
    covered = {case for cases in beside.values() for case in cases}
    table: dict[str, list[str]] = {fault: [] for fault in found}
    for case in (case.name for case in CASES if case.name not in covered):
        if catching := [fault for fault in found if case in found[fault]]:
            table[min(catching, key=lambda fault: len(found[fault]))].append(case)
    for fault in table:
        rare = sorted(found[fault], key=lambda case: sum(case in cases for cases in found.values()))
        table[fault] = table[fault] or rare[:1]
    return table


def written(table: Caught) -> str:
    """Return the table as TOML."""
    rows = (f"{fault} = [\n" + "".join(f'    "{case}",\n' for case in cases) + "]\n" for fault, cases in table.items())
    return "".join([_HEAD, *rows])
