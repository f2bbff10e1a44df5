"""
Bounded, escaped text for logs, spans, stored failures and messages between processes.

An exception may carry a megabyte, and a stored row may hold anything. Text is cut first, before any other work is done
on it.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Sequence
from typing import Final, cast

LONGEST_NAME: Final = 200
"""Characters of a name: of a job type, a worker, an exception's type."""
LONGEST_MESSAGE: Final = 2_000
"""Characters of an exception's message, and of one value in a log line."""
LONGEST_TRACEBACK: Final = 8_000
"""Characters of a traceback with its messages, and of a stored failure."""
MOST_FRAMES: Final = 32
"""Frames of each exception in a traceback, the innermost ones."""
MOST_EXCEPTIONS: Final = 16
"""Exceptions in a traceback: causes, contexts, and members of groups."""
MOST_NOTES: Final = 8
"""Notes of each exception."""

CONTROLS: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
"""
Control characters for a regular expression: they can change a terminal, a log or the direction of a line. Tab and line
feed are not among them.
"""
_UNSAFE_IN_LINE = re.compile(f"[\\t\\n{CONTROLS}]")
_UNSAFE_IN_LINES = re.compile(f"[{CONTROLS}]")

_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"

_BUILT_IN = (BaseException.__str__, KeyError.__str__)
"""The ``__str__`` methods that format the arguments of an exception, and nothing else."""


def cut(text: str, longest: int) -> str:
    """Return the text, or its beginning and an ellipsis if it is too long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def line(text: str, *, longest: int = LONGEST_MESSAGE) -> str:
    """Return text for one line: bounded, with line breaks and control characters escaped."""
    short = cut(text, longest)
    return short if short.isprintable() else _UNSAFE_IN_LINE.sub(_escaped, short)


class Lines(str):
    """Text of several lines that is escaped already."""

    __slots__ = ()


def lines(text: str, *, longest: int = LONGEST_TRACEBACK) -> Lines:
    """Return text of several lines: bounded, with control characters escaped."""
    return Lines(_UNSAFE_IN_LINES.sub(_escaped, cut(text, longest)))


def storable(text: str, *, longest: int = LONGEST_TRACEBACK) -> str:
    """Return text that every database can store: bounded, with NUL and lone surrogates replaced."""
    return cut(text, longest).replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def class_name(kind: type) -> str:
    """Return the qualified name of a class, without ``builtins``: the name under which its errors are stored."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def message_of(error: BaseException) -> str:
    """Return the exception's message, bounded; a substitute if its ``__str__`` raises."""
    try:
        return cut(_text(error), LONGEST_MESSAGE)
    except Exception:
        return f"<{type(error).__qualname__} has no text>"


def traceback_of(error: BaseException, *, frames: int = MOST_FRAMES) -> str:
    """
    Return the traceback as Python prints it, with causes, groups and notes, all bounded.

    The end of a long one is kept, not the beginning: Python prints the latest exception last.
    """
    text = "".join(_formatted(error, frames, seen=set()))
    return text if len(text) <= LONGEST_TRACEBACK else f"…{text[1 - LONGEST_TRACEBACK :]}"


def has_short_messages(error: BaseException) -> bool:
    """Return whether all messages of an exception are within bounds, so that others can format it as a whole."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if len(seen) > MOST_EXCEPTIONS or message_of(one).endswith("…") or sum(map(len, _notes(one))) > LONGEST_MESSAGE:
            return False
        waiting += [other for other in (one.__cause__, one.__context__, *_members(one)) if other is not None]
    return True


def _formatted(error: BaseException, frames: int, *, seen: set[int]) -> Iterator[str]:
    """Yield an exception and its causes as text, the earliest first."""
    for one, sentence in reversed(_causes(error, seen)):
        if one.__traceback__ is not None:
            yield "Traceback (most recent call last):\n"
            for frame in traceback.format_tb(one.__traceback__, limit=-frames):
                yield cut(frame, LONGEST_MESSAGE)
        name = class_name(type(one))
        message = message_of(one)
        yield f"{cut(name, LONGEST_NAME)}: {message}\n" if message else f"{cut(name, LONGEST_NAME)}\n"
        yield from (f"{cut(note, LONGEST_MESSAGE)}\n" for note in _notes(one))
        for number, member in enumerate(_members(one), 1):
            if len(seen) < MOST_EXCEPTIONS:
                yield f"  ---------------- {number} ----------------\n"
                yield from _indented("".join(_formatted(member, frames, seen=seen)))
        yield sentence


def _causes(error: BaseException, seen: set[int]) -> list[tuple[BaseException, str]]:
    """Return an exception and its causes, the nearest first, each with the sentence that Python prints after it."""
    causes: list[tuple[BaseException, str]] = []
    one, sentence = error, ""
    while id(one) not in seen and len(seen) < MOST_EXCEPTIONS:  # causes may form a circle
        seen.add(id(one))
        causes.append((one, sentence))
        if one.__cause__ is not None:
            one, sentence = one.__cause__, _CAUSE
        elif one.__context__ is not None and not one.__suppress_context__:
            one, sentence = one.__context__, _CONTEXT
    return causes


def _indented(text: str) -> Iterator[str]:
    return (f"  {each}" for each in cut(text, LONGEST_TRACEBACK).splitlines(keepends=True))


def _members(error: BaseException) -> Sequence[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return ()
    return cast("BaseExceptionGroup[BaseException]", error).exceptions[:MOST_EXCEPTIONS]


def _notes(error: BaseException) -> list[str]:
    notes: object = getattr(error, "__notes__", None)
    listed = cast("list[object]", notes) if isinstance(notes, list) else []
    return [one for one in listed[:MOST_NOTES] if isinstance(one, str)]


def _text(error: BaseException) -> str:
    """Return the message of an exception; may raise what its ``__str__`` raises."""
    how = type(error).__str__
    if how not in _BUILT_IN:
        return str(error)
    # Cut before they are formatted: `repr` of a large argument would copy all of it.
    arguments = tuple(one[: LONGEST_MESSAGE + 1] if isinstance(one, str | bytes) else one for one in error.args)
    if len(arguments) == 1:
        return repr(arguments[0]) if how is KeyError.__str__ else str(arguments[0])
    return str(arguments) if arguments else ""


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
