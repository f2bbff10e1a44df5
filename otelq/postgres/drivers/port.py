"""What a driver must do for the verbs: on one connection, and as the place where connections come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

from ...errors import InvalidArgument
from ...ports.state import Transaction

RESERVED: Final = 2
"""Connections of a caller's pool that handlers' transactions leave free for the verbs."""


class DriverConnection(Protocol):
    """One connection of a driver, for the time of a verb or of a transaction."""

    @property
    def can_copy(self) -> bool:
        """Whether ``copy`` is to be had; without it, rows are inserted."""
        ...

    @property
    def is_guarded(self) -> bool:
        """
        Whether every verb in a caller's transaction gets a savepoint, not only those that fail on purpose.

        The fast driver goes without: a plain start is one statement there, and the client has refused before it what
        the database would, so that a savepoint would guard against nothing but lost connections and deadlocks.
        """
        ...

    def fetch(self, text: str, args: Sequence[object], /, *, timeout: float | None) -> Awaitable[list[Any]]:
        """
        The rows of a statement with ``$n`` for its parameters: each by name, or in the order of the columns.

        Times come with UTC as their zone.
        """
        ...

    async def copy(self, table: str, rows: bytes, *, schema: str, columns: Sequence[str], timeout: float) -> None:
        """Append rows, in COPY's text format, to a table."""
        ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Round a verb in an open transaction: an error takes back what the block wrote, and no more."""
        ...


class ConnectedTransaction(Transaction):
    """A transaction whose connection verbs can use."""

    is_own: bool = False
    """Whether the adapter began it itself."""

    queues_tasks: bool = False
    """Whether the driver lets several tasks use a connection, one after the other, instead of refusing the second."""

    @abstractmethod
    async def connection(self) -> DriverConnection:
        """
        The connection, in its transaction, which is begun first if the driver begins late.

        Raises:
            InvalidArgument: the transaction has ended, or the connection commits by itself.
        """

    @property
    @abstractmethod
    def driver_connection(self) -> object:
        """The driver's own connection, once there is a link; by it we know that we saw its database before."""


class Joiner(Protocol):
    """Takes part in transactions that a driver's users began."""

    def join(self, tx: Any) -> ConnectedTransaction:
        """
        The transaction that is open, or is about to be begun by the driver.

        Raises:
            InvalidArgument: there is none.
        """
        ...


class Source(Protocol):
    """Where connections come from: a URL, a pool, or an engine."""

    @property
    def location(self) -> str:
        """Where that is, for errors; without secrets."""
        ...

    @property
    def driver(self) -> str:
        """Whose connections these are, by the module of this package."""
        ...

    @property
    def joiner(self) -> Joiner:
        """Knows the transactions that were begun here."""
        ...

    async def open(self) -> int | None:
        """
        Get ready; how many connections transactions of handlers and clients may hold, None if there is no bound.

        Raises:
            InvalidArgument: there are too few connections.
        """
        ...

    async def close(self) -> None:
        """Let go of what was made here, and of nothing that the caller made."""
        ...

    def sibling(self) -> Source | None:
        """Another way to the same database, unopened, for another event loop; None if there may be none."""
        ...

    def loan(self, *, atomic: bool, timeout: float) -> AbstractAsyncContextManager[DriverConnection]:
        """A connection for one verb: its statements commit each, or with ``atomic`` at the end of the block."""
        ...

    def check(self, kind: type | None) -> None:
        """
        See that there are handles of this kind.

        Raises:
            InvalidArgument: there are none.
        """
        ...

    def begin(self, kind: type | None, *, timeout: float) -> AbstractAsyncContextManager[ConnectedTransaction]:
        """A transaction, committed on a clean exit and else rolled back; its handle is of no use afterwards."""
        ...


def transaction_limit(argument: str, size: int, *, called: str) -> int:
    """How many of a caller's connections handlers may hold."""
    if size <= RESERVED:
        raise InvalidArgument(
            argument, f"has {called}={size}; give it at least {RESERVED + 1}, as {RESERVED} are kept for verbs"
        )
    return size - RESERVED


def refuse(options: Mapping[str, object], *, to: str) -> None:
    """
    Refuse options where the caller made what they are for.

    Raises:
        InvalidArgument: there is one.
    """
    for name, value in options.items():
        if value is not None:
            raise InvalidArgument(name, f"cannot be given with {to}; give it to that")
