"""Every mutant fits the code and names tests that are there; and the tool finds, refuses and judges as it should."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from tests.mutants.catalogue import Mutant, mutants
from tests.mutants.source import Change, Stale, symbols
from tests.mutants.trials import PACKAGE, Fate, copied

from .tree import ROOT

MUTANTS = mutants()


# The list


def test_every_mutant_has_an_id_and_a_rule_of_its_own() -> None:
    assert len({mutant.id for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(mutant.rule, mutant.under) for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.id for mutant in MUTANTS])
def test_the_mutant_fits_the_code(mutant: Mutant) -> None:
    file, text = mutant.apply(ROOT / PACKAGE)

    assert text != file.read_text()
    if file.suffix == ".py":
        compile(text, file, "exec")


def test_every_mutant_names_one_test_to_three() -> None:
    assert [mutant.id for mutant in MUTANTS if not 1 <= len(mutant.tests) <= 3] == []


@pytest.mark.timeout(180)
def test_every_named_test_is_collected() -> None:
    named = {test for mutant in MUTANTS for test in mutant.tests}
    command = [sys.executable, "-m", "pytest", "--verify", "--collect-only", "-q", "-p", "no:randomly", *sorted(named)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-2000:]
    assert named - set(done.stdout.splitlines()) == set()  # a name without its parameters collects them all


def test_every_invariant_is_broken_by_a_mutant() -> None:
    broken = {mutant.invariant for mutant in MUTANTS}

    assert [f"I{number}" for number in range(1, 15) if f"I{number}" not in broken] == []


# Finding and replacing


@pytest.fixture
def package(tmp_path: Path) -> Path:
    write(
        tmp_path / "queue.py",
        """
        class Queue:
            def is_full(self, size: int) -> bool:
                # as many as there are places
                return (
                    len(self.items)
                        < size
                )

            def put(self, item):
                if self.closed:
                    raise ValueError("it is closed")
                self.items.append(item)
                self.wake()

        LIMIT = 3
        """,
    )
    write(tmp_path / "north" / "store.py", "def save(row):\n    return row.token == 1 and row.token == 1\n")
    write(tmp_path / "south" / "store.py", "def save(row):\n    return row.token == 1\n")
    write(tmp_path / "north" / "sql" / "claim.sql", "SELECT *\n  FROM job -- all\n WHERE token IS NULL\n   AND due;\n")
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dedent(text))


def changed(package: Path, change: Change) -> str:
    return change.apply(package)[1]


def test_a_comparison_is_found_however_it_is_laid_out_and_replaced(package: Path) -> None:
    change = Change(symbol="Queue.is_full", replace="len(self.items) < size", by="len(self.items) <= size")

    assert "return len(self.items) <= size" in changed(package, change)


def test_a_symbol_is_found_in_a_file_that_was_moved(package: Path) -> None:
    change = Change(symbol="Queue.is_full", replace="size", by="size + 1")
    (package / "deep").mkdir()
    (package / "queue.py").rename(package / "deep" / "line.py")
    symbols.cache_clear()

    assert change.apply(package)[0] == package / "deep" / "line.py"


def test_statements_are_replaced_by_others_or_by_nothing(package: Path) -> None:
    twice = Change(symbol="Queue.put", replace="self.wake()", by="self.wake()\nself.wake()")
    unguarded = Change(symbol="Queue.put", replace="if self.closed:\n    raise ValueError(...)", by="")

    assert changed(package, twice).count("self.wake()") == 2
    assert "raise" not in changed(package, unguarded)


def test_dots_stand_for_any_expression_any_arguments_and_any_block(package: Path) -> None:
    for sought in ("raise ValueError(...)", "raise ...", "if ...:\n    ..."):
        assert "raise" not in changed(package, Change(symbol="Queue.put", replace=sought, by="pass"))


def test_what_a_module_or_a_class_assigns_is_a_symbol(package: Path) -> None:
    assert "LIMIT = 4" in changed(package, Change(symbol="LIMIT", replace="3", by="4"))


def test_a_statement_put_round_the_old_one_is_put_once(package: Path) -> None:
    change = Change(symbol="Queue.put", replace="self.wake()", by="try:\n    self.wake()\nfinally:\n    pass")

    assert changed(package, change).count("self.wake()") == 1


def test_a_name_that_is_nowhere_is_refused(package: Path) -> None:
    with pytest.raises(Stale, match=r"there is no symbol Queue\.take"):
        Change(symbol="Queue.take", replace="1", by="2").apply(package)
    with pytest.raises(Stale, match=r"there is no file claim\.sql under south"):
        Change(sql="claim", under="south", replace="due", by="true").apply(package)


def test_a_name_that_is_ambiguous_is_refused_unless_a_folder_is_named(package: Path) -> None:
    change = Change(symbol="save", replace="row.token == 1", by="True", everywhere=True)

    with pytest.raises(Stale, match="more than one symbol save"):
        change.apply(package)
    assert changed(package, replace(change, under="south")).endswith("return True")


def test_a_place_that_is_ambiguous_is_refused_unless_it_is_said_which(package: Path) -> None:
    change = Change(symbol="save", under="north", replace="row.token == 1", by="True")

    with pytest.raises(Stale, match="has 2 places"):
        change.apply(package)
    assert changed(package, replace(change, nth=2)).endswith("return row.token == 1 and True")
    assert changed(package, replace(change, everywhere=True)).endswith("return True and True")
    with pytest.raises(Stale, match="has 2 place"):
        replace(change, nth=3).apply(package)


def test_a_piece_that_is_not_there_is_refused(package: Path) -> None:
    with pytest.raises(Stale, match="has no place with 'len"):
        Change(symbol="Queue.is_full", replace="len(self.items) > size", by="False").apply(package)


def test_sql_is_found_however_it_is_laid_out(package: Path) -> None:
    text = changed(package, Change(sql="claim", replace="WHERE token IS NULL AND due", by="WHERE due"))

    assert text.split() == ["SELECT", "*", "FROM", "job", "--", "all", "WHERE", "due;"]


# Trying


QUICK = "tests/unit/test_transitions.py::test_a_delete_closes_nothing"
HARMLESS = Mutant(
    id="harmless", rule="none", tests=(QUICK,), symbol="closes_job", replace="Verb.DELETE", by="Verb.CREATE"
)


@pytest.mark.timeout(180)
def test_each_fate_is_told_from_the_others() -> None:
    said = "verb is not Verb.DELETE and target in ENDED"
    deadly = replace(HARMLESS, symbol="closes_chain", replace=said, by="verb is Verb.DELETE")
    broken = replace(HARMLESS, symbol="MOVES", replace="Verb.CREATE", by="nobody")
    with copied({}) as tree:
        assert tree.attempt(deadly).fate is Fate.KILLED
        assert tree.attempt(HARMLESS).fate is Fate.SURVIVED, "nothing is left of the mutant before"
        assert tree.attempt(broken).fate is Fate.UNTESTED, "its module cannot be imported"
        assert tree.attempt(replace(HARMLESS, tests=(QUICK, f"{QUICK}_of_nothing"))).fate is Fate.UNTESTED
        assert tree.attempt(replace(HARMLESS, symbol="closes_nothing")).fate is Fate.STALE
