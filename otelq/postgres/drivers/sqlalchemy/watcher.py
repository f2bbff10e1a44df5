"""The observation of how transactions of SQLAlchemy end in PostgreSQL."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import RootTransaction
from sqlalchemy.orm import Session

from ....ports.state import Ending
from ....savepoints import parse_controls
from ....sqlalchemy.watcher import TransactionWatcher
from ...errors import is_refusal, sqlstate
from ...transactions import Ended, TransactionWatch
from ..answers import Answers, record_answers, stop_recording

_ACTIVE: Final = 1
_INERROR: Final = 3
"""``psycopg.pq.TransactionStatus``, without psycopg."""


class PostgresWatcher(TransactionWatcher):
    """The observer of one transaction, in which a failed statement turns the COMMIT into a rollback."""

    def __init__(self, root: RootTransaction, session: Session | None) -> None:
        super().__init__(root, session)
        self._watch = TransactionWatch()
        self._error: BaseException | None = None
        self._answers: Answers | None = None
        self._hearing: Any = None
        self.ending: Ending | None = None
        """How it ended, as far as that is known."""

    @property
    def is_aborted(self) -> bool | None:
        """Return whether a statement failed, so that a commit would be a rollback; None if that is not known."""
        connection = self.driver_connection
        return connection is None or _is_aborted_in_psycopg(connection) or self._watch.is_aborted

    @property
    def is_ended_by_hand(self) -> bool:
        """Return whether its user ended it with a COMMIT or ROLLBACK statement, past SQLAlchemy."""
        return self._watch.is_ended_by_hand

    @property
    def driver_connection(self) -> Any:
        """Return the connection of asyncpg or psycopg; None if it was lost."""
        connection = self.root.connection
        return None if connection.invalidated or connection.closed else connection.connection.driver_connection

    def add(self, ended: Ended) -> None:
        self._watch.add(ended)

    def _prepare_for_commit(self) -> None:
        self._error = None
        # A statement may have failed before the observer was added, and the application may have caught the error.
        if _is_aborted_in_psycopg(self.driver_connection):
            self._watch.is_aborted = True
        elif hasattr(self.driver_connection, "_protocol"):
            self._hearing = self.driver_connection
            self._answers = record_answers(self._hearing)

    def _statement_succeeded(self, statement: str) -> None:
        if step := parse_controls(statement):
            self._watch.apply(step)  # a COMMIT statement past SQLAlchemy leaves the ending in doubt

    def _statement_failed(self, error: BaseException) -> None:
        if self._is_committing:
            self._error = error
        elif sqlstate(error):
            self._watch.is_aborted = True
        elif not self._watch.is_aborted:
            self._watch.is_aborted = None

    def _end_of_commit(self) -> Ending:
        if self._error is None:
            answer = self._answers.ending if self._answers is not None else None
            return answer or self._watch.end_by_commit
        return Ending.ROLLED_BACK if is_refusal(self._error) else Ending.UNKNOWN

    def _notify(self, ending: Ending) -> None:
        self.ending = ending
        self._watch.end(ending)

    def _stop(self) -> None:
        if self._hearing is not None:
            stop_recording(self._hearing)
        super()._stop()


def _is_aborted_in_psycopg(connection: Any) -> bool:
    """Return whether psycopg knows of a statement that failed or has not ended; asyncpg has no such status."""
    return hasattr(connection, "pgconn") and connection.info.transaction_status in (_ACTIVE, _INERROR)
