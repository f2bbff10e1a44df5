"""One connection of asyncpg."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from io import BytesIO
from typing import Any, Final

import asyncpg

from .arrays import introduce_arrays
from .listen import listening

_SAVEPOINT: Final = "otelq_verb"


class AsyncpgConnection:
    """An asyncpg connection."""

    __slots__ = ("_connection",)

    can_copy = True
    is_guarded = False

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        introduce_arrays(connection)

    def fetch(self, text: str, args: Sequence[object], /, *, timeout: float | None) -> Awaitable[list[Any]]:
        found: Awaitable[list[Any]] = self._connection.fetch(text, *args, timeout=timeout, record_class=asyncpg.Record)
        return found

    async def copy(self, table: str, rows: bytes, *, schema: str, columns: Sequence[str], timeout: float) -> None:
        await self._connection.copy_to_table(
            table,
            source=BytesIO(rows),
            columns=columns,
            schema_name=schema,
            format="text",
            encoding="utf-8",
            timeout=timeout,
        )

    def listen(
        self, channel: str, receive: Callable[[str], None], *, lost: Callable[[], None], timeout: float
    ) -> AbstractAsyncContextManager[None]:
        return listening(self._connection, channel, receive, lost=lost, timeout=timeout)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Set a savepoint with plain SQL: the driver's own refuses a transaction begun with a BEGIN statement."""
        connection = self._connection
        await connection.execute(f"SAVEPOINT {_SAVEPOINT}")
        try:
            yield
        except BaseException:
            if not connection.is_closed():
                await connection.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
                await connection.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
            raise
        await connection.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
