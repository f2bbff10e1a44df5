"""The tutorial is followed from its first line to its last, and every command prints what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from .pages import Page, printed, shown_commands
from .shell import ROOT

TUTORIAL = Page(ROOT / "docs/tutorial.md")
INSTALLS = ("python3 -m venv", ". .venv", "pip install")


@pytest.mark.timeout(120)
def test_the_tutorial_can_be_followed(tmp_path: Path) -> None:
    for kind, text in TUTORIAL.blocks:
        if kind == "python":
            write(text, tmp_path)
        for command, output in shown_commands(text) if kind == "console" else ():
            if not command.startswith(INSTALLS):
                assert (command, printed(command, folder=tmp_path)) == (command, output)


def test_the_tutorial_has_ten_steps() -> None:
    steps = re.findall(r"^## (\d+)\. ", TUTORIAL.text, re.MULTILINE)
    assert steps == [str(number) for number in range(1, 11)]


def write(block: str, folder: Path) -> None:
    """Write a file, or a function of one, as the first line of a block says."""
    first, _, code = block.partition("\n")
    name, _, place = first.removeprefix("# ").partition(", ")
    path = folder / name
    if not place:
        path.write_text(block)
    elif place == "at the end":
        path.write_text(f"{path.read_text()}\n\n{code}")
    else:
        path.write_text(replaced(path.read_text(), place.removeprefix("in place of "), code))


def replaced(source: str, name: str, code: str) -> str:
    """Return a source with a function of it replaced, decorators and all."""
    functions = (node for node in ast.parse(source).body if isinstance(node, ast.AsyncFunctionDef))
    old = next(function for function in functions if function.name == name)
    assert old.end_lineno is not None
    lines = source.splitlines(keepends=True)
    return "".join([*lines[: old.decorator_list[0].lineno - 1], code, *lines[old.end_lineno :]])
