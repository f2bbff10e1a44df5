"""One connection of psycopg."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from psycopg import AsyncConnection, AsyncRawCursor, sql
from psycopg.pq import PipelineStatus
from psycopg.rows import tuple_row

from ....uninterrupted import cancel_once
from ..rows import Row, plain, rows
from .listen import listening

_SAVEPOINT: Final = "otelq_verb"


class PsycopgConnection:
    """A psycopg connection."""

    __slots__ = ("_connection",)

    can_copy = True
    is_guarded = True

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def fetch(self, text: str, args: Sequence[object], /, *, timeout: float | None) -> list[Row]:
        # psycopg answers a cancel by ending the statement on the server; a second cancel would leave it running.
        async with asyncio.timeout(timeout):
            return await cancel_once(self._fetch(text.encode(), [plain(value) for value in args] or None))

    async def _fetch(self, text: bytes, args: Sequence[object] | None) -> list[Row]:
        async with AsyncRawCursor(self._connection, row_factory=tuple_row) as cursor:
            async with synced(self._connection):
                await cursor.execute(text, args)
            columns = cursor.description
            return rows([column.name for column in columns], await cursor.fetchall()) if columns else []

    async def copy(self, table: str, rows: bytes, *, schema: str, columns: Sequence[str], timeout: float) -> None:
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(schema, table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        async with asyncio.timeout(timeout):
            await cancel_once(self._copy(statement, rows))

    async def _copy(self, statement: sql.Composed, rows: bytes) -> None:
        async with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            await copy.write(rows)

    def listen(
        self, channel: str, receive: Callable[[str], None], *, lost: Callable[[], None], timeout: float
    ) -> AbstractAsyncContextManager[None]:
        return listening(self._connection, channel, receive, lost=lost, timeout=timeout)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Set a savepoint with plain SQL, as the driver's own block may begin and commit a transaction instead."""
        await self._execute(f"SAVEPOINT {_SAVEPOINT}")
        try:
            yield
        except BaseException:
            if not self._connection.closed:
                await self._execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
                await self._execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")
            raise
        await self._execute(f"RELEASE SAVEPOINT {_SAVEPOINT}")

    async def _execute(self, statement: str) -> None:
        await cancel_once(self._fetch(statement.encode(), None))


@asynccontextmanager
async def synced(connection: AsyncConnection[Any]) -> AsyncGenerator[None]:
    """Sync the pipeline at the end of the block, if the caller is in pipeline mode."""
    if connection.pgconn.pipeline_status == PipelineStatus.OFF:
        yield
        return
    async with connection.pipeline() as pipeline:
        yield
        await pipeline.sync()
