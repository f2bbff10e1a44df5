"""Which tests there are, and whether they run."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from textwrap import dedent
from types import MappingProxyType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_MARK = "collected:"
_SKIPPING = {"skip", "skipif"}
_CASES = "tests/conformance/test_state.py::test_the_adapter_keeps_its_promise"


Found = Mapping[str, bool]
"""Every test by its name without parameters, and ``case:NAME``; with whether it runs, as far as its text tells."""


def is_whole(items: Sequence[pytest.Item]) -> bool:
    """Whether the tests of every file are among these."""
    return {item.path for item in items} == {*(ROOT / "tests").rglob("test_*.py")}


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
    return not marked and not _skips(getattr(item, "function", None))


@cache
def _skips(function: Any) -> bool:
    if function is None:
        return False
    tree = ast.parse(dedent(inspect.getsource(function)))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(names & {"skip", "importorskip", "xfail"})


if __name__ == "__main__":
    collector = Collector()
    pytest.main(["--collect-only", "-qq", "-p", "no:randomly", "tests"], plugins=[collector])
    print(_MARK + json.dumps(dict(collector.found)))  # noqa: T201  # the answer to whoever ran this
