"""
Values on connections with type codecs of the application.

An application may have its driver read and write types in its own way: jsonb with ``json.dumps``, times as another
class, lists as JSON. One statement per connection tests if a value of each type comes back unchanged. Where one does
not, all values are sent and read as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, cast

from msgspec import json

from ..errors import InvalidArgument
from .drivers import DriverConnection
from .drivers.rows import Row
from .errors import is_passing
from .qualify import TokenKind, qualify, tokens
from .statements import read

TIMES: Final = frozenset(
    {
        "at", "chain_created_at", "claimed_at", "closed_at", "created_at", "due_at", "ended_at", "expires_at",
        "leased_until", "moments", "run_at", "seen_at", "started_at",
    }
)  # fmt: skip
"""Columns of the statements that hold times."""

_SAMPLE: Final[tuple[Any, ...]] = (
    datetime(2001, 2, 3, 4, 5, 6, 789012, UTC),
    [datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), None],
    ["018bcfe5-6800-7000-8000-00000000000a"],
    "018bcfe5-6800-7000-8000-00000000000b",
    -7,
    [2**31 - 1, None],
    2**63 - 1,
    [-(2**63)],
    [0.25, None],
    True,
    [False, None],
    "a \"text\", with {signs} \\ and 'quotes'",
    ["", None, '"', "\\N", "NULL", "ä,€"],
    -1.5,
)
"""A value of each type that a parameter or a column of a statement has."""

Guard = Callable[[], AbstractAsyncContextManager[object]]
"""Makes the context manager, such as a savepoint, for a statement that may fail."""

_PARAMETER: Final = re.compile(r"(\$\d+)::(?!pg_catalog\.text(?![\[\w]))")


class TextConnection:
    """A connection on which all values are sent and read as text."""

    __slots__ = ("_connection",)

    def __init__(self, connection: DriverConnection) -> None:
        self._connection = connection

    @property
    def can_copy(self) -> bool:
        return self._connection.can_copy

    @property
    def is_guarded(self) -> bool:
        return self._connection.is_guarded

    async def fetch(self, text: str, args: Sequence[object], /, *, timeout: float | None) -> list[Any]:
        asked, is_shown = in_text(text)
        found = await self._connection.fetch(asked, [_as_text(value) for value in args], timeout=timeout)
        return [_row(row[0]) for row in found] if is_shown else found

    async def copy(self, table: str, rows: bytes, *, schema: str, columns: Sequence[str], timeout: float) -> None:
        await self._connection.copy(table, rows, schema=schema, columns=columns, timeout=timeout)

    def listen(
        self, channel: str, receive: Callable[[str], None], *, lost: Callable[[], None], timeout: float
    ) -> AbstractAsyncContextManager[None]:
        return self._connection.listen(channel, receive, lost=lost, timeout=timeout)

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        return self._connection.savepoint()


async def needs_text(
    connection: DriverConnection, *, argument: str, timeout: float, guard: Guard = nullcontext
) -> bool:
    """
    Return whether values must be sent as text on a connection; in a transaction, ``guard`` makes a savepoint.

    Raises:
        InvalidArgument: not even text comes back as it was.
    """
    if await _is_faithful(connection, timeout, guard):
        return False
    if await _is_faithful(TextConnection(connection), timeout, guard):
        return True
    raise InvalidArgument(
        argument,
        "reads or writes text by a codec, an adapter or a client_encoding of the application; give a connection "
        "without it",
    )


async def _is_faithful(connection: DriverConnection, timeout: float, guard: Guard) -> bool:
    """Return whether a value of each type comes back unchanged."""
    try:
        async with guard():
            [row] = await connection.fetch(qualify(read("sql/probe.sql")), _SAMPLE, timeout=timeout)
        return all(_is_same(row[index], value) for index, value in enumerate(_SAMPLE))
    except Exception as error:
        if is_passing(error):
            raise
        return False  # a codec or an adapter may raise anything


def _is_same(found: object, given: object) -> bool:
    if type(found) is not type(given):
        return False
    if isinstance(given, list):
        ours, theirs = cast(Any, given), cast(Any, found)
        return len(ours) == len(theirs) and all(map(_is_same, theirs, ours))
    return found == given


@lru_cache(maxsize=1024)
def in_text(text: str) -> tuple[str, bool]:
    """Return the statement with texts as its parameters, and whether it is a query, whose rows are texts of JSON."""
    # Each parameter is declared as text and cast on the server, so that no codec of the client touches it.
    taken = _PARAMETER.sub(r"\1::pg_catalog.text::", text)
    found = list(tokens(taken))
    keywords = [index for index, token in enumerate(found) if token.kind is TokenKind.KEYWORD and token.depth == 0]
    first = next((found[index].text for index in keywords), "")
    start = next((index for index in keywords if found[index].text in ("SELECT", "INSERT", "UPDATE", "DELETE")), None)
    if first not in ("SELECT", "WITH") or start is None or found[start].text != "SELECT":
        return taken, False
    # A query's rows become one text of JSON each; other statements return no rows.
    before, query = ("".join(token.text for token in part) for part in (found[:start], found[start:]))
    before = f"{before.rstrip()}," if first == "WITH" else f"{before}WITH"
    shown = "SELECT pg_catalog.row_to_json(shown)::pg_catalog.text AS shown FROM shown"
    return f"{before} shown AS MATERIALIZED (\n{query}\n)\n{shown}", True


def _as_text(value: object) -> str | None:
    """Return a parameter in PostgreSQL's text format."""
    match value:
        case None:
            return None
        case str():
            return str(value)
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case Collection():
            elements = (_as_text(each) for each in cast("Collection[object]", value))
            return f"{{{','.join('NULL' if each is None else _quoted(each) for each in elements)}}}"
        case _:
            return repr(value)


def _quoted(element: str) -> str:
    escaped = element.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _row(shown: str) -> Row:
    columns: dict[str, Any] = json.decode(shown)
    values = [_moment(value) if name in TIMES else value for name, value in columns.items()]
    return Row({name: index for index, name in enumerate(columns)}, values)


def _moment(value: Any) -> Any:
    match value:
        case str():
            return datetime.fromisoformat(value)
        case list():
            return [_moment(each) for each in cast(Any, value)]
        case _:
            return value
