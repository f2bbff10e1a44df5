"""The savepoints of one transaction, and the writes in each of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

_COMMENT: Final = r"(?: --[^\n]*(?:\n|$) | /\*(?:[^*]|\*(?!/))*\*/ )"
_GAP: Final = rf"(?: \s | {_COMMENT} )"
_AND: Final = rf"\b{_GAP}*"
_NAME: Final = r"""(?: "(?:[^"]|"")+" | '(?:[^']|'')+' | `(?:[^`]|``)+` | \[[^\]]+\] | [^\s;"'`\[\-/]+ )"""
_TRANSACTION: Final = rf"(?: {_AND} (?: work | transaction ))?"
_CHAIN: Final = rf"(?: {_AND} and {_AND} (?: no {_AND} )? chain )?"
_CONTROL: Final = re.compile(
    rf"""(?ix) {_GAP}* (?:
        (?P<COMMIT> commit | end) {_TRANSACTION} {_CHAIN} \b
      | (?P<ROLLBACK> rollback | abort) {_TRANSACTION} {_CHAIN} \b
      | rollback {_TRANSACTION} {_AND} to (?: {_AND} savepoint)? {_AND} (?P<ROLLBACK_TO> {_NAME})
      | savepoint {_AND} (?P<SAVEPOINT> {_NAME})
      | release (?: {_AND} savepoint)? {_AND} (?P<RELEASE> {_NAME})
    ) (?: {_GAP} | ; )*"""
)
"""Anchored at both ends, so that other statements are passed over at their first word."""

_COMMENTS: Final = re.compile(rf"(?x) {_COMMENT}")
_MAY_CONTROL: Final = re.compile(r"(?i)\b(commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b")


class Control(Enum):
    """The effect of a statement on its transaction."""

    SAVEPOINT = auto()
    RELEASE = auto()
    ROLLBACK_TO = auto()
    COMMIT = auto()
    ROLLBACK = auto()
    UNCLEAR = auto()
    """One of these, but unknown which: the statement is one of several, or may be inside a procedure."""


class ControlStatement(NamedTuple):
    """A statement that controls a transaction, with the name of its savepoint: in lower case unless it was quoted."""

    control: Control
    name: str = ""


def parse_control(sql: str) -> ControlStatement | None:
    """Return what one statement does to its transaction; None if nothing."""
    found = _CONTROL.fullmatch(sql)
    if found is None or found.lastgroup is None:
        return None
    control = Control[found.lastgroup]
    return (
        ControlStatement(control)
        if control in (Control.COMMIT, Control.ROLLBACK)
        else ControlStatement(control, _unquoted(found[control.name]))
    )


def parse_controls(sql: str) -> ControlStatement | None:
    """Return the same for text that may hold several statements or a procedure; ``UNCLEAR`` if it cannot be told."""
    if step := parse_control(sql):
        return step
    text = _COMMENTS.sub(" ", sql).strip().rstrip(";") if ";" in sql else ""
    return ControlStatement(Control.UNCLEAR) if ";" in text and _MAY_CONTROL.search(text) else None


def _unquoted(name: str) -> str:
    quote = name[0]
    if quote == "[":
        return name[1:-1]
    return name[1:-1].replace(quote * 2, quote) if quote in "\"'`" else name.lower()


class SavepointStack(Generic[T]):
    """
    Records what was written in a transaction, each under the innermost savepoint of that moment.

    Names may be set several times, and the last one counts. An unknown name is that of a savepoint from before the
    transaction was followed, so rolling back to it takes back everything. With ``sees_all`` the transaction was
    followed from its beginning: then the statement with an unknown name fails, and changes nothing.
    """

    def __init__(self, *, ignores_case: bool = False, sees_all: bool = False) -> None:
        self.ended_by: Control | None = None
        """The statement by which its user ended the transaction; later writes are in another one, or in none."""
        self.is_uncertain = False
        """Set when one transaction may have ended unseen and another begun: the next end may be of either."""
        self._ignores_case = ignores_case
        self._is_whole = sees_all
        self._levels: list[tuple[str | None, list[T]]] = [(None, [])]

    def add(self, written: T) -> None:
        """Record a write."""
        self._levels[-1][1].append(written)

    def apply(self, step: ControlStatement) -> Sequence[T]:
        """Follow a statement that succeeded; return the writes that it rolled back."""
        name = step.name.lower() if self._ignores_case else step.name
        match step.control:
            case Control.SAVEPOINT:
                self._levels.append((name, []))
            case Control.RELEASE:
                self._release(name)
            case Control.ROLLBACK_TO:
                return self._roll_back_to(name)
            case Control.COMMIT | Control.ROLLBACK:
                self.ended_by = step.control
                self.is_uncertain = True
            case Control.UNCLEAR:
                self.is_uncertain = True
        return ()

    def take_all(self) -> Sequence[T]:
        """Return all recorded writes, and forget them."""
        return self._cut(0)

    def _release(self, name: str) -> None:
        start = self._find(name)
        if start is not None:
            # Writes of a released savepoint belong to the one around it, and may still be rolled back with that.
            released = self._cut(start)
            self._levels[-1][1].extend(released)

    def _roll_back_to(self, name: str) -> Sequence[T]:
        start = self._find(name)
        # If in doubt, nothing is reported as rolled back: writes before an unknown savepoint may be there still.
        if start is None or (start == 0 and self.is_uncertain):
            return ()
        taken = self._cut(start)
        if start:
            self._levels.append((name, []))  # ROLLBACK TO keeps its savepoint
        return taken

    def _find(self, name: str) -> int | None:
        """Return the frame of the innermost savepoint of this name; for an unknown one 0, or None if ``sees_all``."""
        found = (at for at in range(len(self._levels) - 1, 0, -1) if self._levels[at][0] == name)
        return next(found, None if self._is_whole else 0)

    def _cut(self, start: int) -> list[T]:
        """Remove the frames from here on and return their writes; the bottom frame is only emptied."""
        taken = [written for _, frame in self._levels[start:] for written in frame]
        self._levels[start:] = [] if start else [(None, [])]
        return taken
