"""
The tree of `otelq/` in `docs/internals/map.md`: two levels, one line for each file and folder.

    python -m tests.repo.overview

draws it anew from the first sentence of each docstring.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from .tree import ROOT

PAGE = ROOT / "docs/internals/map.md"
BEGIN, END = "<!-- drawn by tests.repo.overview -->\n", "<!-- drawn -->\n"
NOT_CODE = {"migrations": "The schema, step by step, in SQL.", "sql": "The statements, one in each file."}


def page() -> str:
    """Return the page with the tree as it is now."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}```\n{tree()}```\n{END}{after}"


def tree() -> str:
    """Return the tree, a line for each entry."""
    entries = [(0, path) for path in _entries(ROOT / "otelq")]
    lines = [(depth, path) for _, folder in entries for depth, path in ((0, folder), *_inside(folder))]
    return "".join(f"{_name(depth, path):28}{_sentence(path)}\n" for depth, path in lines)


def _inside(folder: Path) -> Iterator[tuple[int, Path]]:
    if folder.is_dir():
        yield from ((1, path) for path in _entries(folder))


def _entries(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()]
    return sorted((path for path in found if not path.name.startswith("__")), key=lambda path: (path.is_file(), path))


def _name(depth: int, path: Path) -> str:
    return f"{'    ' * depth}{path.name}{'/' if path.is_dir() else ''} "


def _sentence(path: Path) -> str:
    if path.name in NOT_CODE:
        return NOT_CODE[path.name]
    source = path / "__init__.py" if path.is_dir() else path
    docstring = ast.get_docstring(ast.parse(source.read_text())) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


if __name__ == "__main__":
    PAGE.write_text(page())
