"""The ends of SQLAlchemy's transactions in SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RootTransaction
from sqlalchemy.orm import Session

from ...ports.state import Ending
from ...savepoints import Control, SavepointStack, parse_control
from ...sqlalchemy.watcher import Ended, TransactionWatcher
from .driver import is_in_transaction


class SqliteWatcher(TransactionWatcher):
    """Watches one transaction. SQLite may end it at an error, or begin it later than SQLAlchemy does."""

    def __init__(self, root: RootTransaction, session: Session | None) -> None:
        super().__init__(root, session)
        self._listeners.add(root.connection, "before_cursor_execute", self._on_next_statement)
        self._is_open = is_in_transaction(root.connection)
        self._is_lost = False
        self._has_failed = False
        self._savepoints = SavepointStack[Ended](ignores_case=True)

    @property
    def is_rolled_back_by_hand(self) -> bool:
        """Return whether the user sent a ROLLBACK past SQLAlchemy, which undid the writes."""
        return self._savepoints.ended_by is Control.ROLLBACK

    def add(self, ended: Ended) -> None:
        self._savepoints.add(ended)

    def look_for_loss(self, ending: Ending = Ending.UNKNOWN) -> bool:
        """
        Return whether SQLite has left the transaction that SQLAlchemy still considers open. Then that was its end.

        SQLite is in it from the first statement that writes, and leaves it at some errors without a word.
        """
        if self.is_over or self._is_committing or self._savepoints.is_uncertain or not self.root.is_active:
            return self._is_lost
        # At some errors, such as a full disk, SQLite rolls back by itself. Only its own state shows that.
        was_open, self._is_open = self._is_open, is_in_transaction(self.root.connection)
        if was_open and not self._is_open:
            self._is_lost = True
            self.end(ending)
        return self._is_lost

    def _on_next_statement(self, *_: Any) -> None:
        self.look_for_loss()

    def _prepare_for_commit(self) -> None:
        self.look_for_loss()
        self._has_failed = False

    def _statement_succeeded(self, statement: str) -> None:
        if step := parse_control(statement):
            for ended in self._savepoints.apply(step):
                ended(Ending.ROLLED_BACK)
        # The release of a savepoint that was set before any transaction of SQLite's began is a commit.
        self.look_for_loss(Ending.COMMITTED)

    def _statement_failed(self, error: BaseException) -> None:
        # SQLAlchemy considers a transaction ended also when its COMMIT failed. A cancelled COMMIT has not failed: the
        # connection's thread goes on with it.
        if isinstance(error, Exception):
            self._has_failed = True

    def _end_of_commit(self) -> Ending:
        return Ending.UNKNOWN if self._has_failed else Ending.COMMITTED

    def _notify(self, ending: Ending) -> None:
        for ended in self._savepoints.take_all():
            ended(Ending.UNKNOWN if self._savepoints.is_uncertain else ending)
