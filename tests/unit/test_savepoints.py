"""Who belongs to which savepoint, by the statements alone."""

from __future__ import annotations

import pytest

from otelq.savepoints import Control, ControlStatement, SavepointStack, parse_control, parse_controls


def written(*sql: str, keeps: SavepointStack[str] | None = None) -> tuple[list[str], list[str]]:
    """What is taken back, and what is left, if a word is written after each statement that begins with a plus."""
    savepoints = keeps or SavepointStack[str]()
    taken: list[str] = []
    for text in sql:
        if text.startswith("+"):
            savepoints.add(text[1:])
        elif step := parse_controls(text):
            taken += savepoints.apply(step)
    return taken, [*savepoints.take_all()]


def test_a_rollback_takes_what_was_written_since_its_savepoint() -> None:
    assert written("+a", "SAVEPOINT s", "+b", "ROLLBACK TO s", "+c") == (["b"], ["a", "c"])


def test_a_savepoint_outlives_a_rollback_to_it() -> None:
    assert written("SAVEPOINT s", "ROLLBACK TO s", "+a", "ROLLBACK TO s", "+b") == (["a"], ["b"])


def test_a_released_savepoint_leaves_what_it_has_to_the_one_around_it() -> None:
    assert written("SAVEPOINT s", "SAVEPOINT t", "+a", "RELEASE t", "ROLLBACK TO s") == (["a"], [])


def test_the_release_of_an_outer_savepoint_ends_those_inside_it() -> None:
    taken, left = written("+a", "SAVEPOINT s", "SAVEPOINT t", "+b", "RELEASE s", "SAVEPOINT u", "+c", "ROLLBACK TO u")
    assert (taken, left) == (["c"], ["a", "b"])


def test_a_rollback_to_an_outer_savepoint_takes_those_inside_it() -> None:
    assert written("+a", "SAVEPOINT s", "+b", "SAVEPOINT t", "+c", "ROLLBACK TO s") == (["b", "c"], ["a"])


def test_of_savepoints_of_one_name_the_last_one_counts_until_it_is_released() -> None:
    first = written("SAVEPOINT s", "+a", "SAVEPOINT s", "+b", "ROLLBACK TO s")
    second = written("SAVEPOINT s", "+a", "SAVEPOINT s", "+b", "RELEASE s", "ROLLBACK TO s")

    assert (first, second) == ((["b"], ["a"]), (["a", "b"], []))


def test_a_savepoint_from_before_takes_all_that_is_known() -> None:
    assert written("+a", "SAVEPOINT s", "+b", "ROLLBACK TO before", "+c") == (["a", "b"], ["c"])


def test_the_release_of_a_savepoint_from_before_keeps_all() -> None:
    assert written("+a", "SAVEPOINT s", "+b", "RELEASE before", "ROLLBACK TO earlier") == (["a", "b"], [])


@pytest.mark.parametrize("unheard", ["ROLLBACK TO nobody", "RELEASE nobody"])
def test_where_all_was_heard_a_name_that_was_never_set_changes_nothing(unheard: str) -> None:
    whole = SavepointStack[str](sees_all=True)
    assert written("+a", "SAVEPOINT s", "+b", unheard, "ROLLBACK TO s", keeps=whole) == (["b"], ["a"])


@pytest.mark.parametrize("ignores_case", [False, True])
def test_quoted_names_are_compared_as_the_database_does(ignores_case: bool) -> None:
    keeps = SavepointStack[str](ignores_case=ignores_case)
    taken, _ = written('SAVEPOINT "S"', "+a", "SAVEPOINT s", "+b", "RELEASE S", 'ROLLBACK TO "S"', keeps=keeps)

    assert taken == ["a", "b"]
    keeps = SavepointStack[str](ignores_case=ignores_case, sees_all=True)
    assert written('SAVEPOINT "S"', "+a", "ROLLBACK TO s", keeps=keeps)[0] == (["a"] if ignores_case else [])


