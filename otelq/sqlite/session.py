"""
The session in which the statements of a verb run.

A verb is a coroutine over a ``SqliteSession``, and never suspends: it runs from start to end in the thread of a
connection, the adapter's or the caller's. So a whole verb, or a group of them, costs one hop between threads.

Every statement takes its batch as one JSON array, and returns at most one row of one column, again a JSON array.
Python releases its global lock for each step of SQLite, and each time may wait behind the event loop to get it back.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar, get_args

from msgspec import Raw, ValidationError
from msgspec.json import Decoder, encode

from ..errors import Refused
from .parameters import Value, unadapted
from .statements import SqliteStatements

T = TypeVar("T")
_NO_TOKENS: Mapping[str, str] = MappingProxyType({})


class SqliteSession:
    """One open transaction, as a verb uses it, in the thread of its connection."""

    def __init__(
        self, statements: SqliteStatements, connection: sqlite3.Connection, *, waited_for_lock: bool = False
    ) -> None:
        self._statements = statements
        self._connection = connection
        self.waited_for_lock = waited_for_lock
        """Whether another connection or task held the write lock when this transaction began."""

    async def read(
        self, name: str, rows: Decoder[list[T]], *, tokens: Mapping[str, str] = _NO_TOKENS, **values: Value
    ) -> list[T]:
        """Run a statement that returns a JSON array, and decode it."""
        answer = self._run(self._statements.text(name, **tokens), values)
        if not answer:
            return []
        try:
            return rows.decode(answer)
        except ValidationError:  # of one row fails all: decode them one by one
            return _readable(answer, rows)

    async def write(self, name: str, **values: Value) -> None:
        """Run a statement that returns nothing."""
        self._run(self._statements.text(name), values)

    def _run(self, sql: str, values: Mapping[str, Value]) -> str | None:
        """Return the first column of the first row."""
        row: tuple[str] | None = self._connection.execute(sql, unadapted(values)).fetchone()
        return None if row is None else row[0]


def _readable(answer: str, rows: Decoder[list[T]]) -> list[T]:
    """Return the rows that can be decoded. A row that was changed by hand must not hide the others."""
    (kind,) = get_args(rows.type)
    read, found = Decoder[T](kind).decode, list[T]()
    for row in _RAW.decode(answer):
        with suppress(ValidationError):
            found.append(read(row))
    return found


_RAW = Decoder(list[Raw])

Verb: TypeAlias = Callable[[SqliteSession, int], Coroutine[Any, Any, T]]
"""A verb with its arguments bound: it takes the session and the time of the statement, in microseconds."""


def run(verb: Coroutine[Any, Any, T]) -> T:
    """Run a verb, which never suspends."""
    # One step runs all of it: its statements are plain calls, and nothing in it gives the thread away.
    try:
        verb.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise RuntimeError("the verb waited for something other than its own statements")


def batch(rows: Sequence[object]) -> str:
    """
    Return rows as the JSON array that a statement reads with ``json_each``.

    Raises:
        Refused: a text holds a NUL, where SQLite would cut it, or a lone surrogate.
    """
    try:
        text = encode(rows).decode()
    except UnicodeEncodeError as error:
        raise Refused(f"a text holds a lone surrogate: {error.reason}") from error
    if _NUL in text and _IS_NUL.search(text):
        raise Refused("a text holds a NUL character; SQLite would cut it there")
    return text


_NUL = "\\u0000"
# With an even number of backslashes before it; else it is a backslash, followed by the text "u0000".
_IS_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
