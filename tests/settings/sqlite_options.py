"""The settings of drivers of SQLite, by their names in the table."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AssertionPool, AsyncAdaptedQueuePool, NullPool, StaticPool

from .options import Alchemy, add_comments

Prepare = Callable[[Any], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Aiosqlite:
    """How an application makes its connection of aiosqlite, and what it does with it."""

    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    query: str = ""
    """What its URI ends with."""
    prepare: Prepare | None = None
    begin: Sequence[str] = ("BEGIN",)
    """What it begins with, by hand; nothing where the driver does that."""


def refuse(*_: object) -> NoReturn:
    """Stands for a callback of the application that otelq must not reach."""
    raise ZeroDivisionError


def as_mapping(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> dict[str, Any]:
    """A row factory from the manual."""
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


class OwnConnection(sqlite3.Connection):
    """A connection class of the application."""


def _set(**values: Any) -> Prepare:
    async def prepare(connection: Any) -> None:
        for name, value in values.items():
            setattr(connection, name, value)

    return prepare


def _call(method: str, *arguments: Any) -> Prepare:
    async def prepare(connection: Any) -> None:
        await connection._execute(getattr(connection._conn, method), *arguments)

    return prepare


def _run(*statements: str) -> Prepare:
    async def prepare(connection: Any) -> None:
        for statement in statements:
            await connection.execute(statement)

    return prepare


def _same(one: str, other: str) -> int:
    return 0


class Heard:
    """Callbacks that note that they are called."""

    calls = 0

    def __call__(self, *_: object) -> int:
        self.calls += 1
        return sqlite3.SQLITE_OK


HEARD: Final = Heard()


async def _interrupt(connection: Any) -> None:
    inner = connection._conn
    await connection._execute(inner.set_progress_handler, lambda: int(inner.in_transaction), 20)


async def _leave_a_cursor_open(connection: Any) -> None:
    connection.kept = await connection.execute(
        "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT 2 FROM n) SELECT x FROM n"
    )
    await connection.kept.fetchone()


def _deny(action: int, table: str | None, *_: object) -> int:
    is_ours = action == sqlite3.SQLITE_INSERT and table is not None and table.endswith("_open_job")
    return sqlite3.SQLITE_DENY if is_ours else sqlite3.SQLITE_OK


_LEVELS: Final = ("", "DEFERRED", "IMMEDIATE", "EXCLUSIVE")
_TABLES: Final = ("job", "open_job", "outcome", "attempt", "blocker", "dedup_key", "migration")
_PARSING: Final = {"detect_types": sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES}

AIOSQLITE: Final = {
    "plain": Aiosqlite(),
    "BEGIN IMMEDIATE": Aiosqlite(begin=("BEGIN IMMEDIATE",)),
    "BEGIN EXCLUSIVE": Aiosqlite(begin=("BEGIN EXCLUSIVE",)),
    "none begun": Aiosqlite(begin=()),
    **{f"isolation_level={level!r}": Aiosqlite(arguments={"isolation_level": level}) for level in _LEVELS},
    "isolation_level=None": Aiosqlite(arguments={"isolation_level": None}),
    "isolation_level=None, none begun": Aiosqlite(arguments={"isolation_level": None}, begin=()),
    "autocommit=True": Aiosqlite(arguments={"autocommit": True}),
    "autocommit=True, none begun": Aiosqlite(arguments={"autocommit": True}, begin=()),
    "autocommit=False": Aiosqlite(arguments={"autocommit": False}, begin=()),
    "row_factory=Row": Aiosqlite(prepare=_set(row_factory=sqlite3.Row)),
    "row_factory of dicts": Aiosqlite(prepare=_set(row_factory=as_mapping)),
    "row_factory that raises": Aiosqlite(prepare=_set(row_factory=refuse)),
    "text_factory=bytes": Aiosqlite(prepare=_set(text_factory=bytes)),
    "text_factory=bytearray": Aiosqlite(prepare=_set(text_factory=bytearray)),
    "text_factory that raises": Aiosqlite(prepare=_set(text_factory=refuse)),
    "detect_types": Aiosqlite(arguments=_PARSING),
    "detect_types, converters that raise": Aiosqlite(arguments=_PARSING),
    "adapters of str and int": Aiosqlite(),
    "timeout=0": Aiosqlite(arguments={"timeout": 0}),
    "cached_statements=0": Aiosqlite(arguments={"cached_statements": 0}),
    "cached_statements=1": Aiosqlite(arguments={"cached_statements": 1}),
    "check_same_thread=False": Aiosqlite(arguments={"check_same_thread": False}),
    "factory": Aiosqlite(arguments={"factory": OwnConnection}),
    "iter_chunk_size=1": Aiosqlite(arguments={"iter_chunk_size": 1}),
    "uri=True": Aiosqlite(query="?"),
    "uri, mode=rw": Aiosqlite(query="?mode=rw"),
    "uri, cache=shared": Aiosqlite(query="?cache=shared"),
    "uri, mode=ro": Aiosqlite(query="?mode=ro"),
    "uri, immutable=1": Aiosqlite(query="?immutable=1"),
    "trace callback": Aiosqlite(prepare=_call("set_trace_callback", HEARD)),
    "progress handler": Aiosqlite(prepare=_call("set_progress_handler", HEARD, 1)),
    "progress handler that interrupts": Aiosqlite(prepare=_interrupt),
    "authorizer": Aiosqlite(prepare=_call("set_authorizer", HEARD)),
    "authorizer that denies": Aiosqlite(prepare=_call("set_authorizer", _deny)),
    "own function": Aiosqlite(prepare=_call("create_function", "my_own", 1, str)),
    "own json_array": Aiosqlite(prepare=_call("create_function", "json_array", 2, max)),
    "own ->>": Aiosqlite(prepare=_call("create_function", "->>", 2, max)),
    "own collation": Aiosqlite(prepare=_call("create_collation", "nocase", _same)),
    "limit of variables": Aiosqlite(prepare=_call("setlimit", sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 2)),
    "temporary tables of our names": Aiosqlite(
        prepare=_run(*(f"CREATE TEMP TABLE otelq_{name} (x)" for name in _TABLES))
    ),
    "attached database": Aiosqlite(
        prepare=_run("ATTACH ':memory:' AS other", "CREATE TABLE other.otelq_job (x)", "CREATE TABLE other.mine (x)")
    ),
    "RETURNING left unread": Aiosqlite(
        begin=("BEGIN", "INSERT INTO mine SELECT 1 FROM sqlite_schema RETURNING number")
    ),
    "locking_mode=EXCLUSIVE later": Aiosqlite(begin=("PRAGMA locking_mode = EXCLUSIVE", "BEGIN")),
    "cursor left open": Aiosqlite(prepare=_leave_a_cursor_open),
}

# SQLAlchemy


async def _on_thread(driver: Any, work: Callable[[Any], object]) -> None:
    await driver._execute(work, driver._conn)


def _on_connect(work: Callable[[Any], object]) -> Callable[[AsyncEngine], None]:
    """Do this with each connection of the driver."""

    def listen(engine: AsyncEngine) -> None:
        @event.listens_for(engine.sync_engine, "connect")
        def prepare(connection: Any, _: object) -> None:
            connection.run_async(partial(_on_thread, work=work))

    return listen


def on_connect(statement: str) -> Callable[[AsyncEngine], None]:
    """Run this on each connection, as manuals do it with pragmas."""

    def listen(engine: AsyncEngine) -> None:
        @event.listens_for(engine.sync_engine, "connect")
        def prepare(connection: Any, _: object) -> None:
            cursor = connection.cursor()
            cursor.execute(statement)
            cursor.close()

    return listen


def _begin_by_listener(begin: str) -> Callable[[AsyncEngine], None]:
    """SQLAlchemy's recipe for savepoints and serializable isolation with pysqlite."""

    def listen(engine: AsyncEngine) -> None:
        @event.listens_for(engine.sync_engine, "connect")
        def prepare(connection: Any, _: object) -> None:
            connection.isolation_level = None

        @event.listens_for(engine.sync_engine, "begin")
        def start(connection: Any) -> None:
            connection.exec_driver_sql(begin)

    return listen


