"""The list of mutants is well-formed: every patch applies, every named test is collected, and each has its rule."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from otelq.model import Verb
from tests.mutants.listing import PATCHES, Mutant, mutants
from tests.mutants.running import Fate, applies, try_mutant

from .tree import ROOT

MUTANTS = mutants()
LONGEST = 60
"""How many lines a patch may have before nobody reads it."""


def test_every_mutant_has_an_id_of_its_own_and_a_patch() -> None:
    ids = [mutant.id for mutant in MUTANTS]

    assert len(set(ids)) == len(ids)
    assert {f"{id}.patch" for id in ids} == {file.name for file in PATCHES.iterdir()}


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.id for mutant in MUTANTS])
def test_the_patch_applies_says_what_it_breaks_and_touches_only_the_package(mutant: Mutant) -> None:
    text = mutant.patch.read_text()
    header = text.partition("--- ")[0]

    assert applies(mutant, ROOT) is None
    assert mutant.rule in header
    assert len(header.split()) > 8
    assert set(re.findall(r"^(?:---|\+\+\+) [ab]/(\w+)/", text, re.MULTILINE)) == {"otelq"}
    assert len(text.splitlines()) <= LONGEST


@pytest.mark.timeout(180)
def test_every_named_test_is_collected() -> None:
    named = sorted({test for mutant in MUTANTS for test in mutant.tests})
    files = sorted({test.partition("::")[0] for test in named})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:randomly", *named]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert finished.returncode == 0, f"of {', '.join(files)}: {finished.stdout[-2000:]}"


def test_every_mutant_names_a_test() -> None:
    assert all(mutant.tests for mutant in MUTANTS)


def test_every_invariant_is_broken_by_a_mutant() -> None:
    broken = {mutant.rule for mutant in MUTANTS}

    assert [f"I{number}" for number in range(1, 15) if f"I{number}" not in broken] == []


def test_every_verb_is_broken_by_a_mutant() -> None:
    broken = {verb for mutant in MUTANTS for verb in mutant.verbs}

    assert [verb for verb in Verb if verb not in broken] == []


def test_every_kind_of_backend_is_among_them() -> None:
    named = " ".join(test for mutant in MUTANTS for test in mutant.tests)

    assert all(backend in named for backend in ("[memory", "[sqlite", "[postgres18"))


PLANTED = """\
I0. A file is planted.

--- /dev/null
+++ b/{path}
@@ -0,0 +1 @@
+{line}
"""
QUICK = "tests/unit/test_transitions.py::test_every_verb_has_moves"


def _planted(folder: Path, *, path: str, line: str, test: str) -> Mutant:
    Path(folder, "planted.patch").write_text(PLANTED.format(path=path, line=line))
    return Mutant(id="planted", title="", rule="I0", tests=(test,), folder=folder)


def test_a_mutant_that_no_test_notices_has_survived(tmp_path: Path) -> None:
    mutant = _planted(tmp_path, path="otelq/planted.py", line="planted = True", test=QUICK)

    assert try_mutant(mutant, {}).fate is Fate.SURVIVED


def test_a_test_that_cannot_even_be_imported_has_noticed_nothing(tmp_path: Path) -> None:
    mutant = _planted(tmp_path, path="otelq/errors/__init__.py", line="raise", test=QUICK)

    verdict = try_mutant(mutant, {})

    assert verdict.fate is Fate.UNTESTED
    assert "could not be run" in verdict.reason


def test_a_test_that_is_not_there_has_noticed_nothing(tmp_path: Path) -> None:
    mutant = _planted(tmp_path, path="otelq/planted.py", line="planted = True", test=f"{QUICK}_of_nothing")

    verdict = try_mutant(mutant, {})

    assert verdict.fate is Fate.UNTESTED
    assert "_of_nothing" in verdict.reason


def test_a_test_that_is_skipped_has_noticed_nothing(tmp_path: Path) -> None:
    line = "import pytest; pytest.skip(allow_module_level=True)"
    mutant = _planted(tmp_path, path="tests/unit/test_planted.py", line=line, test="tests/unit/test_planted.py")

    assert try_mutant(mutant, {}).fate is Fate.UNTESTED


def test_a_patch_of_lines_that_have_changed_is_stale(tmp_path: Path) -> None:
    text = "I0.\n\n--- a/otelq/model/moves.py\n+++ b/otelq/model/moves.py\n@@ -1 +1 @@\n-no such line\n+another\n"
    Path(tmp_path, "planted.patch").write_text(text)
    mutant = Mutant(id="planted", title="", rule="I0", tests=(QUICK,), folder=tmp_path)

    verdict = try_mutant(mutant, {})

    assert verdict.fate is Fate.STALE
    assert "planted.patch does not apply" in verdict.reason
