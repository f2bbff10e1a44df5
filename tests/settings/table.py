"""The tables of this folder: a line for each setting of each driver, which says what is expected."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


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