def _factories(connection: sqlite3.Connection) -> None:
    connection.row_factory, connection.text_factory = sqlite3.Row, str


def _handlers(connection: sqlite3.Connection) -> None:
    connection.set_trace_callback(HEARD)
    connection.set_progress_handler(HEARD, 1)
    connection.set_authorizer(HEARD)


def _own_function(connection: sqlite3.Connection) -> None:
    connection.create_function("coalesce", 2, max)


def _driver(**arguments: Any) -> Alchemy:
    return Alchemy(engine={"connect_args": arguments})


_ALCHEMY_LEVELS: Final = ("SERIALIZABLE", "READ UNCOMMITTED", "AUTOCOMMIT")

SQLALCHEMY: Final = {
    "plain": Alchemy(),
    **{f"{level} of the engine": Alchemy(engine={"isolation_level": level}) for level in _ALCHEMY_LEVELS},
    **{f"{level} by options": Alchemy(options={"isolation_level": level}) for level in _ALCHEMY_LEVELS},
    **{f"{level} of the connection": Alchemy(connection={"isolation_level": level}) for level in _ALCHEMY_LEVELS},
    "NullPool": Alchemy(engine={"poolclass": NullPool}),
    "StaticPool": Alchemy(engine={"poolclass": StaticPool}),
    "AssertionPool": Alchemy(engine={"poolclass": AssertionPool}),
    "pool_size=1": Alchemy(engine={"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}),
    "pool_size=3": Alchemy(engine={"pool_size": 3, "max_overflow": 0}),
    "pool_pre_ping": Alchemy(engine={"pool_pre_ping": True}),
    "pool_recycle": Alchemy(engine={"pool_recycle": 0}),
    "pool_use_lifo": Alchemy(engine={"pool_use_lifo": True}),
    "pool_reset_on_return=None": Alchemy(engine={"pool_reset_on_return": None}),
    "pool_reset_on_return=commit": Alchemy(engine={"pool_reset_on_return": "commit"}),
    "json_serializer": Alchemy(engine={"json_serializer": refuse, "json_deserializer": refuse}),
    "native_datetime": Alchemy(engine={"native_datetime": True, "connect_args": _PARSING}),
    "echo": Alchemy(engine={"echo": True, "hide_parameters": True}),
    "insertmanyvalues": Alchemy(engine={"use_insertmanyvalues": False}),
    "query_cache_size=0": Alchemy(engine={"query_cache_size": 0}),
    "compiled_cache=None": Alchemy(options={"compiled_cache": None}),
    "logging_token": Alchemy(options={"logging_token": "application"}),
    "stream_results": Alchemy(options={"stream_results": True}),
    "yield_per": Alchemy(options={"yield_per": 1}),
    "schema_translate_map": Alchemy(options={"schema_translate_map": {None: "elsewhere"}}),
    "isolation_level=None": _driver(isolation_level=None),
    "isolation_level='IMMEDIATE'": _driver(isolation_level="IMMEDIATE"),
    "isolation_level='EXCLUSIVE'": _driver(isolation_level="EXCLUSIVE"),
    "autocommit=True": _driver(autocommit=True),
    "autocommit=False": _driver(autocommit=False),
    "detect_types": _driver(**_PARSING),
    "detect_types, converters that raise": _driver(**_PARSING),
    "adapters of str and int": Alchemy(),
    "timeout=0": _driver(timeout=0),
    "cached_statements=0": _driver(cached_statements=0),
    "check_same_thread=False": _driver(check_same_thread=False),
    "factory": _driver(factory=OwnConnection),
    "uri=True": Alchemy(),
    "uri, mode=ro": Alchemy(),
    "uri, cache=shared": Alchemy(),
    "BEGIN by a listener": Alchemy(listen=_begin_by_listener("BEGIN")),
    "BEGIN IMMEDIATE by a listener": Alchemy(listen=_begin_by_listener("BEGIN IMMEDIATE")),
    "comments by a listener": Alchemy(listen=add_comments),
    "factories by a listener": Alchemy(listen=_on_connect(_factories)),
    "handlers by a listener": Alchemy(listen=_on_connect(_handlers)),
    "own coalesce by a listener": Alchemy(listen=_on_connect(_own_function)),
    "expire_on_commit=False": Alchemy(session={"expire_on_commit": False}),
    "autoflush=False": Alchemy(session={"autoflush": False}),
    "autobegin=False": Alchemy(session={"autobegin": False}, begins=True),
    "autobegin=False, none begun": Alchemy(session={"autobegin": False}),
    "future": Alchemy(engine={"future": True}, session={"future": True}),
    **{
        f"join_transaction_mode={mode}": Alchemy(session={"join_transaction_mode": mode})
        for mode in ("conditional_savepoint", "rollback_only", "control_fully", "create_savepoint")
    },
}

# What holds for the whole process


@contextmanager
def _converters(_: Path) -> Generator[None]:
    known = dict(sqlite3.converters)
    try:
        for type in ("TEXT", "INTEGER", "JSON", "TIMESTAMP", "0", "%S"):
            sqlite3.register_converter(type, refuse)
        yield
        assert set(sqlite3.converters) > set(known)
    finally:
        sqlite3.converters.clear()
        sqlite3.converters.update(known)


@contextmanager
def _adapters(_: Path) -> Generator[None]:
    known = dict(sqlite3.adapters)
    try:
        sqlite3.register_adapter(str, str.upper)
        sqlite3.register_adapter(int, lambda value: value + 1)
        yield
        assert (str, sqlite3.PrepareProtocol) in sqlite3.adapters
    finally:
        sqlite3.adapters.clear()
        sqlite3.adapters.update(known)


@contextmanager
def _replaced_connect(_: Path) -> Generator[None]:
    connect, sqlite3.connect = sqlite3.connect, refuse  # type: ignore[assignment]
    try:
        yield
    finally:
        sqlite3.connect = connect


@contextmanager
def _tracebacks(_: Path) -> Generator[None]:
    sqlite3.enable_callback_tracebacks(True)
    try:
        yield
    finally:
        sqlite3.enable_callback_tracebacks(False)


@contextmanager
def _held(file: Path) -> Generator[None]:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE theirs (number int)")
        connection.commit()
        yield


PROCESS: Final = {
    "held by locking_mode=EXCLUSIVE": _held,
    "detect_types, converters that raise": _converters,
    "adapters of str and int": _adapters,
    "sqlite3.connect is replaced": _replaced_connect,
    "callback tracebacks": _tracebacks,
}


def is_known(setting: str) -> bool:
    """Whether this Python has it: ``autocommit`` came with 3.12."""
    return not setting.startswith("autocommit") or sys.version_info >= (3, 12)
