"""How transactions of SQLAlchemy end, learnt from its events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod, finalize

from sqlalchemy import Connection, RootTransaction, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.orm import Session

from ...ports.state import Ending
from ...savepoints import Savepoints, step_of
from .handles import is_in_transaction

Ended = Callable[[Ending], None]

LOOK_AGAIN = 0.001
"""Seconds between two looks at a commit that is under way on a connection, which tells of its begin only."""


class Watcher:
    """
    Follows one transaction on one connection, savepoints and all.

    Statements are heard of after their end, a rollback at its begin, and the end of a commit from the session, or by
    looking.
    """

    def __init__(self, root: RootTransaction, session: Session | None) -> None:
        self.root = root
        self._loop = asyncio.get_running_loop()
        self.is_over = False
        self._is_open = is_in_transaction(root.connection)
        self._is_lost = False
        self._is_committing = False
        self._has_failed = False
        self._savepoints = Savepoints[Ended](ignores_case=True)
        connection = root.connection
        self._listeners: list[tuple[Any, str, Callable[..., None]]] = [
            (connection, "commit", self._committing),
            (connection, "rollback", self._rolled_back),
            (connection, "before_cursor_execute", self._starting),
            (connection, "after_cursor_execute", self._executed),
            (connection.engine, "handle_error", _weakly(self._failed)),
        ]
        if session is not None:
            self._listeners.append((session, "after_commit", self._session_committed))
        for listener in self._listeners:
            event.listen(*listener)
        self._unlisten = finalize(self, unlisten, [self._listeners[4]])

    def add(self, ended: Ended) -> None:
        """Somebody waits for the end of what was written last."""
        self._savepoints.add(ended)

    def end(self, ending: Ending) -> None:
        """The transaction is over; whoever comes later changes nothing."""
        if self.is_over:
            return
        self.is_over = True
        self._loop.call_soon(self._stop)  # events must not be taken away while they are told
        for ended in self._savepoints.take_all():
            ended(Ending.UNKNOWN if self._savepoints.is_doubtful else ending)

    def _committing(self, connection: Connection) -> None:
        self.look_for_loss()
        self._is_committing = True
        self._has_failed = False
        self._loop.call_later(LOOK_AGAIN, self._look)

    def _look(self) -> None:
        """See whether the commit that was begun is done."""
        if self.is_over:
            return
        if self.root.is_active:
            self._loop.call_later(LOOK_AGAIN, self._look)
        else:
            self.end(Ending.UNKNOWN if self._has_failed else Ending.COMMITTED)

    def _failed(self, context: ExceptionContext) -> None:
        # SQLAlchemy takes the transaction for ended when its COMMIT has failed, too. One that was cancelled has not
        # failed: the connection's thread makes it.
        if context.connection is self.root.connection and isinstance(context.original_exception, Exception):
            self._has_failed = True

    def _session_committed(self, session: Session) -> None:
        if self._is_committing and not self.root.is_active:
            self.end(Ending.COMMITTED)

    def _rolled_back(self, connection: Connection) -> None:
        # After a commit that failed, SQLite may have kept the transaction open: then it is undone by this.
        self.end(Ending.UNKNOWN if self._is_committing else Ending.ROLLED_BACK)

    def _executed(self, connection: Connection, cursor: Any, statement: str, *context: Any) -> None:
        if step := step_of(statement):
            for ended in self._savepoints.hear(step):
                ended(Ending.ROLLED_BACK)
        # The release of a savepoint that was set before any transaction of SQLite's began is a commit.
        self.look_for_loss(Ending.COMMITTED)

    def _starting(self, *_: Any) -> None:
        self.look_for_loss()

    def look_for_loss(self, ending: Ending = Ending.UNKNOWN) -> bool:
        """
        See whether the database itself has left the transaction that SQLAlchemy believes in; then that was its end.

        It is in it from the first statement that writes, and may leave it by an error, which says nothing of that.
        """
        if self.is_over or self._is_committing or self._savepoints.is_doubtful or not self.root.is_active:
            return self._is_lost
        was_open, self._is_open = self._is_open, is_in_transaction(self.root.connection)
        if was_open and not self._is_open:
            self._is_lost = True
            self.end(ending)
        return self._is_lost

    def _stop(self) -> None:
        self._unlisten.detach()
        unlisten(self._listeners)


def _weakly(method: Callable[[ExceptionContext], None]) -> Callable[[ExceptionContext], None]:
    """An engine outlives its connections, and must not keep them."""
    weak = WeakMethod(method)

    def listener(context: ExceptionContext) -> None:
        if (strong := weak()) is not None:
            strong(context)

    return listener


def unlisten(listeners: list[tuple[Any, str, Callable[..., None]]]) -> None:
    """Hear no more."""
    for listener in listeners:
        if event.contains(*listener):
            event.remove(*listener)
