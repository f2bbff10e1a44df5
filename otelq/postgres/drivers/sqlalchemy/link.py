"""One connection of SQLAlchemy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ..rows import Row, plain, rows

_PLAIN: Final = {"stream_results": False}
"""An engine that streams results wants a transaction round each statement, and some of ours stand alone."""

_PARAMETER: Final = re.compile(r"\$(\d+)")


class SqlalchemyLink:
    """A connection of SQLAlchemy. All goes through it and nothing past it, so that it knows of its transaction."""

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
    async def savepoint(self) -> AsyncGenerator[None]:
        async with self._connection.begin_nested():
            yield


@lru_cache(maxsize=1024)
def by_name(text: str) -> str:
    """A statement with ``%(pn)s`` in the place of ``$n``."""
    return _PARAMETER.sub(r"%(p\1)s", text.replace("%", "%%"))
