"""Which tests there are, and whether they run."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_MARK = "collected:"
_SKIPPING = {"skip", "skipif"}
_CASES = "tests/conformance/test_state.py::test_the_adapter_keeps_its_promise"


@cache
def collected() -> dict[str, bool]:
    """Every test by its name without parameters, and ``case:NAME``; with whether it runs, as far as its text tells."""
    done = subprocess.run(
        [sys.executable, "-m", __name__], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith(_MARK)), None)
    assert line is not None, f"the tests cannot be collected:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    found: dict[str, bool] = json.loads(line.removeprefix(_MARK))
    return found


class Collector:
    """A plugin that notes what is collected."""

    def __init__(self) -> None:
        self.found: dict[str, bool] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            name, _, parameters = item.nodeid.partition("[")
            self.found[name] = self.found.get(name, True) and _runs(item)
            if name == _CASES:
                self.found[f"case:{_case(parameters)}"] = True


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
    print(_MARK + json.dumps(collector.found))  # noqa: T201  # the answer to whoever ran this
