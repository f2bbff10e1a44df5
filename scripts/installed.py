"""
Try the built wheel as users have it: in an environment of its own, by tests that lie outside the checkout.

    python scripts/installed.py newest    the newest Python of this machine, with the pinned dependencies
    python scripts/installed.py lowest    the oldest Python and the oldest dependencies that pyproject.toml allows

Exits with the status of the tests. The environment is kept in build/, and made anew when what goes into it changes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
OLDEST = (3, 11)
PINS = {"newest": "requirements-dev.txt", "lowest": "requirements-lowest.txt"}
TESTS = {
    "newest": ["tests/unit", "tests/behaviour", "tests/sqlite", "-k", "not postgres"],
    "lowest": [
        "tests/unit",
        "tests/sqlite",
        "tests/conformance/test_state.py",
        "tests/telemetry",
        "tests/postgres/test_drivers_connections.py",
        "tests/postgres/test_drivers_values.py",
        "tests/postgres/test_in_flight.py",
    ],
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=PINS)
    which = parser.parse_args(arguments).which
    supported = supported_pythons()
    python = supported[max(supported) if which == "newest" else min(supported)]
    print(f"{which}: {python} with {PINS[which]}", flush=True)
    environment = environment_of(which, python)
    with tempfile.TemporaryDirectory(prefix="otelq-installed-") as folder:
        install_wheel(environment, Path(folder))
        return run_tests(environment, Path(folder), TESTS[which])


def supported_pythons() -> dict[tuple[int, int], Path]:
    """Return an interpreter of this machine for each version that otelq supports; this one for its own."""
    found: dict[tuple[int, int], Path] = {}
    for path in interpreters():
        if (version := version_of(path)) >= OLDEST:
            found.setdefault(version, path)
    return found


def interpreters() -> Iterator[Path]:
    """Yield this interpreter, then those on the PATH, then those of pyenv."""
    yield Path(sys.executable)
    for folder in map(Path, os.get_exec_path()):
        yield from (path for path in folder.glob("python3.*") if re.fullmatch(r"python3\.\d+", path.name))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from pyenv.glob("versions/*/bin/python3")


def version_of(python: Path) -> tuple[int, int]:
    """Return the version that an interpreter says; (0, 0) where it does not run, or is no release."""
    said = subprocess.run([python, "--version"], capture_output=True, text=True, check=False)
    found = re.fullmatch(r"Python (\d+)\.(\d+)\.\d+", said.stdout.strip())
    return (int(found[1]), int(found[2])) if found else (0, 0)


def environment_of(which: str, python: Path) -> Path:
    """Return an environment with the dependencies, made if it is missing or differs."""
    environment = ROOT / "build" / which
    pins = ROOT / PINS[which]
    wanted = hashlib.sha256(pins.read_bytes() + str(python).encode()).hexdigest()
    stamp = environment / "ready"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(environment, ignore_errors=True)
        subprocess.run([python, "-m", "venv", environment], check=True)
        pip(environment, "--require-hashes", "-r", str(pins))
        stamp.write_text(wanted)
    return environment


def install_wheel(environment: Path, folder: Path) -> None:
    """Build the wheel and install it, in place of an older one."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    [wheel] = folder.glob("*.whl")
    pip(environment, "--no-deps", "--force-reinstall", str(wheel))


def pip(environment: Path, *arguments: str) -> None:
    """Install into an environment."""
    command = [str(environment / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*command, *arguments], check=True)


def run_tests(environment: Path, folder: Path, tests: Sequence[str]) -> int:
    """Run tests from a copy, where nothing of the checkout can be imported."""
    for name in ("tests", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    command = [str(environment / "bin/python"), "-m", "pytest", "--numprocesses=auto", "--dist=worksteal", *tests]
    return subprocess.run(command, cwd=folder, env={**os.environ, "OTELQ_TEST_INSTALLED": "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
