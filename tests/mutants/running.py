"""Copies of the tree, patched and tested: what becomes of each mutant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.repo.tree import ROOT, tracked_files

from .listing import Mutant

TEST_LIMIT = 20
"""Seconds for one test. Many tests wait for a condition, and notice by running out of time that it never comes."""
RED = ("failed", "timed out")
RUN_LIMIT = 300
"""Seconds for one run of pytest."""


class Fate(StrEnum):
    """What became of a mutant; all but the first are failures."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    UNTESTED = "NOT TESTED"
    """Its test is not green without it, or did not run to its end, or is not there."""
    STALE = "STALE"
    """Its patch no longer applies."""


@dataclass(frozen=True)
class Verdict:
    """The fate of one mutant, and why where it is a failure."""

    mutant: Mutant
    fate: Fate
    reason: str = ""


@contextmanager
def copied_tree() -> Generator[Path]:
    """A copy of the files that git knows, as they stand in the work tree."""
    with tempfile.TemporaryDirectory(prefix="otelq-mutant-") as folder:
        for file in tracked_files():
            target = Path(folder, file.relative_to(ROOT))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        yield Path(folder)


def applies(mutant: Mutant, tree: Path) -> str | None:
    """Why the patch does not apply to the tree, unchanged; None if it does."""
    return _apply(mutant, tree, "--check")


def not_green(tests: Collection[str], env: Mapping[str, str]) -> dict[str, str]:
    """Those of the tests that do not pass without any mutant, and why."""
    with copied_tree() as tree:
        results = run_tests(sorted(tests), tree=tree, env=env)
    return {test: result for test in tests if (result := results.get(test, "is not collected")) != "passed"}


def try_mutant(mutant: Mutant, env: Mapping[str, str]) -> Verdict:
    """Make the mutant in a copy of the tree, and run its tests there, of which each must fail."""
    with copied_tree() as tree:
        refused = _apply(mutant, tree)
        if refused is not None:
            return Verdict(mutant, Fate.STALE, f"{mutant.patch.name} does not apply: {refused}")
        results = run_tests(mutant.tests, tree=tree, env={**env, **mutant.env})
        for test in mutant.tests:
            result = results.get(test, "did not run")
            if result == "passed":
                return Verdict(mutant, Fate.SURVIVED, f"{test} is green all the same")
            if result not in RED:
                return Verdict(mutant, Fate.UNTESTED, f"{test} {result}")
    return Verdict(mutant, Fate.KILLED)


def run_tests(tests: Sequence[str], *, tree: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Run tests of the tree in a process of its own; what came of each: ``passed``, one of ``RED``, or why neither."""
    report = tree / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    command += ["-o", f"timeout={TEST_LIMIT}", f"--junitxml={report}", *tests]
    surroundings = {**os.environ, **env, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        finished = subprocess.run(
            command, cwd=tree, env=surroundings, capture_output=True, text=True, timeout=RUN_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return dict.fromkeys(tests, f"did not end within {RUN_LIMIT} seconds")
    if finished.returncode not in (0, 1):  # a test that is not there, a module that cannot be imported
        return dict.fromkeys(tests, f"could not be run: {_complaint(finished)}")
    return dict(_result(case) for case in ElementTree.parse(report).iter("testcase"))


def _complaint(finished: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in f"{finished.stdout}\n{finished.stderr}".splitlines() if "ERROR" in line]
    return "; ".join(lines) or f"pytest ended with {finished.returncode}"


def _result(case: ElementTree.Element) -> tuple[str, str]:
    """The id of a test and what came of it; that its fixtures fail is not a failure of the test."""
    path, name = str(case.get("classname")).replace(".", "/"), case.get("name")
    return f"{path}.py::{name}", _outcome(case)


def _outcome(case: ElementTree.Element) -> str:
    for kind in ("error", "skipped"):
        if (found := case.find(kind)) is not None:
            return f"ended as {kind}: {found.get('message')}"
    failure = case.find("failure")
    if failure is None:
        return "passed"
    return "timed out" if "Timeout (>" in str(failure.get("message")) else "failed"


def _apply(mutant: Mutant, tree: Path, *options: str) -> str | None:
    if not mutant.patch.exists():
        return "there is no such file"
    # One line round a change is enough to know the place; the others may have changed meanwhile.
    command = ["git", "apply", "-C1", *options, str(mutant.patch)]
    # The copy is no repository, nor part of one that happens to stand above it.
    surroundings = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    finished = subprocess.run(command, cwd=tree, env=surroundings, capture_output=True, text=True, check=False)
    return None if finished.returncode == 0 else finished.stderr.strip().replace("\n", "; ")
