"""Applications on SQLite, each with one setting of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final

import aiosqlite
from sqlalchemy.ext.asyncio import create_async_engine

from .alchemy import AlchemyApplication
from .options import Alchemy
from .sqlite_options import AIOSQLITE, HEARD, PROCESS, SQLALCHEMY, Aiosqlite, on_connect
from .use import Application, Handles

PRAGMAS: Final = (
    "application_id", "auto_vacuum", "automatic_index", "busy_timeout", "cache_size", "cache_spill",
    "cell_size_check", "checkpoint_fullfsync", "defer_foreign_keys", "encoding", "foreign_keys", "fullfsync",
    "full_column_names", "hard_heap_limit", "ignore_check_constraints", "journal_size_limit", "legacy_alter_table",
    "mmap_size", "page_size", "query_only", "read_uncommitted",
    "recursive_triggers", "reverse_unordered_selects", "secure_delete", "short_column_names", "soft_heap_limit",
    "synchronous", "temp_store", "threads", "trusted_schema", "user_version", "wal_autocheckpoint",
    "writable_schema", "collation_list", "database_list", "function_list", "table_list",
)  # fmt: skip
"""What a connection says of itself. Not the journal: that is of the file, and otelq needs it to be a log."""
PERSISTENT: Final = ("journal_mode", "page_size", "encoding", "auto_vacuum", "user_version", "application_id")
"""Pragmas of files."""


@asynccontextmanager
async def application(driver: str, setting: str, file: Path) -> AsyncGenerator[Application]:
    """Make an application that reaches a file by a driver, with a setting; or with a pragma, ``name = value``."""
    process = PROCESS.get(setting, nullcontext)
    name, is_pragma, _ = setting.partition(" = ")
    _make(file, setting if name in PERSISTENT else "foreign_keys")
    if name in PERSISTENT:
        setting, is_pragma = "plain", ""
    made: AbstractAsyncContextManager[Application]
    match driver:
        case "url":
            made = nullcontext(ByUrl(file))
        case "aiosqlite":
            options = AIOSQLITE["plain" if is_pragma else setting]
            made = _aiosqlite(file, options, f"PRAGMA {setting}" if is_pragma else None)
        case _:
            listens = Alchemy(listen=on_connect(f"PRAGMA {setting}"))
            made = _sqlalchemy(file, setting, listens if is_pragma else SQLALCHEMY[setting])
    with process(file):
        async with made as application:
            yield application


def _make(file: Path, pragma: str) -> None:
    """Make the file that the application had before otelq came."""
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE IF NOT EXISTS mine (number int)")
    connection.close()


class ByUrl:
    """An application without connections of its own."""

    session = None
    handles: Handles = ()

    def __init__(self, file: Path) -> None:
        self._file = file
        self.target: Any = f"sqlite:///{file}"

    async def facts(self) -> list[set[str]]:
        connection = sqlite3.connect(self._file) if sqlite3.connect.__module__ == "sqlite3" else None
        if connection is None:
            return []
        try:
            return [_facts(connection)]
        finally:
            connection.close()


class AiosqliteApplication:
    """An application with a connection."""

    session = None
    target: Any = None

    def __init__(self, connection: Any, options: Aiosqlite) -> None:
        self._connection = connection
        self._begin = options.begin
        self.handles: Handles = [self._transaction]

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[Any]:
        for statement in self._begin:
            # Kept, as one that is dropped is closed.
            self.last = await self._connection.execute(statement)
        try:
            yield self._connection
        except BaseException:
            await self._end("ROLLBACK")
            raise
        await self._end("COMMIT")

    async def _end(self, how: str) -> None:
        with suppress(AttributeError):
            await self.last.close()
        if self._begin:
            await self._connection.execute(how)  # ``autocommit=True`` ends none by itself
        else:
            await getattr(self._connection, how.lower())()

    async def facts(self) -> list[set[str]]:
        return [await _facts_of_aiosqlite(self._connection)]


@asynccontextmanager
async def _aiosqlite(file: Path, options: Aiosqlite, pragma: str | None) -> AsyncGenerator[Application]:
    place: Any = f"{file.as_uri()}{options.query}" if options.query else file
    arguments: dict[str, Any] = {**options.arguments, **({"uri": True} if options.query else {})}
    async with aiosqlite.connect(place, **arguments) as connection:
        if pragma:
            await connection.execute(pragma)
        if options.prepare is not None:
            await options.prepare(connection)
        yield AiosqliteApplication(connection, options)


async def _facts_of_aiosqlite(connection: Any) -> set[str]:
    found: set[str] = await connection._execute(_facts, connection._conn)
    return found


def _facts(connection: sqlite3.Connection) -> set[str]:
    """All that is set on a connection; in its thread."""
    factories = connection.row_factory, connection.text_factory
    connection.row_factory, connection.text_factory = None, str
    calls = HEARD.calls
    connection.execute(f"VALUES ({calls})").fetchall()  # no statement that the driver knows already
    own = [
        type(connection), connection.isolation_level, getattr(connection, "autocommit", None), factories,
        connection.in_transaction and getattr(connection, "autocommit", None) is not False,
        HEARD.calls > calls, *map(connection.getlimit, range(12)),
    ]  # fmt: skip
    try:
        says = [f"{name} = {row}" for name in PRAGMAS for row in connection.execute(f"PRAGMA {name}")]
        return {str(own), *(each for each in says if "otelq_" not in each or "'main'" not in each)}
    finally:
        connection.row_factory, connection.text_factory = factories
        if getattr(connection, "autocommit", None) is False:
            connection.rollback()  # which has begun to read, and would keep others from the journal


# SQLAlchemy


@asynccontextmanager
async def _sqlalchemy(file: Path, setting: str, options: Alchemy) -> AsyncGenerator[Application]:
    query = "?uri=true&" + setting.partition(", ")[2] if setting.startswith("uri") else ""
    place = file.as_uri() if setting.startswith("uri") else file
    engine = create_async_engine(f"sqlite+aiosqlite:///{place}{query}", **options.engine)
    if options.listen is not None:
        options.listen(engine)
    try:
        yield AlchemyApplication(engine.execution_options(**options.options), options, _facts_of_sqlalchemy)
    finally:
        await engine.dispose()


async def _facts_of_sqlalchemy(connection: Any) -> set[str]:
    raw = await connection.get_raw_connection()
    # SQLAlchemy itself writes into a map of schemas.
    options = {**connection.sync_connection.get_execution_options(), "schema_translate_map": None}
    own = [options, await connection.get_isolation_level()]
    return {str(own), *await _facts_of_aiosqlite(raw.driver_connection)}
