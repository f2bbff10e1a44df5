"""How transactions of SQLAlchemy end in SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RootTransaction
from sqlalchemy.orm import Session

from ...ports.state import Ending
from ...savepoints import Control, SavepointStack, parse_control
from ...sqlalchemy.watcher import Ended, TransactionWatcher
from .driver import is_in_transaction


class SqliteWatcher(TransactionWatcher):
    """Follows one transaction, which SQLite itself may leave by an error, or begin later than SQLAlchemy believes."""

    def __init__(self, root: RootTransaction, session: Session | None) -> None:
        super().__init__(root, session)
        self._listeners.add(root.connection, "before_cursor_execute", self._on_next_statement)
        self._is_open = is_in_transaction(root.connection)
        self._is_lost = False
        self._has_failed = False
        self._savepoints = SavepointStack[Ended](ignores_case=True)

    @property
    def is_rolled_back_by_hand(self) -> bool:
        """Whether its user sent a ROLLBACK past SQLAlchemy, which took back what was written."""
        return self._savepoints.ended_by is Control.ROLLBACK

    def add(self, ended: Ended) -> None:
        self._savepoints.add(ended)

    def look_for_loss(self, ending: Ending = Ending.UNKNOWN) -> bool:
        """
        See whether the database itself has left the transaction that SQLAlchemy believes in; then that was its end.

        It is in it from the first statement that writes, and may leave it by an error, which says nothing of that.
        """
        if self.is_over or self._is_committing or self._savepoints.is_uncertain or not self.root.is_active:
            return self._is_lost
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
        # SQLAlchemy takes the transaction for ended when its COMMIT has failed, too. One that was cancelled has not
        # failed: the connection's thread makes it.
        if isinstance(error, Exception):
            self._has_failed = True

    def _end_of_commit(self) -> Ending:
        return Ending.UNKNOWN if self._has_failed else Ending.COMMITTED

    def _notify(self, ending: Ending) -> None:
        for ended in self._savepoints.take_all():
            ended(Ending.UNKNOWN if self._savepoints.is_uncertain else ending)
