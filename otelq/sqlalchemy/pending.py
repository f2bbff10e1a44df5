"""Transactions of a session that are yet to begin in the database."""

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
    Waits for a session's transaction, or its savepoint, to begin in the database: from then on that is followed.

    A session sends a BEGIN or a SAVEPOINT no sooner than the first statement in it, so that either may also end, and
    even be committed, without any. A savepoint that is kept leaves what waits for it to what it is in.
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
        self._transaction = self._transaction or transaction

    def _on_begin(self, session: Session, transaction: SessionTransaction, connection: Connection) -> None:
        if transaction is self._transaction:
            self._resolve(connection.get_transaction(), Ending.UNKNOWN)

    def _on_commit(self, session: Session) -> None:
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
        """Hear no more: from here on a transaction is followed, or else this is the end."""
        if self._is_over:
            return
        self._is_over = True
        # Events must not be taken away while they are told.
        asyncio.get_running_loop().call_soon(self._listeners.remove)
        if root is None:
            self._ended(ending)
        else:
            self._begun(root)
