"""Who waits for the end of what was written in one transaction, savepoints and all."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..ports.state import Ending

Ended: TypeAlias = Callable[[Ending], None]

SAVEPOINT = "otelq_verb"
"""The savepoint of the verbs, in which nobody else writes."""

_CONTROL = re.compile(
    r"""(?ix) ^ \s* (?:
        rollback (?: \s+ transaction)? \s+ to (?: \s+ savepoint)? \s+ (?P<back_to> \S+)
      | savepoint \s+ (?P<savepoint> \S+)
      | release (?: \s+ savepoint)? \s+ (?P<release> \S+)
      | (?P<end> commit | end | rollback | begin) \b .*
    ) \s* ;? \s* $"""
)
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


class Frames:
    """
    What was written belongs to the innermost savepoint of that moment.

    Going back to a savepoint that was set before anybody listened takes all that is known with it. A transaction that
    its user ended by hand is in doubt.
    """

    def __init__(self) -> None:
        self.ended_by: str | None = None
        """The word by which its user ended the transaction, or began another."""
        self._frames: list[tuple[str | None, list[Ended]]] = [(None, [])]

    def add(self, ended: Ended) -> None:
        """Somebody waits for the end of what was written last."""
        self._frames[-1][1].append(ended)

    def hear(self, sql: str) -> Sequence[Ended]:
        """Follow a statement; returns those whose writes it took back."""
        found = _CONTROL.match(_COMMENTS.sub(" ", sql))
        if found is None:
            return ()
        kind = found.lastgroup or ""
        name = found[kind].strip("\"'`[];").lower()
        if kind == "end":
            self.ended_by = name
        elif name != SAVEPOINT:
            return self._move(kind, name)
        return ()

    @property
    def is_doubtful(self) -> bool:
        """Whether one transaction may have ended, and another begun."""
        return self.ended_by is not None

    def end(self, ending: Ending) -> None:
        """Tell all who still wait."""
        for ended in self._cut(0):
            ended(Ending.UNKNOWN if self.is_doubtful else ending)

    def _move(self, kind: str, name: str) -> Sequence[Ended]:
        if kind == "savepoint":
            self._frames.append((name, []))
            return ()
        start = next((nr for nr in range(len(self._frames) - 1, 0, -1) if self._frames[nr][0] == name), 0)
        taken = self._cut(start)
        if kind == "back_to":
            self._frames.append((name if start else None, []))
            return taken
        self._frames = self._frames or [(None, [])]
        self._frames[-1][1].extend(taken)
        return ()

    def _cut(self, start: int) -> list[Ended]:
        taken = [ended for _, frame in self._frames[start:] for ended in frame]
        self._frames[start:] = []
        return taken
