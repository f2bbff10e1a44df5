"""The points at which a verb can be interrupted, and the kinds of interruption."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Interruption(StrEnum):
    """The event at a statement."""

    UNSENT = "the connection dies before"
    UNANSWERED = "the reply is lost of"
    KILLED = "the process dies after"
    BROKEN = "the disk fails, which ends the transaction, at"
    FULL = "the disk is full at"
    CANCELLED = "the task is cancelled at"
    SCOPED = "the anyio scope is cancelled at"


@dataclass(frozen=True, slots=True)
class Point:
    """A statement of a verb, counted from 1, and the event there."""

    fault: Interruption
    number: int
    statement: str

    def __str__(self) -> str:
        return f"{self.fault} statement {self.number}, {brief(self.statement)}"


def points(statements: Sequence[str], faults: Sequence[Interruption], *, in_turn: bool = False) -> Iterator[Point]:
    """
    Yield each fault at each statement. With ``in_turn``, yield one at each, and all where a transaction or the verb
    ends.
    """
    for number, statement in enumerate(statements, 1):
        is_end = number == len(statements) or statement.startswith("COMMIT")
        for fault in faults if is_end or not in_turn else [faults[number % len(faults)]]:
            yield Point(fault, number, statement)


CANCELS: Final = (Interruption.CANCELLED, Interruption.SCOPED)
"""Interruptions in which nothing fails: the caller cancels."""


class Counting:
    """Counts the statements that are sent, and recognises the one at which something is to happen."""

    def __init__(self, point: Point | None) -> None:
        self.sent: list[str] = []
        self._point = point

    def is_at(self, statement: str) -> bool:
        """Count a statement; return True if it is the one."""
        self.sent.append(statement)
        return self._point is not None and len(self.sent) == self._point.number

    @property
    def problems(self) -> list[str]:
        """Return the reason why the event did not happen at its statement; nothing if it did."""
        point = self._point
        if point is None or (len(self.sent) >= point.number and self.sent[point.number - 1] == point.statement):
            return []
        return [f"made other statements than before: {'; '.join(map(brief, self.sent))}"]


def brief(statement: str) -> str:
    """Return the beginning of a statement, in one line."""
    words = " ".join(_COMMENT.sub(" ", statement).split())
    return (words if len(words) <= LONGEST else f"{words[:LONGEST]}...") or "nothing but a comment"


LONGEST: Final = 60
_COMMENT: Final = re.compile(r"--(?! the end of)[^\n]*")
