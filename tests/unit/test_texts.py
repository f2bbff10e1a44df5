"""Texts of exceptions and of rows, bounded and fit for where they are shown."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelq.texts import (
    LONGEST_MESSAGE,
    LONGEST_TRACEBACK,
    cut,
    has_short_messages,
    line,
    lines,
    message_of,
    storable,
    traceback_of,
)

HUGE = "x\n\x1b" * 1_000_000


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def chained(length: int) -> BaseException:
    error: BaseException = ValueError("the first")
    for n in range(length):
        following = ValueError(f"number {n}")
        following.__cause__, error = error, following
    return error


def noted(error: Exception) -> Exception:
    error.add_note(HUGE)
    return error


LONG = {
    "a message": ValueError(HUGE),
    "a key": KeyError(HUGE),
    "several arguments": ValueError(HUGE, 1, HUGE),
    "a note": noted(ValueError("short")),
    "a group": ExceptionGroup("short", [ValueError(HUGE)] * 100),
    "a group of groups": ExceptionGroup(HUGE, [ExceptionGroup("inner", [KeyError(HUGE)])]),
    "a chain": chained(10_000),
}


@pytest.mark.parametrize("error", LONG.values(), ids=LONG)
def test_what_is_told_of_an_exception_is_bounded_however_it_is_long(error: BaseException) -> None:
    assert not has_short_messages(raised(error))
    assert len(message_of(error)) <= LONGEST_MESSAGE
    assert len(traceback_of(error)) <= LONGEST_TRACEBACK


def test_a_traceback_reads_as_python_prints_it() -> None:
    error = KeyError("second")
    error.__cause__ = raised(ValueError("first"))
    error.add_note("a note")
    assert traceback_of(raised(error)) == "".join(traceback.format_exception(error))
    assert has_short_messages(error)


def test_a_context_is_told_unless_it_was_suppressed() -> None:
    inner = raised(ValueError("inner"))
    outer = KeyError("outer")
    outer.__context__ = inner
    assert "During handling of the above exception" in traceback_of(outer)
    outer.__suppress_context__ = True
    assert "inner" not in traceback_of(outer)


def test_exceptions_that_lead_to_each_other_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert traceback_of(one).count("ValueError: ") == 2


def test_the_members_of_a_group_are_told() -> None:
    text = traceback_of(BaseExceptionGroup("both", [ValueError("one"), raised(KeyError("two"))]))
    assert "Group: both (2 sub-exceptions)" in text
    assert "ValueError: one" in text
    assert "KeyError: 'two'" in text


def test_an_exception_without_a_text_has_a_name() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert "Mute has no text" in traceback_of(Mute())


@pytest.mark.parametrize(
    "text, shown",
    [
        ("a\nERROR forged\r", "a\\nERROR forged\\r"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\u2028b\u202ec", "a\\u2028b\\u202ec"),
        ("\ud800", "\\ud800"),
        ("żółw 🐢 العربية", "żółw 🐢 العربية"),
    ],
)
def test_a_line_stays_one_line_and_steers_no_terminal(text: str, shown: str) -> None:
    assert line(text) == shown


@given(st.text(alphabet=st.characters(), max_size=300))
def test_whatever_is_shown_is_bounded_and_can_be_written(text: str) -> None:
    for shown in (line(text, longest=50), lines(text, longest=50)):
        shown.encode()
        assert "\x1b" not in shown
        assert "\r" not in shown
    assert "\n" not in line(text)
    assert len(cut(text, 50)) <= 50
    stored = storable(text, longest=50)
    assert "\0" not in stored
    assert len(stored) <= 50
