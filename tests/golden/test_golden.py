"""The golden programs are a contract with users: each runs as it stands, prints what it says, and type-checks."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..conftest import BACKENDS

PROGRAMS = Path(__file__).parent / "programs"
EVERYWHERE = ("approval", "fan_in", "handler_test", "quickstart", "traced")
MOST_LEVELS = 5


def run(program: str, url: str, folder: Path, **variables: str) -> dict[str, Any]:
    """The last line that the program prints, when run from an empty folder."""
    environment = os.environ | {"OTELQ_URL": url, **variables}
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / f"{program}.py")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def promised(program: str) -> dict[str, Any]:
    """What the program's docstring says that it prints; a value given as N is left to the test."""
    text = ast.get_docstring(ast.parse((PROGRAMS / f"{program}.py").read_text())) or ""
    found = re.search(r"Prints (\{.*?\})", text, re.DOTALL)
    assert found is not None, f"{program} does not say what it prints"
    expected: dict[str, Any] = json.loads(re.sub(r": N\b", ": null", found[1]))
    return expected


@pytest.mark.parametrize("backend", ["memory", *BACKENDS], indirect=True)
@pytest.mark.parametrize("program", EVERYWHERE)
def test_a_golden_program_prints_what_it_promises(program: str, backend: str, tmp_path: Path) -> None:
    said, expected = run(program, backend, tmp_path), promised(program)
    if program == "traced":
        assert said.pop("depth") <= MOST_LEVELS
        del expected["depth"]
    assert said == expected


def test_the_transactional_program_prints_what_it_promises(empty_postgres_url: str, tmp_path: Path) -> None:
    assert run("transactional", empty_postgres_url, tmp_path) == promised("transactional")


@pytest.mark.parametrize("dialect", ["asyncpg", "psycopg"])
@pytest.mark.parametrize("program", ["sqlalchemy_outbox", "web_app"])
def test_a_golden_program_on_sqlalchemy_prints_what_it_promises(
    program: str, dialect: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    url = empty_postgres_url.replace("postgresql://", f"postgresql+{dialect}://", 1)

    assert run(program, empty_postgres_url, tmp_path, OTELQ_SQLALCHEMY_URL=url) == promised(program)


def test_the_quickstart_needs_no_setting_at_all(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OTELQ_URL"}
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "quickstart.py")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert json.loads(done.stdout) == promised("quickstart")
    assert (tmp_path / "quickstart.db").exists()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("checker", [("mypy", "--strict"), ("pyright", "--project")], ids=["mypy", "pyright"])
def test_the_golden_programs_type_check_strictly(checker: tuple[str, str], tmp_path: Path) -> None:
    tool, option = checker
    command = [str(Path(sys.executable).parent / tool)]
    if tool == "mypy":
        command += [option, "--cache-dir", str(tmp_path), *map(str, sorted(PROGRAMS.glob("*.py")))]
    else:
        settings = {"include": [str(PROGRAMS)], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
        (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
        command += [option, str(tmp_path), "--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
