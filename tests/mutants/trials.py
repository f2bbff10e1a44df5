"""Copies of the tree in which mutants are made and tested, and what becomes of each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.util import cache_from_source
from pathlib import Path

from tests.repo.tree import ROOT, tracked_files

from .catalogue import Mutant
from .source import Stale

PACKAGE = "otelq"
"""What mutants change."""
TEST_LIMIT = 20
"""Seconds for one test. Many tests wait for a condition, and notice by running out of time that it never comes."""
RUN_LIMIT = 120
"""Seconds for one run of pytest."""
QUICK = ("-q", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "-o", f"timeout={TEST_LIMIT}")
SETTINGS = {"CI": "true"}
"""Hypothesis takes the same way each time, and what is missing is an error."""


class Fate(StrEnum):
    """What became of a mutant; all but the first are failures."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    UNTESTED = "NOT TESTED"
    """A test of it is not green without it, or did not run to its end, or is not there."""
    STALE = "STALE"
    """It no longer fits the code."""


@dataclass(frozen=True)
class Verdict:
    """The fate of one mutant, and why where it is a failure."""

    mutant: Mutant
    fate: Fate
    reason: str = ""
    seconds: float = 0.0


class Tree:
    """A copy of the files that git knows, in which one mutant after the other is made and tested."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = {**os.environ, **env, **SETTINGS, "PYTHONPATH": str(folder)}

    def attempt(self, mutant: Mutant) -> Verdict:
        """Make the mutant and run its tests, of which each must fail."""
        try:
            file, text = mutant.apply(self._folder / PACKAGE)
        except Stale as error:
            return Verdict(mutant, Fate.STALE, str(error))
        with _changed(file, text):
            began = time.monotonic()
            results = self.run(mutant.tests)
        return replace(_verdict(mutant, results), seconds=time.monotonic() - began)

    def run(self, tests: Sequence[str]) -> dict[str, str]:
        """Run tests in a process of its own; return what came of each: ``passed``, ``failed``, or why neither."""
        report = self._folder / "report.xml"
        command = [sys.executable, "-m", "pytest", "--verify", *QUICK, f"--junitxml={report}", *tests]
        try:
            done = subprocess.run(
                command, cwd=self._folder, env=self._env, capture_output=True, text=True, timeout=RUN_LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            return dict.fromkeys(tests, f"did not end within {RUN_LIMIT} seconds")
        if done.returncode not in (0, 1):  # a test that is not there, a module that cannot be imported
            return dict.fromkeys(tests, f"could not be run: {_complaint(done)}")
        return _results(report)


@contextmanager
def copied(env: Mapping[str, str]) -> Generator[Tree]:
    """Yield a copy of the work tree whose tests run in this environment."""
    with tempfile.TemporaryDirectory(prefix="otelq-mutants-") as folder:
        for file in tracked_files():
            target = Path(folder, file.relative_to(ROOT))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        yield Tree(Path(folder), env)


@contextmanager
def _changed(file: Path, text: str) -> Generator[None]:
    before = file.read_text()
    _write(file, text)
    try:
        yield
    finally:
        _write(file, before)


def _write(file: Path, text: str) -> None:
    """Write a module, and forget its byte code, which two versions of one second and one length would share."""
    file.write_text(text)
    Path(cache_from_source(str(file))).unlink(missing_ok=True)


def _verdict(mutant: Mutant, results: Mapping[str, str]) -> Verdict:
    for test in mutant.tests:
        result = results.get(test, "did not run")
        if result == "passed":
            return Verdict(mutant, Fate.SURVIVED, f"{test} passes all the same")
        if result != "failed":
            return Verdict(mutant, Fate.UNTESTED, f"{test} {result}")
    return Verdict(mutant, Fate.KILLED)


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if "ERROR" in line or line.startswith("E ")]
    return "; ".join(lines[:5]) or f"pytest ended with {done.returncode}"


def _results(report: Path) -> dict[str, str]:
    """Return what came of each test. A failure counts whatever its fixtures say afterwards; theirs alone does not."""
    results: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        test = f"{str(case.get('classname')).replace('.', '/')}.py::{case.get('name')}"
        if results.get(test) != "failed":
            results[test] = _outcome(case)
    return results


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None:
        return "failed"
    for kind in ("error", "skipped"):
        if (found := case.find(kind)) is not None:
            return f"ended as {kind}: {found.get('message')}"
    return "passed"
