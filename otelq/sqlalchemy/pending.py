"""Transactions of a session that have not begun in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sqlalchemy import Connection, RootTransaction
from sqlalchemy.orm import Session, SessionTransaction

from ..ports.state import Ending
from .handles import innermost_of, root_of_session
from .listeners import Listeners


class PendingTransaction:
    """
    Follows a session whose database transaction has not begun; then ``begun`` takes over.

    A session sends BEGIN or SAVEPOINT with the first statement inside, so either may end, and even be committed,
    without any. After a savepoint that is released, the transaction around it is followed.
    """

    def __init__(
        self, session: Session, ended: Callable[[Ending], None], begun: Callable[[RootTransaction], None]
    ) -> None:
        self._transaction = innermost_of(session)
        self._is_committed = False
        self._ended = ended
        self._begun = begun
        self._listeners = Listeners()
        self._listeners.add(session, "after_transaction_create", self._on_create)
        self._listeners.add(session, "after_begin", self._on_begin)
        self._listeners.add(session, "after_commit", self._on_commit)
        self._listeners.add(session, "after_transaction_end", self._on_end)
        self._is_over = False

    def _on_create(self, session: Session, transaction: SessionTransaction) -> None:
        # If none was open before, the first that is created is the one to follow.
        self._transaction = self._transaction or transaction

    def _on_begin(self, session: Session, transaction: SessionTransaction, connection: Connection) -> None:
        if transaction is self._transaction:
            self._resolve(connection.get_transaction(), Ending.UNKNOWN)

    def _on_commit(self, session: Session) -> None:
        # SQLAlchemy sends this before `after_transaction_end` of the same transaction.
        self._is_committed = self._is_committed or innermost_of(session) is self._transaction

    def _on_end(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction is not self._transaction:
            return
        if not self._is_committed:
            return self._resolve(None, Ending.ROLLED_BACK)
        self._transaction, self._is_committed = innermost_of(session), False
        root = root_of_session(session)
        if root is not None or self._transaction is None:
            self._resolve(root, Ending.COMMITTED)

    def _resolve(self, root: RootTransaction | None, ending: Ending) -> None:
        """Stop listening; pass on the database transaction that began, or the end."""
        if self._is_over:
            return
        self._is_over = True
        # Listeners must not be removed while their event is dispatched.
        asyncio.get_running_loop().call_soon(self._listeners.remove)
        if root is None:
            self._ended(ending)
        else:
            self._begun(root)
