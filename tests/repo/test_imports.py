import json
import subprocess
import sys
import types
from importlib.metadata import entry_points

import pytest

import otelq

UNWANTED = (
    "aiosqlite",
    "asyncpg",
    "psycopg",
    "sqlalchemy",
    "redis",
    "nats",
    "opentelemetry.sdk",
    "click",
    "rich",
    "pydantic",
    "cryptography",
)


def modules_loaded_by(statement: str) -> set[str]:
    program = f"{statement}; import json, sys; print(json.dumps(list(sys.modules)))"
    finished = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, check=True, text=True)
    return set(json.loads(finished.stdout))


def test_importing_otelq_loads_no_driver_and_no_sdk() -> None:
    assert modules_loaded_by("import otelq").isdisjoint(UNWANTED)


def test_importing_the_drivers_would_be_noticed() -> None:
    assert "aiosqlite" in modules_loaded_by("import otelq, aiosqlite")


def test_the_exports_are_sorted() -> None:
    assert otelq.__all__ == sorted(otelq.__all__)


def test_the_exports_are_complete() -> None:
    public = {
        name
        for name, value in vars(otelq).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert set(otelq.__all__) - {"__version__"} == public


@pytest.mark.parametrize("group", ["otelq.state", "otelq.notify", "console_scripts"])
def test_every_entry_point_loads(group: str) -> None:
    ours = [point for point in entry_points(group=group) if point.value.startswith("otelq")]
    assert ours
    for point in ours:
        point.load()
