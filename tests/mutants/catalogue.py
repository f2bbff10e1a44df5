"""
The mutants, by the part of the code that they break.

Each stands for one ``rule``, in plain words; ``invariant`` is its number among those of the design, where it has one.
``tests`` are those that must fail, each of them, by their ids. How the code is changed is told by ``Change``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .source import Change

HOME = Path(__file__).parent
LISTS = ("core", "worker", "sqlite", "postgres")


@dataclass(frozen=True, kw_only=True)
class Mutant(Change):
    """One rule broken, and the tests that must notice."""

    id: str
    rule: str
    tests: tuple[str, ...]
    invariant: str = ""


def mutants() -> Sequence[Mutant]:
    """Return all mutants, in the order of the lists."""
    return [
        _mutant(**entry) for name in LISTS for entry in tomllib.loads((HOME / f"{name}.toml").read_text())["mutant"]
    ]


def _mutant(*, tests: list[str], **entry: Any) -> Mutant:
    return Mutant(tests=tuple(tests), **entry)
