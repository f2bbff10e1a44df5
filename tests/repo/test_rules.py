"""The rules of `docs/internals/rules.md` that a tool can check."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tree import ROOT

RULES = (ROOT / "docs/internals/rules.md").read_text()

FORBIDDEN = {
    "asyncio.shield": "ends at the second cancel; use otelq.uninterrupted",
    "asyncio.ensure_future": "runs through the application's task factory; use otelq.spawn",
    "asyncio.create_task": "runs through the application's task factory; use otelq.spawn",
    "create_task": "runs through the application's task factory; use otelq.spawn",
    "asyncio.TaskGroup": "runs through the application's task factory; use otelq.spawn",
    "asyncio.gather": "runs through the application's task factory; use otelq.spawn",
    "asyncio.to_thread": "waits for the default executor, which may be full of somebody else's work",
    "random.random": "moves on what the application has seeded; use random.SystemRandom",
    "random.uniform": "moves on what the application has seeded; use random.SystemRandom",
    "asyncio.Semaphore": "waits without a limit; see postgres/transaction_limit.py",
    "Transition": "may be of a move that the table does not have; use otelq.transitions.build",
}
ALLOWED = {
    (
        "sqlite/shared_connection.py",
        "asyncio.shield",
    ): "the call itself goes on in the driver's thread, and is awaited to its end",
    ("transitions/build.py", "Transition"): "looks the move up in the table",
}


def _calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def _product() -> list[Path]:
    return sorted((ROOT / "otelq").rglob("*.py"))


def test_nothing_is_called_that_a_rule_forbids() -> None:
    found = {
        (str(path.relative_to(ROOT / "otelq")), name)
        for path in _product()
        for call in _calls(path)
        for name in FORBIDDEN
        if call == name or call.endswith(f".{name}")
    }
    assert {f"{path}: {name} {FORBIDDEN[name]}" for path, name in found - set(ALLOWED)} == set()
    assert set(ALLOWED) <= found, "an exception that nobody needs any more"


def test_no_work_goes_to_the_default_executor() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in _product()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("run_in_executor")
        if isinstance(node.args[0], ast.Constant)
    ]
    assert found == []


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/]+\.py)`", RULES))))
def test_every_file_that_the_page_names_is_there(name: str) -> None:
    assert (ROOT / "otelq" / name).exists() or (ROOT / name).exists()
