"""How transactions of SQLAlchemy end, learnt from its events."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from sqlalchemy import Connection, RootTransaction, event
from sqlalchemy.orm import Session

from ...ports.state import Ending
from ..joined import SAVEPOINT

Ended: TypeAlias = Callable[[Ending], None]

LOOK_AGAIN = 0.001
"""Seconds between two looks at a commit that is under way on a connection, which tells of its begin only."""

_CONTROL = re.compile(
    r"""(?ix) ^ \s* (?:
        rollback (?: \s+ transaction)? \s+ to (?: \s+ savepoint)? \s+ (?P<back_to> \S+)
      | savepoint \s+ (?P<savepoint> \S+)
      | release (?: \s+ savepoint)? \s+ (?P<release> \S+)
      | (?P<end> commit | end | rollback) \b .*
    ) \s* ;? \s* $"""
)


class Watcher:
    """
    Follows one transaction on one connection, savepoints and all.

    Statements are heard of after their end, a rollback at its begin, and the end of a commit from the session, or by
    looking. What was written belongs to the innermost savepoint of that moment; going back to one that was set before
    the watcher came takes all it knows with it.
    """

    def __init__(self, root: RootTransaction, session: Session | None) -> None:
        self.root = root
        self._loop = asyncio.get_running_loop()
        self._is_over = False
        self._is_committing = False
        self._is_doubtful = False
        self._frames: list[tuple[str | None, list[Ended]]] = [(None, [])]
        connection = root.connection
        self._listeners: list[tuple[Any, str, Callable[..., None]]] = [
            (connection, "commit", self._committing),
            (connection, "rollback", self._rolled_back),
            (connection, "after_cursor_execute", self._executed),
        ]
        if session is not None:
            self._listeners.append((session, "after_commit", self._session_committed))
        for listener in self._listeners:
            event.listen(*listener)

    def add(self, ended: Ended) -> None:
        """Somebody waits for the end of what was written last."""
        self._frames[-1][1].append(ended)

    def end(self, ending: Ending) -> None:
        """The transaction is over; whoever comes later changes nothing."""
        if self._is_over:
            return
        self._is_over = True
        self._loop.call_soon(self._stop)  # events must not be taken away while they are told
        self._tell(Ending.UNKNOWN if self._is_doubtful else ending, since=0)

    def _committing(self, connection: Connection) -> None:
        self._is_committing = True
        self._loop.call_later(LOOK_AGAIN, self._look)

    def _look(self) -> None:
        """See whether the commit that was begun is done."""
        if self._is_over:
            return
        if self.root.is_active:
            self._loop.call_later(LOOK_AGAIN, self._look)
        else:
            self.end(Ending.UNKNOWN if self._is_doubtful else Ending.COMMITTED)

    def _session_committed(self, session: Session) -> None:
        if self._is_committing and not self.root.is_active:
            self.end(Ending.COMMITTED)

    def _rolled_back(self, connection: Connection) -> None:
        # After a commit that failed, SQLite may have kept the transaction open: then it is undone by this.
        self.end(Ending.UNKNOWN if self._is_committing else Ending.ROLLED_BACK)

    def _executed(self, connection: Connection, cursor: Any, statement: str, *context: Any) -> None:
        found = _CONTROL.match(statement)
        if found is None:
            return
        kind = found.lastgroup or ""
        name = found[kind].strip("\"';").lower()
        if kind == "end":
            self._is_doubtful = True  # ended behind SQLAlchemy's back
        elif name != SAVEPOINT:
            self._move(kind, name)

    def _move(self, kind: str, name: str) -> None:
        if kind == "savepoint":
            self._frames.append((name, []))
            return
        start = next((nr for nr in range(len(self._frames) - 1, 0, -1) if self._frames[nr][0] == name), 0)
        if kind == "release":
            released = [ended for _, frame in self._frames[start:] for ended in frame]
            self._frames[start:] = [] if start else [(None, [])]
            self._frames[-1][1].extend(released)
        else:
            self._tell(Ending.ROLLED_BACK, since=start)
            self._frames.append((name, []) if start else (None, []))

    def _tell(self, ending: Ending, *, since: int) -> None:
        told = [ended for _, frame in self._frames[since:] for ended in frame]
        self._frames[since:] = []
        for ended in told:
            ended(ending)

    def _stop(self) -> None:
        for listener in self._listeners:
            if event.contains(*listener):
                event.remove(*listener)
