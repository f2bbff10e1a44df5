"""The contracts in pyproject.toml hold, and each is seen to break where a wrong import is planted."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .tree import PACKAGES, ROOT

PLANTS = [
    ("otelq/model/transition.py", "from .errors import OtelqError", "Layers: a module"),
    ("otelq/client/planted.py", "from ..worker import Worker", "Layers: a module"),
    ("otelq/sqlite/planted.py", "from ..postgres import adapter", "Layers: a module"),
    ("otelq/unplaced.py", "import os", "Layers: a module"),
    ("otelq/worker/planted.py", "from otelq import Client", "root is never imported"),
    ("otelq/model/transition.py", "import asyncio", "no event loop"),
    ("otelq/ports/planted.py", "import asyncpg", "no event loop"),
    ("otelq/retry_policy.py", "import random", "no clock"),
    ("otelq/worker/planted.py", "import opentelemetry.trace", "Only telemetry"),
    ("otelq/postgres/planted.py", "from ..telemetry import spans", "Adapters import"),
    ("otelq/inprocess/planted.py", "from ..codec import encode", "Adapters import"),
    ("otelq_verify/planted.py", "import asyncpg", "asyncpg, psycopg"),
    ("otelq/inprocess/planted.py", "import aiosqlite", "aiosqlite is imported"),
    ("otelq_redis/planted.py", "import otelq.client", "Satellites import"),
    ("otelq_nats/planted.py", "import otelq", "Satellites import"),
    ("otelq/cli/planted.py", "import otelq_redis", "imports neither its satellites"),
    ("otelq/testing/planted.py", "import otelq_verify", "imports neither its satellites"),
    ("otelq_redis/planted.py", "import otelq_verify", "are independent"),
    ("otelq_nats/planted.py", "import otelq_redis", "are independent"),
]


def broken_contracts(tree: Path) -> list[str]:
    """The names of the contracts that the tree breaks."""
    linter = Path(sys.executable).with_name("lint-imports")
    finished = subprocess.run(
        [linter, "--no-cache"], cwd=tree, capture_output=True, text=True, check=False, env={"COLUMNS": "300"}
    )
    assert "Contracts: " in finished.stdout, finished.stdout + finished.stderr
    lines = finished.stdout.splitlines()
    return [line.removesuffix(" BROKEN") for line in lines if " BROKEN" in line]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the packages that a test may spoil."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_packages_keep_their_contracts(tree: Path) -> None:
    assert broken_contracts(tree) == []


FIRST = {contract: number for number, (_, _, contract) in reversed([*enumerate(PLANTS)])}
TRIES = [
    pytest.param(*plant, marks=[] if FIRST[plant[2]] == number else [pytest.mark.verify])
    for number, plant in enumerate(PLANTS)
]
"""One plant for each contract in every run, the others in `make verify`."""


@pytest.mark.parametrize("path, line, contract", TRIES)
def test_a_planted_import_breaks_its_contract(tree: Path, path: str, line: str, contract: str) -> None:
    with (tree / path).open("a") as file:
        file.write(f"\n{line}\n")
    assert any(contract in name for name in broken_contracts(tree))
