"""
Text from anywhere, made fit for the place where it is shown or stored: bounded, and of one line where a line is meant.

An exception may carry a megabyte, a stored row may hold anything. What leaves otelq as a log line, a span, a stored
failure or a message between processes goes through here, and is cut before anything else is done with it.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Sequence
from typing import Final, cast

NAME: Final = 200
"""Characters of a name: of a job type, a worker, an exception's type."""
MESSAGE: Final = 2_000
"""Characters of an exception's message, and of one value in a log line."""
TRACE: Final = 8_000
"""Characters of a traceback with its messages, and of a stored failure."""
FRAMES: Final = 32
"""Frames of each exception in a traceback, the innermost ones."""
MOST: Final = 16
"""Exceptions in a traceback: causes, contexts, and members of groups."""
NOTES: Final = 8
"""Notes of each exception."""

UNSEEN: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
"""
Characters, as in a regular expression, that steer what shows them: a terminal, a log, the direction of a line. Tab and
line feed are not among them.
"""
_IN_LINE = re.compile(f"[\\t\\n{UNSEEN}]")
_IN_LINES = re.compile(f"[{UNSEEN}]")

_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"

_PLAIN = (BaseException.__str__, KeyError.__str__)


def cut(text: str, longest: int) -> str:
    """The text, or its beginning with a mark that there was more."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def line(text: str, *, longest: int = MESSAGE) -> str:
    """Text for a place in a line: bounded, with all that would break the line, or steer a terminal, escaped."""
    short = cut(text, longest)
    return short if short.isprintable() else _IN_LINE.sub(_escaped, short)


class Lines(str):
    """Text of several lines that may be shown as it is."""

    __slots__ = ()


def lines(text: str, *, longest: int = TRACE) -> Lines:
    """Text of several lines: bounded, with all that would steer a terminal escaped."""
    return Lines(_IN_LINES.sub(_escaped, cut(text, longest)))


def storable(text: str, *, longest: int = TRACE) -> str:
    """Text made fit to be stored: bounded, with NUL and lone surrogates replaced."""
    return cut(text, longest).replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def message_of(error: BaseException) -> str:
    """The exception's message, bounded, also where its ``__str__`` fails."""
    try:
        return cut(_text(error), MESSAGE)
    except Exception:
        return f"<{type(error).__qualname__} has no text>"


def trace_of(error: BaseException, *, frames: int = FRAMES) -> str:
    """
    The traceback as Python prints it, with causes, groups and notes, all bounded.

    Where it is too long its end is kept: that is where Python tells what happened last.
    """
    text = "".join(_told(error, frames, seen=set()))
    return text if len(text) <= TRACE else f"…{text[1 - TRACE :]}"


def is_short(error: BaseException) -> bool:
    """Whether anybody may format the exception as a whole: its messages are within their bounds."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if len(seen) > MOST or message_of(one).endswith("…") or sum(map(len, _notes(one))) > MESSAGE:
            return False
        waiting += [other for other in (one.__cause__, one.__context__, *_members(one)) if other is not None]
    return True


def _told(error: BaseException, frames: int, *, seen: set[int]) -> Iterator[str]:
    """The exception and what led to it, first things first."""
    for one, joint in reversed(_chain(error, seen)):
        if one.__traceback__ is not None:
            yield "Traceback (most recent call last):\n"
            for frame in traceback.format_tb(one.__traceback__, limit=-frames):
                yield cut(frame, MESSAGE)
        kind = type(one)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        message = message_of(one)
        yield f"{cut(name, NAME)}: {message}\n" if message else f"{cut(name, NAME)}\n"
        yield from (f"{cut(note, MESSAGE)}\n" for note in _notes(one))
        for number, member in enumerate(_members(one), 1):
            if len(seen) < MOST:
                yield f"  ---------------- {number} ----------------\n"
                yield from _indented("".join(_told(member, frames, seen=seen)))
        yield joint


def _chain(error: BaseException, seen: set[int]) -> list[tuple[BaseException, str]]:
    """The exception and its causes, the nearest first, each with the words that lead from it to the one before."""
    links: list[tuple[BaseException, str]] = []
    one, joint = error, ""
    while id(one) not in seen and len(seen) < MOST:
        seen.add(id(one))
        links.append((one, joint))
        if one.__cause__ is not None:
            one, joint = one.__cause__, _CAUSE
        elif one.__context__ is not None and not one.__suppress_context__:
            one, joint = one.__context__, _CONTEXT
    return links


def _indented(text: str) -> Iterator[str]:
    return (f"  {each}" for each in cut(text, TRACE).splitlines(keepends=True))


def _members(error: BaseException) -> Sequence[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return ()
    return cast("BaseExceptionGroup[BaseException]", error).exceptions[:MOST]


def _notes(error: BaseException) -> list[str]:
    notes: object = getattr(error, "__notes__", None)
    listed = cast("list[object]", notes) if isinstance(notes, list) else []
    return [one for one in listed[:NOTES] if isinstance(one, str)]


def _text(error: BaseException) -> str:
    """The message; where it is made of the arguments alone, of no more of them than can be shown."""
    how = type(error).__str__
    if how not in _PLAIN:
        return str(error)
    arguments = tuple(one[: MESSAGE + 1] if isinstance(one, str | bytes) else one for one in error.args)
    if len(arguments) == 1:
        return repr(arguments[0]) if how is KeyError.__str__ else str(arguments[0])
    return str(arguments) if arguments else ""


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
