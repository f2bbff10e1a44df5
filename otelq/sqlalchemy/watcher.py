"""The ends of SQLAlchemy's transactions, known by its events."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary, finalize, ref

from sqlalchemy import Connection, RootTransaction, TwoPhaseTransaction
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session

from ..ports.state import Ending
from .handles import Handle, root_of
from .listeners import Listeners, weak_listener
from .pending import PendingTransaction

Ended: TypeAlias = Callable[[Ending], None]

COMMIT_POLL_INTERVAL: Final = 0.001
"""Seconds between two checks of a commit on a connection: SQLAlchemy has an event for its beginning only."""


class TransactionWatcher(ABC):
    """
    Watches one transaction on one connection, with its savepoints.

    SQLAlchemy reports a statement after its end and a rollback at its beginning. The end of a commit is known from the
    session, or by polling. Nothing here keeps a forgotten connection from being collected, which rolls it back.
    Adapters add what their database does after a failed statement or commit.
    """

    def __init__(self, root: RootTransaction, session: Session | None) -> None:
        self.root = root
        self.is_over = False
        self._loop = asyncio.get_running_loop()
        self._is_committing = False
        self._listeners, self._on_engine = Listeners(), Listeners()
        self._listeners.add(root.connection, "commit", self._on_commit)
        self._listeners.add(root.connection, "rollback", self._on_rollback)
        self._listeners.add(root.connection, "after_cursor_execute", self._on_statement)
        self._on_engine.add(root.connection.engine, "handle_error", weak_listener(self._on_error))
        if session is not None:
            self._listeners.add(session, "after_commit", self._on_session_commit)
        # The engine's listener goes with this object, because an engine outlives its connections.
        self._forgotten = finalize(self, self._on_engine.remove)

    @abstractmethod
    def add(self, ended: Ended) -> None:
        """Add a callback for the end of the last write."""

    def check_commit(self) -> None:
        """Check whether a commit that was begun is done."""
        if self._is_committing and not self.root.is_active:
            self.end(self._end_of_commit())

    def end(self, ending: Ending) -> None:
        """Report how the transaction ended; only the first call counts."""
        if not self.is_over:
            self.is_over = True
            self._loop.call_soon(self._stop)  # listeners must not be removed while their event is dispatched
            self._notify(ending)

    # For adapters

    @abstractmethod
    def _prepare_for_commit(self) -> None:
        """Prepare to learn how a COMMIT ends, which is about to be sent."""

    @abstractmethod
    def _statement_succeeded(self, statement: str) -> None:
        """Follow a statement that succeeded."""

    @abstractmethod
    def _statement_failed(self, error: BaseException) -> None:
        """Follow a statement that failed, or a COMMIT."""

    @abstractmethod
    def _end_of_commit(self) -> Ending:
        """Return how the transaction ended, now that SQLAlchemy has ended its COMMIT."""

    @abstractmethod
    def _notify(self, ending: Ending) -> None:
        """Call all callbacks that wait."""

    # Events of SQLAlchemy

    def _is_current(self) -> bool:
        """Return whether an event belongs to this transaction, not to the next one on its connection."""
        self.check_commit()
        return not self.is_over

    def _on_commit(self, connection: Connection) -> None:
        if not self._is_current():
            return
        self._prepare_for_commit()
        self._is_committing = True
        self._loop.call_later(COMMIT_POLL_INTERVAL, self._poll_commit)

    def _poll_commit(self) -> None:
        if self._is_current():
            self._loop.call_later(COMMIT_POLL_INTERVAL, self._poll_commit)

    def _on_session_commit(self, session: Session) -> None:
        self.check_commit()

    def _on_rollback(self, connection: Connection) -> None:
        self.check_commit()
        # A rollback after a COMMIT was sent: the COMMIT may have reached the database.
        self.end(Ending.UNKNOWN if self._is_committing else Ending.ROLLED_BACK)

    def _on_statement(self, connection: Connection, cursor: Any, statement: str, *context: Any) -> None:
        if self._is_current():
            self._statement_succeeded(statement)

    def _on_error(self, context: ExceptionContext) -> None:
        if context.connection is self.root.connection and self._is_current():
            self._statement_failed(context.original_exception)

    def _stop(self) -> None:
        self._forgotten()
        self._listeners.remove()


W = TypeVar("W", bound=TransactionWatcher)


class Watchers(Generic[W]):
    """The watched transactions, one for each connection."""

    def __init__(self, make: Callable[[RootTransaction, Session | None], W]) -> None:
        self._make = make
        # Weak on both sides: a connection that the application forgot must be collected, and returned to its pool.
        self._watchers: WeakKeyDictionary[Connection, ref[W]] = WeakKeyDictionary()

    def of(self, root: RootTransaction, handle: Handle) -> W:
        """Return the watcher of the transaction that is open on a connection."""
        known = self._watchers.get(root.connection)
        watcher = known() if known else None
        # The same connection may have a later transaction by now.
        if watcher is None or watcher.root is not root or watcher.is_over:
            watcher = self._make(root, handle.sync_session if isinstance(handle, AsyncSession) else None)
            self._watchers[root.connection] = ref(watcher)
        return watcher

    def watch(self, handle: Handle, ended: Ended) -> bool:
        """
        Watch the transaction of a handle, which may not have begun; return False if its end cannot be known.

        An end behind SQLAlchemy's back, such as a COMMIT on the driver's own connection, is not seen.
        """
        root = root_of(handle)
        if root is not None:
            return self._follow(root, handle, ended)
        if isinstance(handle, AsyncConnection) or handle.sync_session.twophase:
            return False

        def begun(root: RootTransaction) -> None:
            if not self._follow(root, handle, ended):
                ended(Ending.UNKNOWN)

        PendingTransaction(handle.sync_session, ended, begun)
        return True

    def _follow(self, root: RootTransaction, handle: Handle, ended: Ended) -> bool:
        if isinstance(root, TwoPhaseTransaction) or not root.is_active:
            return False
        self.of(root, handle).add(ended)
        return True
