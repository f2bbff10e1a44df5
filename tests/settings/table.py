"""The tables of this folder: a line for each setting of each driver, which says what is expected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from _pytest.mark import ParameterSet

HERE = Path(__file__).parent
OFTEN = 3
"""One line in so many is tried in every run, and all of them in `make verify`."""


class Line(NamedTuple):
    """One combination."""

    driver: str
    setting: str
    as_target: str
    """``works``, ``-`` where it cannot be one, or else ``refused`` and what the error says."""
    as_tx: str = "-"

    def __str__(self) -> str:
        return f"{self.driver}-{self.setting}"


def refusal(expected: str) -> str | None:
    """Return what the error says; None where there is none."""
    return expected.removeprefix("refused: ") if expected.startswith("refused: ") else None


def lines(store: str) -> list[Line]:
    """Return the lines of a table; ``#`` begins a comment."""
    written = (HERE / f"{store}.txt").read_text().splitlines()
    return [
        Line(*(field.strip() for field in line.split("|"))) for line in written if line and not line.startswith("#")
    ]


def tries(store: str, *, is_known: Callable[[str], bool] = lambda _: True) -> list[ParameterSet]:
    """Return the lines of a table as parameters of a test."""
    known = [line for line in lines(store) if is_known(line.setting)]
    return [
        pytest.param(line, id=str(line), marks=[pytest.mark.verify] if number % OFTEN else [])
        for number, line in enumerate(known)
    ]
