"""The page `docs/internals/parity.md`, drawn from the lists. `python -m tests.parity` writes it."""

from __future__ import annotations

from pathlib import Path

from .data import TABLES, Row, Table

PAGE = Path(__file__).parents[2] / "docs/internals/parity.md"

_INTRODUCTION = """\
# Parity

What the systems before otelq can do, and what they got wrong, each with the test that proves otelq's side of it. Drawn
from `tests/parity/*.toml` by `python -m tests.parity`; a test fails when a named test does not run, or when this page
differs from the lists. `case:` is a case of the conformance kit, which every adapter runs.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([_INTRODUCTION, *(_section(table) for table in TABLES.values())])


def _section(table: Table) -> str:
    head = (
        f"## {table.title}\n\n{table.text.strip()}\n\n| id | what | proof, or what stands in its place |\n|---|---|---|"
    )
    return "\n".join([head, *map(_line, table.rows), ""])


def _line(row: Row) -> str:
    told = [f"`{proof.removeprefix('tests/')}`" for proof in row.proofs]
    return f"| {row.id} | {_cell(row.what)} | {'<br>'.join([*told, *([_cell(row.instead)] if row.instead else [])])} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
