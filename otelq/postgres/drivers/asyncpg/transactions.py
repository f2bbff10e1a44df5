"""Transactions of asyncpg, and the observation of their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final
from weakref import WeakKeyDictionary

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ....errors import InvalidArgument, Unavailable
from ....ports.state import Ending
from ....savepoints import Control, ControlStatement, parse_controls
from ...errors import is_lost, is_refusal, raise_commit_failure
from ...transactions import Ended, TransactionWatch
from ..answers import Answers, record_answers, stop_recording
from ..port import ConnectedTransaction
from .connection import AsyncpgConnection

COMMIT_POLL: Final = 0.001
"""Seconds between two checks of a COMMIT that was interrupted."""

ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""The errors of the driver."""


class AsyncpgTransaction(ConnectedTransaction):
    """A transaction on an asyncpg connection."""

    def __init__(self, connection: Any, watcher: AsyncpgWatcher) -> None:
        self._handle = connection
        self._watcher = watcher

    @property
    def handle(self) -> Any:
        return self._handle

    @property
    def driver_connection(self) -> object:
        return _raw(self._handle)

    @property
    def active(self) -> bool:
        return not self._watcher.is_over and is_open(self._handle)

    async def connection(self) -> AsyncpgConnection:
        if not self.active:
            raise InvalidArgument("tx", "its transaction has ended")
        return AsyncpgConnection(self._handle)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        """Report how it ends, as known from the statements on the connection and the answer to COMMIT."""
        self._watcher.add(ended)
        return True

    async def commit(self, block: Any, *, timeout: float) -> None:
        """
        Commit what the adapter began.

        Raises:
            Unavailable: it failed, or its result is not known.
        """
        if not self.active:
            self._watcher.end(Ending.UNKNOWN)
            terminate(self._handle)
            raise Unavailable("the transaction was ended by its user; it is committed at the end of the block")
        answers = record_answers(self.driver_connection)
        try:
            await in_time(self._handle, block.commit(), timeout=timeout)
        except ERRORS as error:
            self._watcher.end(Ending.ROLLED_BACK if is_refusal(error) else Ending.UNKNOWN)
            if is_open(self._handle):
                terminate(self._handle)  # a task of the user still runs a statement
            raise_commit_failure(error)
        # The driver returns without an error if the server rolled back instead; only the answer shows it.
        self._watcher.end(answers.ending or Ending.UNKNOWN)
        if answers.ending is not Ending.COMMITTED:
            raise Unavailable("the transaction was rolled back, because a statement in it had failed")

    def rolled_back(self) -> None:
        """Record that the adapter has rolled it back."""
        self._watcher.end(Ending.ROLLED_BACK)


