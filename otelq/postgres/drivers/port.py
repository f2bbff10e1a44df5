"""The port of drivers: one connection, one transaction, and the source of connections."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

from ...errors import InvalidArgument
from ...ports.state import Transaction

RESERVED: Final = 2
"""Connections of a caller's pool that stay free for the verbs, whatever handlers do."""


class DriverConnection(Protocol):
    """One connection of a driver, for the time of a verb or of a transaction."""

    @property
    def can_copy(self) -> bool:
        """Return whether the driver has COPY; without it, rows are inserted."""
        ...

    @property
    def is_guarded(self) -> bool:
        """
        Return whether every verb in a caller's transaction gets a savepoint, not only those that may be refused.

        asyncpg, the fast driver, does without: there a plain start is one statement, and the client has checked its
        values. A savepoint would help only after deadlocks, and lost connections have no use for it.
        """
        ...

    def fetch(self, text: str, args: Sequence[object], /, *, timeout: float | None) -> Awaitable[list[Any]]:
        """
        Run a statement with ``$n`` for its parameters, and return its rows, readable by name and by index.

        Times are in UTC.
        """
        ...

    async def copy(self, table: str, rows: bytes, *, schema: str, columns: Sequence[str], timeout: float) -> None:
        """Append rows, in COPY's text format, to a table."""
        ...

    def listen(
        self, channel: str, receive: Callable[[str], None], *, lost: Callable[[], None], timeout: float
    ) -> AbstractAsyncContextManager[None]:
        """
        Call ``receive`` with the payload of each NOTIFY on a channel, until the block ends.

        ``lost`` is called when the connection has ended. The end of one on which nothing moves may go unnoticed.
        """
        ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Enter a savepoint in an open transaction: an error takes back what the block wrote, and no more."""
        ...


class ConnectedTransaction(Transaction):
    """A transaction whose connection verbs can use."""

    is_own: bool = False
    """True if the adapter began it itself."""

    queues_tasks: bool = False
    """True if the driver queues tasks that use a connection at the same time, instead of refusing the second."""

    @abstractmethod
    async def connection(self) -> DriverConnection:
        """
        Return the connection in its transaction, which is begun now if the driver begins it with a statement.

        Raises:
            InvalidArgument: the transaction has ended, or the connection commits by itself.
        """

    @property
    @abstractmethod
    def driver_connection(self) -> object:
        """Return the driver's own connection, by which its database counts as checked; after ``connection()``."""


class Joiner(Protocol):
    """The access to transactions that the users of a driver began."""

    def join(self, tx: Any) -> ConnectedTransaction:
        """
        Return the transaction that is open, or that the driver is about to begin.

        Raises:
            InvalidArgument: there is none.
        """
        ...


class Source(Protocol):
    """
    The source of connections: a URL, a pool, or an engine.

    Transactions are opened at READ COMMITTED, whatever default the application has set. Verbs rely on it: each
    statement has a new snapshot, and a row that was waited for is checked again in its newest version.
    """

    @property
    def location(self) -> str:
        """Return host and database for errors, without secrets."""
        ...

    @property
    def driver(self) -> str:
        """Return the name of the driver's module in this package."""
        ...

    @property
    def joiner(self) -> Joiner:
        """Return the joiner that knows the transactions that were begun here."""
        ...

    async def open(self) -> int | None:
        """
        Open the source; return the limit on connections for handlers and clients, None if there is none.

        Raises:
            InvalidArgument: there are too few connections.
        """
        ...

    async def close(self) -> None:
        """Close what was opened here, and nothing that the caller made."""
        ...

    def sibling(self) -> Source | None:
        """Return an unopened source of the same database for another event loop; None if that is not possible."""
        ...

    def loan(self, *, atomic: bool, timeout: float) -> AbstractAsyncContextManager[DriverConnection]:
        """Lend a connection for one verb: its statements commit each, or with ``atomic`` at the end of the block."""
        ...

    def check(self, kind: type | None) -> None:
        """
        Check that this source can hand out handles of this kind.

        Raises:
            InvalidArgument: it cannot.
        """
        ...

    def begin(self, kind: type | None, *, timeout: float) -> AbstractAsyncContextManager[ConnectedTransaction]:
        """Begin a transaction, committed on a clean exit and otherwise rolled back; its handle is dead afterwards."""
        ...


def transaction_limit(argument: str, size: int, *, called: str) -> int:
    """Return how many of a caller's connections handlers may hold, and leave the others to the verbs."""
    if size <= RESERVED:
        raise InvalidArgument(
            argument, f"has {called}={size}; give it at least {RESERVED + 1}, as {RESERVED} are kept for verbs"
        )
    return size - RESERVED


def refuse(options: Mapping[str, object], *, to: str) -> None:
    """
    Refuse options for something that the caller made.

    Raises:
        InvalidArgument: there is one.
    """
    for name, value in options.items():
        if value is not None:
            raise InvalidArgument(name, f"cannot be given with {to}; give it to that")
