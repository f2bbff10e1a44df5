"""The port for a driver that otelq does not know, implemented by the user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, NoReturn, Protocol, runtime_checkable

from ...errors import InvalidArgument, Unavailable
from ...ports.handles import engine_of, no_such_handle
from ...ports.state import Ending
from .port import ConnectedTransaction, refuse
from .rows import Row, plain


@runtime_checkable
class Provider(Protocol):
    """
    A way to reach PostgreSQL with any driver, as the target of ``otelq.connect``.

    The target represents the database: several tasks may use it at once, and each call and each transaction uses a
    connection. Its ``transaction`` yields an object with the same members for that one transaction, which can be given
    as ``tx=``; the ``transaction`` of that object is a savepoint. After the end of the transaction its ``execute``
    raises.

    otelq recognises errors of the server by an attribute ``sqlstate`` of the exception, or of its attribute ``orig``.
    Without it otelq retries nothing, and cannot recognise refused values.
    """

    @property
    def is_open(self) -> bool:
        """Return whether this is a transaction that has not ended; False for the database."""
        ...

    async def execute(self, sql: str, params: Sequence[object], /) -> Sequence[Mapping[str, Any]]:
        """
        Run one statement, and return all its rows with their columns by name, in the order of the statement.

        Outside a transaction the statement commits by itself. Cancelling the call must end the statement.

        Args:
            sql: the statement, with ``$1`` to ``$n`` for the parameters.
            params: None, str, int, float, bool, datetime with a zone, and lists of these.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[Provider]:
        """
        Begin at READ COMMITTED; commit when the block ends without an error, else roll back and pass the error on.
        """
        ...


class ProviderConnection:
    """A connection of a provider, or of its transaction."""

    __slots__ = ("_provider",)

    can_copy = False
    is_guarded = True

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def fetch(self, text: str, args: Sequence[object], /, *, timeout: float | None) -> list[Row]:
        async with asyncio.timeout(timeout):
            found = await self._provider.execute(text, [plain(value) for value in args])
        return [Row({name: index for index, name in enumerate(row)}, list(row.values())) for row in found]

    async def copy(self, table: str, rows: bytes, *, schema: str, columns: Sequence[str], timeout: float) -> NoReturn:
        raise NotImplementedError("a provider has no COPY")

    def listen(
        self, channel: str, receive: Callable[[str], None], *, lost: Callable[[], None], timeout: float
    ) -> AbstractAsyncContextManager[None]:
        raise NotImplementedError("a provider hears no notifications")

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        async with self._provider.transaction():
            yield


class ProviderTransaction(ConnectedTransaction):
    """A transaction of a provider, whose ending cannot be observed."""

    queues_tasks = True

    def __init__(self, provider: Provider, *, is_own: bool = False) -> None:
        self._provider = provider
        self.is_own = is_own

    @property
    def handle(self) -> Provider:
        return self._provider

    @property
    def driver_connection(self) -> object:
        return self._provider

    @property
    def active(self) -> bool:
        return self._provider.is_open

    async def connection(self) -> ProviderConnection:
        if not self.active:
            raise InvalidArgument("tx", "its transaction has ended")
        return ProviderConnection(self._provider)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return False


class ProviderSource:
    """The database that a provider stands for."""

    driver = "provider"
    location = "the given provider"

    def __init__(self, provider: Provider) -> None:
        self.joiner = ProviderJoiner()
        self._provider = provider
        self._is_open = False

    async def open(self) -> int | None:
        self._is_open = True
        return None

    async def close(self) -> None:
        self._is_open = False

    def sibling(self) -> None:
        """Return nothing: only the provider knows how it connects."""

    @asynccontextmanager
    async def loan(self, *, atomic: bool, timeout: float) -> AsyncGenerator[ProviderConnection]:
        self._check_open()
        if not atomic:
            yield ProviderConnection(self._provider)
            return
        async with self._provider.transaction() as inside:
            yield ProviderConnection(inside)

    def check(self, kind: type | None) -> None:
        if kind is not None:
            given = "what transaction() of its provider yields"
            raise no_such_handle(kind, given=given, sqlalchemy=engine_of("postgresql+asyncpg"))

    @asynccontextmanager
    async def begin(self, kind: type | None, *, timeout: float) -> AsyncGenerator[ProviderTransaction]:
        self._check_open()
        async with self._provider.transaction() as inside:
            with self.joiner.own_transaction(inside) as transaction:
                yield transaction
            if not inside.is_open:
                raise Unavailable("the transaction was ended by its user; it is committed at the end of the block")

    def _check_open(self) -> None:
        if not self._is_open:
            raise Unavailable("the PostgreSQL adapter is not open")


class ProviderJoiner:
    """The access to transactions of providers."""

    def __init__(self) -> None:
        self._own: dict[int, ProviderTransaction] = {}
        """By identity while they are open, as a user's class may support neither hashing nor weak references."""

    @contextmanager
    def own_transaction(self, provider: Provider) -> Generator[ProviderTransaction]:
        """Register a transaction that the adapter began, so that ``join`` finds it while it is open."""
        transaction = self._own[id(provider)] = ProviderTransaction(provider, is_own=True)
        try:
            yield transaction
        finally:
            del self._own[id(provider)]

    def join(self, tx: Any) -> ProviderTransaction:
        """
        Return the transaction that a provider's ``transaction`` yielded.

        Raises:
            InvalidArgument: it is none, or it has ended.
        """
        if not isinstance(tx, Provider):
            raise InvalidArgument(
                "tx", f"is {type(tx).__name__}; give a connection, a session, or a Provider's transaction"
            )
        if not tx.is_open:
            raise InvalidArgument("tx", "has no open transaction; give what `provider.transaction()` yields")
        return self._own.get(id(tx)) or ProviderTransaction(tx)


def source(target: Any, *, session: object, connect_timeout: float, max_size: int, **options: Any) -> ProviderSource:
    """Return the source for a provider."""
    if not isinstance(target, Provider) or target.is_open:
        raise InvalidArgument("target", f"is {type(target).__name__}; give a Provider that stands for the database")
    refuse({"session": session}, to="a provider; it belongs to an AsyncEngine")
    refuse(options, to="a provider")
    return ProviderSource(target)


def joiner() -> ProviderJoiner:
    """Return a joiner of providers' transactions."""
    return ProviderJoiner()