class AsyncpgWatcher:
    """The observer of one transaction on one connection, which sees each statement after its end."""

    def __init__(self, connection: Any, forget: Callable[[], object]) -> None:
        self._watch = TransactionWatch()
        self._connection = connection
        self._forget = forget
        self._ending: Ending | None = None
        self._answers: Answers | None = None

    @property
    def is_over(self) -> bool:
        """Return whether the transaction has ended."""
        return self._watch.is_over

    def add(self, ended: Ended) -> None:
        """Add a callback for the end of the last write."""
        if self._answers is None:
            self._answers = record_answers(self._connection)
            self._answers.on_prepared = self._on_prepared
            self._connection.add_query_logger(self._on_query)
            self._connection.add_termination_listener(self._on_termination)
        # asyncpg calls its loggers in the next turn of the loop: statements until now must be applied before this.
        asyncio.get_running_loop().call_soon(self._add, ended)

    def _add(self, ended: Ended) -> None:
        if self._ending is None:
            self._watch.add(ended)
        else:
            ended(self._ending)

    def end(self, ending: Ending) -> None:
        """Stop observing, and call back with the ending; the first call counts."""
        if not self.is_over:
            if self._answers is not None:
                self._connection.remove_query_logger(self._on_query)
                self._connection.remove_termination_listener(self._on_termination)
            stop_recording(self._connection)
            self._ending = Ending.UNKNOWN if self._watch.is_doubtful else ending
            self._watch.end(ending)
            self._forget()

    def _committed(self, query: str) -> None:
        """End after a COMMIT without an error, by the server's answer to it."""
        answer = self._answers.ending_by(query) if self._answers is not None else None
        self.end(answer or self._watch.end_by_commit)

    def _on_termination(self, connection: object) -> None:
        self.end(Ending.UNKNOWN)

    def _on_query(self, record: Any) -> None:
        self._follow(record.query, record.exception)

    def _on_prepared(self, query: str, error: BaseException | None) -> None:
        # In the same turn as the loggers, to keep the order of the statements.
        asyncio.get_running_loop().call_soon(self._follow, query, error)

    def _follow(self, query: str, error: BaseException | None) -> None:
        if self.is_over:
            return
        step = parse_controls(query)
        if step is None:
            if error is not None:
                self._on_failure(error)
        elif step.control is Control.UNCLEAR:
            self._may_have_ended(step, error)
        elif error is not None:
            self._control_failed(step, error)
        else:
            self._control(step, query)

    def _control(self, step: ControlStatement, query: str) -> None:
        match step.control:
            case Control.COMMIT:
                self._committed(query)
            case Control.ROLLBACK:
                self.end(Ending.ROLLED_BACK)
            case _:
                self._watch.apply(step)

    def _control_failed(self, step: ControlStatement, error: BaseException) -> None:
        if step.control not in (Control.COMMIT, Control.ROLLBACK):
            self._on_failure(error)
        # A COMMIT that the server refused was a rollback. One that was cancelled, or lost its reply, is in doubt.
        elif (isinstance(error, asyncpg.PostgresError) and not is_lost(error)) or step.control is Control.ROLLBACK:
            self.end(Ending.ROLLED_BACK)
        else:
            self._await_commit()

    def _await_commit(self) -> None:
        """Wait until the server is done with an interrupted COMMIT, so that its effects can be looked up."""
        if not self._connection.is_closed() and self._connection._protocol._is_cancelling():
            asyncio.get_running_loop().call_later(COMMIT_POLL, self._await_commit)
        else:
            self.end(Ending.UNKNOWN)

    def _may_have_ended(self, step: ControlStatement, error: BaseException | None) -> None:
        """Handle a query that may hide a COMMIT: several statements, or a block such as DO."""
        # With a transaction still open, ask no more now: its own end will be observed.
        if not is_open(self._connection):
            return self.end(Ending.UNKNOWN)
        self._watch.apply(step)
        if error is not None:
            self._on_failure(error)

    def _on_failure(self, error: BaseException) -> None:
        # The driver raises InterfaceError before it sends anything. Any other error, such as a cancel, leaves it open
        # whether the server ran the statement.
        if isinstance(error, asyncpg.PostgresError):
            self._watch.is_aborted = True
        elif not self._watch.is_aborted and not isinstance(error, asyncpg.InterfaceError):
            self._watch.is_aborted = None


class AsyncpgJoiner:
    """The transactions that are observed, one for each connection."""

    def __init__(self) -> None:
        self._by_connection: WeakKeyDictionary[Any, AsyncpgTransaction] = WeakKeyDictionary()

    def join(self, tx: Any) -> AsyncpgTransaction:
        """
        Return the transaction that is open on a connection.

        Raises:
            InvalidArgument: it is not a connection, or no transaction is open.
        """
        if not isinstance(tx, (asyncpg.Connection, PoolConnectionProxy)):
            raise InvalidArgument("tx", f"is {type(tx).__name__}; give the asyncpg connection of your transaction")
        if not is_open(tx):
            raise InvalidArgument("tx", "has no open transaction; open one with `async with connection.transaction():`")
        known = self._by_connection.get(_raw(tx))
        return known if known and known.active else self.follow(tx)

    def follow(self, connection: Any) -> AsyncpgTransaction:
        """Begin to observe the transaction that is open on ``connection``."""
        raw = _raw(connection)
        watcher = AsyncpgWatcher(raw, lambda: self._by_connection.pop(raw, None))
        transaction = self._by_connection[raw] = AsyncpgTransaction(connection, watcher)
        return transaction


def is_open(connection: Any) -> bool:
    """Return whether a transaction is open on the connection."""
    try:
        return not connection.is_closed() and connection.is_in_transaction()
    except asyncpg.InterfaceError:
        return False


async def roll_back(connection: Any, block: Any, transaction: AsyncpgTransaction | None, *, timeout: float) -> None:
    """Roll back what the adapter began; if that fails, close the connection, and the server rolls back."""
    try:
        await in_time(connection, block.rollback(), timeout=timeout)
    except ERRORS:
        terminate(connection)
    if transaction is not None:
        transaction.rolled_back()


async def in_time(connection: Any, work: Coroutine[Any, Any, None], *, timeout: float) -> None:
    """
    Begin or end a transaction; close a connection that does not answer, so that nobody waits for it again.

    Raises:
        TimeoutError: there was no answer within ``timeout`` seconds.
    """
    try:
        async with asyncio.timeout(timeout):
            await work
    except TimeoutError:
        terminate(connection)
        raise


def terminate(connection: Any) -> None:
    """Close a connection at once, without a message to the server."""
    if (raw := _raw(connection)) is not None:  # the pool takes it away where it closed by itself
        raw.terminate()


def _raw(connection: Any) -> Any:
    """Return the connection itself, not the proxy that a pool hands out."""
    return getattr(connection, "_con", connection)
