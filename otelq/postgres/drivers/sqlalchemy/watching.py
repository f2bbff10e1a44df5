"""How transactions of SQLAlchemy end, learnt from its events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakMethod, finalize

from sqlalchemy import Connection, RootTransaction, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.orm import Session

from ....ports.state import Ending
from ....savepoints import step_among
from ...errors import is_refusal, sqlstate
from ...transactions import Account, Ended
from ..answers import Answers, hear_answers, hear_no_more

_ACTIVE: Final = 1
_INERROR: Final = 3
"""``psycopg.pq.TransactionStatus``, without psycopg."""

LOOK_AGAIN: Final = 0.001
"""Seconds between two looks at a commit that is under way on a connection, which tells of its begin only."""


class Watcher:
    """
    Follows one transaction on one connection.

    Statements and savepoints are heard of after their end, a rollback at its begin, and the end of a commit from the
    session, or by looking. Nothing here keeps a forgotten connection from being collected, which rolls it back.
    """

    def __init__(self, root: RootTransaction, session: Session | None) -> None:
        self._account = Account()
        self._connection = connection = root.connection
        self._root = root
        self._loop = asyncio.get_running_loop()
        self._is_committing = False
        self._error: BaseException | None = None
        self._answers: Answers | None = None
        self._hearing: Any = None
        self.ending: Ending | None = None
        """How it ended, as far as that is known."""
        self._listeners: list[tuple[Any, str, Callable[..., Any]]] = [
            (connection, "commit", self._committing),
            (connection, "rollback", self._rolled_back),
            (connection, "after_cursor_execute", self._executed),
            (connection.engine, "handle_error", _weakly(self._failed)),
        ]
        if session is not None:
            self._listeners.append((session, "after_commit", self._session_committed))
        for listener in self._listeners:
            event.listen(*listener)
        self._unlisten = finalize(self, unlisten, [self._listeners[3]])

    @property
    def is_over(self) -> bool:
        """Whether the transaction has ended."""
        return self._account.is_over or not self._root.is_active

    @property
    def is_aborted(self) -> bool | None:
        """Whether a statement failed, so that a commit would be a rollback; None if that is not known."""
        connection = self.driver_connection
        return connection is None or _is_aborted_in_psycopg(connection) or self._account.is_aborted

    @property
    def is_ended_by_hand(self) -> bool:
        """Whether its user sent a COMMIT or a ROLLBACK past SQLAlchemy."""
        return self._account.is_ended_by_hand

    @property
    def driver_connection(self) -> Any:
        """The connection of asyncpg or psycopg; None if it was lost, and SQLAlchemy has let go of it."""
        return (
            None
            if self._connection.invalidated or self._connection.closed
            else self._connection.connection.driver_connection
        )

    def add(self, ended: Ended) -> None:
        """Somebody waits for the end of what was written last."""
        self._account.add(ended)

    def look(self) -> None:
        """See whether a commit that was begun is done."""
        if self._is_committing and not self._root.is_active:
            self._end(self._ending_of_commit())

    def end(self, ending: Ending) -> None:
        """The adapter itself knows how it ended."""
        self._end(ending)

    # What is heard

    def _committing(self, connection: Connection) -> None:
        self._is_committing = True
        self._error = None
        # A statement may have failed before anybody listened, and the application may have forgiven it.
        if _is_aborted_in_psycopg(self.driver_connection):
            self._account.is_aborted = True
        elif hasattr(self.driver_connection, "_protocol"):
            self._hearing = self.driver_connection
            self._answers = hear_answers(self._hearing)
        self._loop.call_later(LOOK_AGAIN, self._look_again)

    def _look_again(self) -> None:
        self.look()
        if not self._account.is_over:
            self._loop.call_later(LOOK_AGAIN, self._look_again)

    def _session_committed(self, session: Session) -> None:
        self.look()

    def _rolled_back(self, connection: Connection) -> None:
        if not self._is_committing:
            self._end(Ending.ROLLED_BACK)

    def _executed(self, connection: Connection, cursor: Any, statement: str, *context: Any) -> None:
        if step := step_among(statement):
            self._account.hear(step)  # an end by hand, behind SQLAlchemy's back, leaves it in doubt

    def _failed(self, context: ExceptionContext) -> None:
        if context.connection is not self._connection:
            return
        error = context.original_exception
        if self._is_committing:
            self._error = error
        elif sqlstate(error):
            self._account.is_aborted = True
        elif not self._account.is_aborted:
            self._account.is_aborted = None

    # How it ended

    def _ending_of_commit(self) -> Ending:
        if self._error is None:
            answer = self._answers.ending if self._answers is not None else None
            return answer or self._account.end_by_commit
        return Ending.ROLLED_BACK if is_refusal(self._error) else Ending.UNKNOWN

    def _end(self, ending: Ending) -> None:
        if not self._account.is_over:
            self._loop.call_soon(self._stop)  # events must not be taken away while they are told
            self.ending = ending
            self._account.end(ending)

    def _stop(self) -> None:
        self._unlisten.detach()
        if self._hearing is not None:
            hear_no_more(self._hearing)
        unlisten(self._listeners)


def _is_aborted_in_psycopg(connection: Any) -> bool:
    """Whether a statement failed, or has not ended, in the transaction; psycopg knows, asyncpg does not say."""
    return hasattr(connection, "pgconn") and connection.info.transaction_status in (_ACTIVE, _INERROR)


def _weakly(method: Callable[[ExceptionContext], None]) -> Callable[[ExceptionContext], None]:
    """An engine outlives its connections, and must not keep them."""
    weak = WeakMethod(method)

    def listener(context: ExceptionContext) -> None:
        if (strong := weak()) is not None:
            strong(context)

    return listener


def unlisten(listeners: list[tuple[Any, str, Callable[..., Any]]]) -> None:
    """Hear no more."""
    for listener in listeners:
        if event.contains(*listener):
            event.remove(*listener)
