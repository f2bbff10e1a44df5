"""
The list of mutants, ``mutants.toml``, and the patches that make them.

A mutant breaks one rule: an invariant of the design (``I2``), or another by its name. Its patch,
``patches/<id>.patch``, is a unified diff of files in ``otelq/``, small enough to be read, whose header says which rule
it breaks and how. ``tests`` are the tests that must then fail, each alone, by their ids.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent
PATCHES = HOME / "patches"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One rule broken: by which patch, noticed by which tests, in what environment."""

    id: str
    title: str
    rule: str
    tests: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: Path = PATCHES

    @property
    def patch(self) -> Path:
        """The diff that makes this mutant."""
        return self.folder / f"{self.id}.patch"


def mutants() -> list[Mutant]:
    """All mutants, in the order of the list."""
    listed: list[dict[str, Any]] = tomllib.loads((HOME / "mutants.toml").read_text())["mutant"]
    return [Mutant(tests=tuple(entry.pop("tests")), **entry) for entry in listed]