@pytest.mark.parametrize("sql", ["COMMIT", "ROLLBACK", "SELECT 1; COMMIT"])
def test_after_an_end_by_hand_an_unknown_savepoint_takes_nothing(sql: str) -> None:
    keeps = SavepointStack[str]()
    assert written("+a", sql, "ROLLBACK TO before", "SAVEPOINT s", "+b", "ROLLBACK TO s", keeps=keeps) == (["b"], ["a"])
    assert keeps.is_uncertain


def test_who_ended_a_transaction_by_hand_is_known_by_the_statement() -> None:
    keeps = SavepointStack[str]()
    assert keeps.ended_by is None
    written("COMMIT", "ROLLBACK", keeps=keeps)

    assert keeps.ended_by is Control.ROLLBACK


@pytest.mark.parametrize(
    "sql, step",
    [
        ("SAVEPOINT a", ControlStatement(Control.SAVEPOINT, "a")),
        (" savepoint A ; ", ControlStatement(Control.SAVEPOINT, "a")),
        ('SAVEPOINT "My ""Point"""', ControlStatement(Control.SAVEPOINT, 'My "Point"')),
        ('SAVEPOINT"a--b"', ControlStatement(Control.SAVEPOINT, "a--b")),
        ("SAVEPOINT [My Point]", ControlStatement(Control.SAVEPOINT, "My Point")),
        ("SAVEPOINT 'it''s'", ControlStatement(Control.SAVEPOINT, "it's")),
        ("SAVEPOINT `a b`", ControlStatement(Control.SAVEPOINT, "a b")),
        ("SAVEPOINT a--b", ControlStatement(Control.SAVEPOINT, "a")),
        ("RELEASE a", ControlStatement(Control.RELEASE, "a")),
        ("RELEASE SAVEPOINT a", ControlStatement(Control.RELEASE, "a")),
        ("RELEASE savepoint", ControlStatement(Control.RELEASE, "savepoint")),
        ("ROLLBACK TO a", ControlStatement(Control.ROLLBACK_TO, "a")),
        ("ROLLBACK WORK TO a", ControlStatement(Control.ROLLBACK_TO, "a")),
        ("rollback transaction to savepoint a;", ControlStatement(Control.ROLLBACK_TO, "a")),
        ("-- back\nROLLBACK /* all */ TO--x\na", ControlStatement(Control.ROLLBACK_TO, "a")),
        ("COMMIT", ControlStatement(Control.COMMIT)),
        ("/* done */ END -- bye", ControlStatement(Control.COMMIT)),
        ("commit work;", ControlStatement(Control.COMMIT)),
        ("COMMIT AND NO CHAIN", ControlStatement(Control.COMMIT)),
        ("END TRANSACTION", ControlStatement(Control.COMMIT)),
        ("ROLLBACK", ControlStatement(Control.ROLLBACK)),
        ("abort transaction and chain", ControlStatement(Control.ROLLBACK)),
        ("BEGIN", None),
        ("SELECT 'COMMIT'", None),
        ("commitment", None),
        ("savepoints", None),
        ("", None),
    ],
)
def test_a_statement_is_read(sql: str, step: ControlStatement | None) -> None:
    assert parse_control(sql) == step


@pytest.mark.parametrize(
    "sql, is_unclear",
    [
        ("INSERT INTO t VALUES (1); COMMIT", True),
        ("DO $$ BEGIN NULL; END $$", True),
        ("SELECT 1; PREPARE TRANSACTION 'x'", True),
        ("SELECT 1; SELECT 2", False),
        ("SELECT 1 -- ; COMMIT", False),
        ("SELECT 'the end';", False),
    ],
)
def test_among_several_statements_an_end_is_only_suspected(sql: str, is_unclear: bool) -> None:
    assert parse_controls(sql) == (ControlStatement(Control.UNCLEAR) if is_unclear else None)
    assert parse_control(sql) is None
