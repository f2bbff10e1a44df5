"""The source of connections from a URL or the caller's pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg

from ....errors import InvalidArgument, Unavailable
from ....ports.handles import engine_of, no_such_handle
from ....uninterrupted import finish
from ...errors import is_stale
from ..port import transaction_limit
from .connection import AsyncpgConnection
from .transactions import ERRORS, AsyncpgJoiner, AsyncpgTransaction, in_time, roll_back, terminate
from .url import location_of, with_application_name

VERBS: Final = 4
"""Connections for verbs with a URL; handlers' transactions have a pool of their own and never delay a verb."""

CLOSING: Final = 5.0
"""Seconds for connections to close in good order."""

_READ_COMMITTED: Final = "read_committed"


class AsyncpgSource:
    """A database that is reached through a URL, or through a pool that the caller made."""

    driver = "asyncpg"

    def __init__(
        self,
        target: str | asyncpg.Pool[Any],
        *,
        connect_timeout: float,
        max_size: int,
        options: Mapping[str, Any],
    ) -> None:
        self.joiner = AsyncpgJoiner()
        self._target = target
        self._connect_timeout = connect_timeout
        self._max_size = max_size
        self._options = options
        self._verbs: asyncpg.Pool[Any] | None = None
        self._handlers: asyncpg.Pool[Any] | None = None

    async def open(self) -> int:
        if isinstance(self._target, str):
            return await self._open_own(self._target)
        size = transaction_limit("pool", self._target.get_max_size(), called="max_size")
        self._verbs = self._handlers = self._target
        return size

    async def _open_own(self, url: str) -> int:
        usual: dict[str, Any] = {"min_size": 0, "timeout": self._connect_timeout}
        usual |= with_application_name(url, self._options)
        try:
            self._verbs = await asyncpg.create_pool(url, **usual, max_size=VERBS, reset=_no_reset)
            self._handlers = await asyncpg.create_pool(url, **usual, max_size=self._max_size)
            async with self._verbs.acquire():
                return self._max_size
        except ValueError as error:
            if isinstance(error, OSError):
                raise  # a certificate that does not fit
            # The driver's own text may hold a part of the password.
            raise InvalidArgument("url", f"cannot be used to reach {self.location}; is it percent-encoded?") from None

    async def close(self) -> None:
        pools = [pool for pool in (self._verbs, self._handlers) if pool is not None and pool is not self._target]
        self._verbs = self._handlers = None
        try:
            for pool in pools:
                with suppress(*ERRORS):
                    async with asyncio.timeout(CLOSING):
                        await pool.close()
        finally:
            # Does nothing, unless the end of the event loop cancelled the close.
            for pool in pools:
                pool.terminate()

    def sibling(self) -> AsyncpgSource | None:
        found = (self._target, self._options) if isinstance(self._target, str) else _arguments_of(self._target)
        if found is None:
            return None
        url, options = found
        return AsyncpgSource(url, connect_timeout=self._connect_timeout, max_size=1, options=options)

    @asynccontextmanager
    async def loan(self, *, atomic: bool, timeout: float) -> AsyncGenerator[AsyncpgConnection]:
        if self._verbs is None:
            raise Unavailable("the PostgreSQL adapter is not open")
        async with _borrowed(self._verbs, timeout) as connection:
            wrapped = AsyncpgConnection(connection)
            if not atomic:
                yield wrapped
                return
            async with _transaction(connection, timeout):
                yield wrapped

    def check(self, kind: type | None) -> None:
        if kind not in (None, asyncpg.Connection):
            raise no_such_handle(kind, given="asyncpg.Connection", sqlalchemy=engine_of("postgresql+asyncpg"))

    @asynccontextmanager
    async def begin(self, kind: type | None, *, timeout: float) -> AsyncGenerator[AsyncpgTransaction]:
        if self._handlers is None:
            raise Unavailable("the PostgreSQL adapter is not open")
        async with (
            _borrowed(self._handlers, timeout) as connection,
            self._open_transaction(connection, timeout) as transaction,
        ):
            yield transaction

    @asynccontextmanager
    async def _open_transaction(self, connection: Any, timeout: float) -> AsyncGenerator[AsyncpgTransaction]:
        block = connection.transaction(isolation=_READ_COMMITTED)
        transaction: AsyncpgTransaction | None = None
        try:
            # Not cancellable: a connection must not go back to its pool with a BEGIN, COMMIT or ROLLBACK in flight.
            await finish(in_time(connection, block.start(), timeout=timeout))
            transaction = self.joiner.follow(connection)
            transaction.is_own = True
            yield transaction
        except BaseException:
            await finish(roll_back(connection, block, transaction, timeout=timeout))
            raise
        await finish(transaction.commit(block, timeout=timeout))

    @property
    def location(self) -> str:
        return location_of(self._target) if isinstance(self._target, str) else "the given pool"


@asynccontextmanager
async def _borrowed(pool: asyncpg.Pool[Any], timeout: float) -> AsyncGenerator[Any]:
    """Borrow a connection of the pool, after a wait of ``timeout`` seconds at most."""
    try:
        async with asyncio.timeout(timeout):
            connection = await pool.acquire()
    except TimeoutError as error:
        raise Unavailable(f"no connection was free within {timeout:g} s") from error
    try:
        yield connection
    except Exception as error:
        if is_stale(error):
            terminate(connection)
        raise
    finally:
        # The pool replaces a connection that dies in its reset; the commit is done by then. The pool itself waits for
        # a statement that was cancelled, and continues when this wait is cancelled.
        with suppress(*ERRORS):
            await pool.release(connection, timeout=timeout)


@asynccontextmanager
async def _transaction(connection: Any, timeout: float) -> AsyncGenerator[None]:
    """Open the transaction of one verb, with deadlines for BEGIN and COMMIT, which the driver's own does not have."""
    block = connection.transaction(isolation=_READ_COMMITTED)
    try:
        await finish(in_time(connection, block.start(), timeout=timeout))
        yield
    except BaseException:
        await finish(roll_back(connection, block, None, timeout=timeout))
        raise
    await finish(in_time(connection, block.commit(), timeout=timeout))


async def _no_reset(connection: object) -> None:
    """Skip the pool's reset query, a wasted round trip: verbs leave no state on a connection."""


def _arguments_of(pool: asyncpg.Pool[Any]) -> tuple[str, dict[str, Any]] | None:
    """
    Return the URL and the options by which a caller's pool connects; None where something else does it for the pool.

    The pool has no public name for them. What it does with a connection beside that is left out: it belongs to the
    caller's event loop, and otelq's own statements need none of it.
    """
    arguments, options = getattr(pool, "_connect_args", None), getattr(pool, "_connect_kwargs", None)
    if type(pool) is not asyncpg.Pool or getattr(pool, "_connect", None) is not asyncpg.connect:
        return None
    if arguments is None or options is None or any(callable(option) for option in options.values()):
        return None
    return (arguments[0] if arguments else None) or "", dict(options)
