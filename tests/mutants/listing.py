"""
The lists of mutants, and the patches that make them.

What is broken in an adapter stands in the list of its name, ``memory.toml`` and so on; the rest in ``mutants.toml``.

A mutant breaks one ``rule``: an invariant of the design (``I2``), or another by its name. Where that is a rule of moves
in ``otelq/transitions/table.py``, ``verbs`` names these. Its patch, ``patches/<id>.patch``, is a unified diff of files
in ``otelq/``, small enough to be read, whose header says which rule it breaks and how. ``tests`` are the tests that
must then fail, each of them, by their ids.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otelq.model import Verb

HOME = Path(__file__).parent
PATCHES = HOME / "patches"
LISTS = ("mutants", "memory", "sqlite", "postgres")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One rule broken: by which patch, noticed by which tests, in what environment."""

    id: str
    title: str
    rule: str
    tests: tuple[str, ...]
    verbs: tuple[Verb, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: Path = PATCHES

    @property
    def patch(self) -> Path:
        """The diff that makes this mutant."""
        return self.folder / f"{self.id}.patch"


def mutants() -> list[Mutant]:
    """All mutants, in the order of the lists."""
    return [_mutant(entry) for name in LISTS for entry in _entries(HOME / f"{name}.toml")]


def _entries(file: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = tomllib.loads(file.read_text())["mutant"]
    return entries


def _mutant(entry: dict[str, Any]) -> Mutant:
    verbs = tuple(Verb(verb) for verb in entry.pop("verbs", ()))
    return Mutant(tests=tuple(entry.pop("tests")), verbs=verbs, **entry)
