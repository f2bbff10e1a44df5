"""The lists of what otelq must do as well as those before it, and of what they got wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Row:
    """
    One capability, or one defect that must not come back.

    ``proofs`` are names of tests without their parameters, or ``case:NAME`` for a case of the conformance kit.
    ``instead`` is what the design has in its place; a row has either or both.
    """

    id: str
    what: str
    proofs: tuple[str, ...]
    instead: str


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one file."""

    title: str
    text: str
    rows: tuple[Row, ...]


def table(name: str) -> Table:
    """The table that a file of this folder holds."""
    data: Mapping[str, Any] = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    return Table(data["title"], data["text"], tuple(_row(row) for row in data["row"]))


def _row(row: Mapping[str, Any]) -> Row:
    proofs = (proof if proof.startswith("case:") else f"tests/{proof}" for proof in row.get("proofs", ()))
    return Row(row["id"], row["what"], tuple(proofs), row.get("instead", ""))


TABLES = {name: table(name) for name in ("features", "defects")}
