"""What hangs in a session before that has begun in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, RootTransaction, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from ...ports.state import Ending
from .watching import Ended, unlisten


class Early:
    """
    Waits for a session's transaction, or its savepoint, to begin in the database: from then on that is followed.

    A session sends a BEGIN or a SAVEPOINT no sooner than the first statement in it, so that either may also end, and
    even be committed, without any. A savepoint that is kept leaves what hung in it to what it is in.
    """

    def __init__(self, session: Session, ended: Ended, begun: Callable[[RootTransaction], None]) -> None:
        self._transaction = innermost_of(session)
        self._is_committed = False
        self._ended = ended
        self._begun = begun
        self._listeners: list[tuple[Any, str, Callable[..., None]]] = [
            (session, "after_transaction_create", self._on_create),
            (session, "after_begin", self._on_begin),
            (session, "after_commit", self._on_commit),
            (session, "after_transaction_end", self._on_end),
        ]
        for listener in self._listeners:
            event.listen(*listener)

    def _on_create(self, session: Session, transaction: SessionTransaction) -> None:
        self._transaction = self._transaction or transaction

    def _on_begin(self, session: Session, transaction: SessionTransaction, connection: Connection) -> None:
        if transaction is self._transaction:
            self._go_on(connection.get_transaction(), Ending.UNKNOWN)

    def _on_commit(self, session: Session) -> None:
        self._is_committed = self._is_committed or innermost_of(session) is self._transaction

    def _on_end(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction is not self._transaction:
            return
        if not self._is_committed:
            return self._go_on(None, Ending.ROLLED_BACK)
        self._transaction, self._is_committed = innermost_of(session), False
        root = root_in(session)
        if root is not None or self._transaction is None:
            self._go_on(root, Ending.COMMITTED)

    def _go_on(self, root: RootTransaction | None, ending: Ending) -> None:
        """Hear no more: from here on a transaction is followed, or else this is the end."""
        listeners, self._listeners = self._listeners, []
        if not listeners:
            return
        # Events must not be taken away while they are told.
        asyncio.get_running_loop().call_soon(unlisten, listeners)
        if root is None:
            self._ended(ending)
        else:
            self._begun(root)


def root_of(handle: AsyncSession | AsyncConnection) -> RootTransaction | None:
    """The transaction that is open in the database, if what is written next is in it without another savepoint."""
    if isinstance(handle, AsyncConnection):
        return handle.sync_connection.get_transaction() if handle.sync_connection else None
    return root_in(handle.sync_session) if handle.in_transaction() else None


def root_in(session: Session) -> RootTransaction | None:
    """As ``root_of``; of a session that has ended, the transaction that is open on its caller's connection."""
    transaction = innermost_of(session)
    if transaction is None:
        bind = session.get_bind()
        return bind.get_transaction() if isinstance(bind, Connection) else None
    connections: Any = transaction._connections  # pyright: ignore[reportPrivateUsage]  # to ask for one would open it
    return next((key.get_transaction() for key in connections if isinstance(key, Connection)), None)


def innermost_of(session: Session) -> SessionTransaction | None:
    """The innermost savepoint of a session, set or about to be; or else its transaction."""
    return session.get_nested_transaction() or session.get_transaction()
