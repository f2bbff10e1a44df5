"""The types hold under mypy and pyright: what is right passes, and every wrong line is an error."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def mypy(file: Path, folder: Path) -> set[int]:
    """The lines in which mypy finds an error."""
    done = _run(sys.executable, "-m", "mypy", "--strict", "--output", "json", file)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {error["line"] for error in found if error["severity"] == "error"}


def pyright(file: Path, folder: Path) -> set[int]:
    """The lines in which pyright finds an error; it has settings of its own, as the project's leave wrong uses out."""
    (folder / file.name).write_text(file.read_text())
    settings = folder / "pyrightconfig.json"
    settings.write_text(json.dumps({"extraPaths": [str(ROOT)], "typeCheckingMode": "strict"}))
    done = _run(sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "--project", settings)
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == 1
    errors = [error for error in found["generalDiagnostics"] if error["severity"] == "error"]
    return {error["range"]["start"]["line"] + 1 for error in errors}


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: there are errors
    return done


Check = Callable[[Path, Path], set[int]]
CHECKERS = pytest.mark.parametrize("check", [mypy, pyright], ids=["mypy", "pyright"])


@CHECKERS
def test_starts_results_continuations_and_blockers_have_their_types(check: Check, tmp_path: Path) -> None:
    assert check(HERE / "correct.py", tmp_path) == set()


@CHECKERS
def test_every_wrong_use_is_an_error(check: Check, tmp_path: Path) -> None:
    lines = (HERE / "wrong.py").read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert check(HERE / "wrong.py", tmp_path) == wrong
