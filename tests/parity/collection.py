"""Which tests there are, and whether they run."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

from ..sqlite.conftest import collect_ignore

ROOT = Path(__file__).parents[2]
_MARK = "collected:"
_SKIPPING = {"skip", "skipif"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CASES = "tests/conformance/test_state.py::test_the_adapter_keeps_its_promise"


Found = Mapping[str, bool]
"""Every test by its name without parameters, and ``case:NAME``; with whether it runs, as far as its text tells."""


def is_whole(items: Sequence[pytest.Item]) -> bool:
    """Return whether the tests of every file are among these, but for what this Python cannot run."""
    ignored = {ROOT / "tests/sqlite" / name for name in collect_ignore}
    return {item.path for item in items} == {*(ROOT / "tests").rglob("test_*.py")} - ignored


def found_among(items: Iterable[pytest.Item]) -> Found:
    """What there is among these tests."""
    found: dict[str, bool] = {}
    for item in items:
        name, _, parameters = item.nodeid.partition("[")
        found[name] = found.get(name, True) and _runs(item)
        if name == _CASES:
            found[f"case:{_case(parameters)}"] = True
    return found


def collected_anew() -> Found:
    """What a run of all tests would collect."""
    done = subprocess.run([sys.executable, "-m", __name__], cwd=ROOT, capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith(_MARK)), None)
    assert line is not None, f"the tests cannot be collected:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    found: Found = json.loads(line.removeprefix(_MARK))
    return found


class Collector:
    """A plugin that notes what is collected."""

    found: Found = MappingProxyType({})

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.found = found_among(session.items)


def _case(parameters: str) -> str:
    return parameters.removesuffix("]").rpartition("-")[2]


def _runs(item: pytest.Item) -> bool:
    marked = any(mark.name in _SKIPPING for mark in item.iter_markers())
    return not marked and getattr(item, "originalname", None) not in _skipping(item.path)


@cache
def _skipping(path: Path) -> frozenset[str]:
    """Return the names of the functions of a file that may skip."""
    functions = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, _FUNCTIONS)]
    return frozenset(function.name for function in functions if _names(function) & {"skip", "importorskip", "xfail"})


def _names(function: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}


if __name__ == "__main__":
    collector = Collector()
    pytest.main(["--collect-only", "-qq", "-p", "no:randomly", "tests"], plugins=[collector])
    print(_MARK + json.dumps(dict(collector.found)))  # noqa: T201  # the answer to whoever ran this
