"""One connection of SQLAlchemy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ....uninterrupted import finish
from ..rows import Row, plain, rows

_PLAIN: Final = {"stream_results": False, "yield_per": None}
"""Turns streaming off: a streamed result needs a transaction, and some statements run without one."""

_PARAMETER: Final = re.compile(r"\$(\d+)")


class SqlalchemyConnection:
    """A connection of SQLAlchemy. Every statement goes through it, so that it knows the state of its transaction."""

    __slots__ = ("_connection",)

    can_copy = False
    is_guarded = True

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        if connection.dialect.driver == "asyncpg":
            from ..asyncpg.arrays import introduce_arrays

            introduce_arrays(connection.sync_connection.connection.driver_connection)  # type: ignore[union-attr]  # open

    async def fetch(self, text: str, args: Sequence[object], /, *, timeout: float | None) -> list[Row]:
        given: Any = tuple(args)
        if self._connection.dialect.paramstyle != "numeric_dollar":
            text, given = by_name(text), {f"p{n}": plain(value) for n, value in enumerate(args, 1)}
        async with asyncio.timeout(timeout):
            result = await self._connection.exec_driver_sql(text, given, execution_options=_PLAIN)
        return rows(list(result.keys()), result.fetchall()) if result.returns_rows else []

    async def copy(self, table: str, rows: bytes, *, schema: str, columns: Sequence[str], timeout: float) -> None:
        raise NotImplementedError("SQLAlchemy has no COPY")

    @asynccontextmanager
    async def listen(
        self, channel: str, receive: Callable[[str], None], *, lost: Callable[[], None], timeout: float
    ) -> AsyncGenerator[None]:
        """Go past SQLAlchemy to the driver, as only that hears notifications."""
        raw: Any = await self._connection.get_raw_connection()
        if self._connection.dialect.driver == "asyncpg":
            from ..asyncpg.listen import listening
        else:
            from ..psycopg.listen import listening
        async with listening(raw.driver_connection, channel, receive, lost=lost, timeout=timeout):
            yield

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        async with self._by_hand() if self._streams else self._connection.begin_nested():
            yield

    @property
    def _streams(self) -> bool:
        options = self._connection.sync_connection.get_execution_options()  # type: ignore[union-attr]  # open
        return bool(options.get("stream_results") or options.get("yield_per"))

    @asynccontextmanager
    async def _by_hand(self) -> AsyncGenerator[None]:
        """Set a savepoint with plain SQL: SQLAlchemy would send it by a streaming cursor, which psycopg cannot do."""
        await self._send("SAVEPOINT otelq_verb")
        try:
            yield
        except BaseException:
            await finish(self._send("ROLLBACK TO SAVEPOINT otelq_verb", "RELEASE SAVEPOINT otelq_verb"))
            raise
        await self._send("RELEASE SAVEPOINT otelq_verb")

    async def _send(self, *statements: str) -> None:
        for statement in statements:
            await self._connection.exec_driver_sql(statement, execution_options=_PLAIN)


@lru_cache(maxsize=1024)
def by_name(text: str) -> str:
    """Return a statement with ``%(pn)s`` in the place of ``$n``."""
    return _PARAMETER.sub(r"%(p\1)s", text.replace("%", "%%"))
