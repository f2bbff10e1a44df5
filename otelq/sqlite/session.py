"""
Where the steps of a verb run.

A verb is a coroutine over a ``Session``. On the adapter's own connections it runs from start to end in that
connection's thread and never suspends, so that a whole verb, or a group of them, costs one hop between threads. In a
transaction of the caller's the same coroutine awaits the caller's own driver statement by statement.

Every statement takes its batch as one JSON array and gives at most one row of one column, again a JSON array: Python
lets go of its global lock for each step of SQLite, and each time may wait for it behind the event loop.
"""

from __future__ import annotations

import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

import aiosqlite
from msgspec.json import Decoder, encode

from ..errors import Refused
from .queries import Queries

T = TypeVar("T")
Value: TypeAlias = str | int | None
_NO_TOKENS: Mapping[str, str] = MappingProxyType({})


class Session(ABC):
    """One open transaction, as a verb sees it."""

    def __init__(self, queries: Queries, *, waited: bool = False) -> None:
        self._queries = queries
        self.waited = waited
        """Whether somebody else held the write lock when this transaction wanted it."""

    async def read(
        self, name: str, rows: Decoder[list[T]], *, tokens: Mapping[str, str] = _NO_TOKENS, **values: Value
    ) -> list[T]:
        """Run a statement that gives a JSON array, and decode it."""
        answer = await self._run(self._queries.text(name, **tokens), values)
        return rows.decode(answer) if answer else []

    async def write(self, name: str, **values: Value) -> None:
        """Run a statement that gives nothing."""
        await self._run(self._queries.text(name), values)

    @abstractmethod
    async def _run(self, sql: str, values: Mapping[str, Value]) -> str | bytes | None:
        """The first column of the first row."""


Verb: TypeAlias = Callable[[Session, int], Coroutine[Any, Any, T]]
"""A verb with its arguments bound: it takes the session and the time of the statement, in microseconds."""


class ThreadSession(Session):
    """A session in the thread of its connection."""

    def __init__(self, queries: Queries, connection: sqlite3.Connection, *, waited: bool = False) -> None:
        super().__init__(queries, waited=waited)
        self._connection = connection

    async def _run(self, sql: str, values: Mapping[str, Value]) -> str | bytes | None:
        row: tuple[str] | None = self._connection.execute(sql, values).fetchone()
        return None if row is None else row[0]


class JoinedSession(Session):
    """A session on a connection that the application uses too, through its driver."""

    async def main_file(self) -> str:
        """The file that the connection is open on; empty for one in memory. This opens no read transaction."""
        files = {name: file for _, name, file in await self._fetch("PRAGMA database_list", {})}
        return files["main"] or ""

    async def command(self, sql: str) -> None:
        """Run a statement that is not one of a verb's."""
        await self._fetch(sql, {})

    async def _run(self, sql: str, values: Mapping[str, Value]) -> str | bytes | None:
        answer: str | bytes | None = next((row[0] for row in await self._fetch(sql, values)), None)
        return answer

    @abstractmethod
    async def _fetch(self, sql: str, values: Mapping[str, Value]) -> list[Sequence[Any]]:
        """The rows of a statement."""


class DriverSession(JoinedSession):
    """A session on a connection of aiosqlite."""

    def __init__(self, queries: Queries, connection: aiosqlite.Connection) -> None:
        super().__init__(queries)
        self._connection = connection

    async def _fetch(self, sql: str, values: Mapping[str, Value]) -> list[Sequence[Any]]:
        # The driver's annotation forgets named parameters.
        parameters: Any = values
        rows: Any = await self._connection.execute_fetchall(sql, parameters)
        return [_columns(row) for row in rows]


def _columns(row: Any) -> list[Any]:
    """The columns of a row, which the application's row factory made a tuple, a ``Row`` or a mapping."""
    return list(row.values() if hasattr(row, "values") else row)


def run(verb: Coroutine[Any, Any, T]) -> T:
    """Run a verb whose session never suspends."""
    try:
        verb.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise RuntimeError("the verb waited for something other than its own statements")


def batch(rows: Sequence[object]) -> str:
    """
    Rows as the JSON array that a statement reads with ``json_each``.

    Raises:
        Refused: a text holds what cannot be stored: a NUL (SQLite would cut the text there) or a lone surrogate.
    """
    try:
        text = encode(rows).decode()
    except UnicodeEncodeError as error:
        raise Refused(f"a text holds a lone surrogate: {error.reason}") from error
    if _NUL in text and _IS_NUL.search(text):
        raise Refused("a text holds a NUL character; SQLite would cut it there")
    return text


_NUL = "\\u0000"
_IS_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
