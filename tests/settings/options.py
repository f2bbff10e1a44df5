"""The settings of drivers of PostgreSQL, by their names in the table."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import asyncpg
from psycopg import AsyncClientCursor, AsyncConnection, AsyncCursor, AsyncRawCursor, IsolationLevel
from psycopg.rows import class_row, dict_row, namedtuple_row, scalar_row
from psycopg.types.json import JsonbDumper, set_json_dumps, set_json_loads
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, StaticPool

Prepare = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Asyncpg:
    """How an application makes its connections of asyncpg, and what it does with each."""

    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    init: Prepare | None = None
    begin: str | None = None
    """What it begins with, by hand."""


@dataclass(frozen=True, kw_only=True)
class Psycopg:
    """As of psycopg."""

    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    pool: Mapping[str, Any] = field(default_factory=dict[str, Any])
    configure: Prepare | None = None
    begin: str | None = None
    is_in_block: bool = False
    """Whether transactions are blocks of the driver."""


@dataclass(frozen=True, kw_only=True)
class Alchemy:
    """As of SQLAlchemy."""

    engine: Mapping[str, Any] = field(default_factory=dict[str, Any])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    connection: Mapping[str, Any] = field(default_factory=dict[str, Any])
    session: Mapping[str, Any] = field(default_factory=dict[str, Any])
    listen: Callable[[AsyncEngine], None] | None = None
    begins: bool = False
    """Whether it begins the transactions of sessions itself."""


# asyncpg


def _codec(*types: str, encoder: Callable[[Any], str] = str, decoder: Callable[[str], Any] = str) -> Prepare:
    async def init(connection: Any) -> None:
        for name in types:
            await connection.set_type_codec(name, encoder=encoder, decoder=decoder, schema="pg_catalog", format="text")

    return init


class OwnRecord(asyncpg.Record):
    """As manuals show it: columns as attributes."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class OwnConnection(asyncpg.Connection):
    """A connection class of the application."""


def _refuse(value: Any) -> Any:
    raise ZeroDivisionError


ASYNCPG: Final = {
    "plain": Asyncpg(),
    "jsonb codec": Asyncpg(init=_codec("json", "jsonb", encoder=json.dumps, decoder=json.loads)),
    "uuid codec": Asyncpg(init=_codec("uuid", decoder=UUID)),
    "timestamptz codec": Asyncpg(init=_codec("timestamptz", encoder=datetime.isoformat, decoder=len)),
    "numeric codec": Asyncpg(init=_codec("numeric", "float8", "int8", decoder=Decimal)),
    "bool codec that raises": Asyncpg(init=_codec("bool", decoder=_refuse)),
    "text codec": Asyncpg(init=_codec("text", decoder=str.upper)),
    "record_class": Asyncpg(arguments={"record_class": OwnRecord}),
    "connection_class": Asyncpg(arguments={"connection_class": OwnConnection}),
    "statement_cache_size=0": Asyncpg(arguments={"statement_cache_size": 0}),
    "max_cacheable_statement_size": Asyncpg(arguments={"max_cacheable_statement_size": 10}),
    "command_timeout": Asyncpg(arguments={"command_timeout": 20}),
    "max_queries=1": Asyncpg(arguments={"max_queries": 1}),
    "max_size=1": Asyncpg(arguments={"max_size": 1}),
    "max_size=3": Asyncpg(arguments={"max_size": 3}),
    "begun by hand": Asyncpg(begin="BEGIN"),
    "SERIALIZABLE": Asyncpg(begin="BEGIN ISOLATION LEVEL SERIALIZABLE"),
    "REPEATABLE READ": Asyncpg(begin="BEGIN ISOLATION LEVEL REPEATABLE READ"),
    "READ ONLY": Asyncpg(begin="BEGIN READ ONLY"),
    "none begun": Asyncpg(begin="SELECT"),
}

# psycopg


class BinaryCursor(AsyncCursor[Any]):
    """Asks for all in binary."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.format = 1  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]  # Format.BINARY


class OwnPsycopg(AsyncConnection[Any]):
    """A connection class of the application."""


@dataclass
class Loose:
    """Takes any columns."""

    def __init__(self, **columns: Any) -> None:
        self.columns = columns


def _set(**values: Any) -> Prepare:
    async def configure(connection: Any) -> None:
        for name, value in values.items():
            await getattr(connection, f"set_{name}")(value)

    return configure


async def _own_json(connection: Any) -> None:
    set_json_dumps(lambda value: json.dumps([value]), connection)
    set_json_loads(len, connection)
    connection.adapters.register_dumper(dict, JsonbDumper)


async def _own_list(connection: Any) -> None:
    connection.adapters.register_dumper(list, JsonbDumper)


PSYCOPG: Final = {
    "plain": Psycopg(),
    "dict_row": Psycopg(arguments={"row_factory": dict_row}),
    "namedtuple_row": Psycopg(arguments={"row_factory": namedtuple_row}),
    "class_row": Psycopg(arguments={"row_factory": class_row(Loose)}),
    "scalar_row": Psycopg(arguments={"row_factory": scalar_row}),
    "client cursor": Psycopg(arguments={"cursor_factory": AsyncClientCursor}),
    "raw cursor": Psycopg(arguments={"cursor_factory": AsyncRawCursor}),
    "binary cursor": Psycopg(arguments={"cursor_factory": BinaryCursor}),
    "connection_class": Psycopg(pool={"connection_class": OwnPsycopg}),
    "prepare_threshold=None": Psycopg(arguments={"prepare_threshold": None}),
    "prepare_threshold=0": Psycopg(arguments={"prepare_threshold": 0}),
    "autocommit": Psycopg(arguments={"autocommit": True}),
    "autocommit, in a block": Psycopg(arguments={"autocommit": True}, is_in_block=True),
    "autocommit, begun by hand": Psycopg(arguments={"autocommit": True}, begin="BEGIN"),
    "in a block": Psycopg(is_in_block=True),
    "SERIALIZABLE": Psycopg(configure=_set(isolation_level=IsolationLevel.SERIALIZABLE)),
    "REPEATABLE READ": Psycopg(configure=_set(isolation_level=IsolationLevel.REPEATABLE_READ)),
    "deferrable": Psycopg(configure=_set(deferrable=True)),
    "read_only": Psycopg(configure=_set(read_only=True)),
    "json dumps and loads": Psycopg(configure=_own_json),
    "dumper of lists": Psycopg(configure=_own_list),
    "max_size=1": Psycopg(pool={"max_size": 1}),
    "max_size=3": Psycopg(pool={"max_size": 3}),
    "check": Psycopg(pool={"check": None}),
}

# SQLAlchemy


def _run_on_connect(statement: str) -> Callable[[AsyncEngine], None]:
    def listen(engine: AsyncEngine) -> None:
        @event.listens_for(engine.sync_engine, "connect")
        def prepare(connection: Any, _: object) -> None:
            cursor = connection.cursor()
            cursor.execute(statement)
            cursor.close()
            connection.commit()

    return listen


def add_comments(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def add(_: Any, __: Any, statement: str, parameters: Any, *___: object) -> tuple[str, Any]:
        return f"{statement} /* application */", parameters


_LEVELS: Final = ("SERIALIZABLE", "REPEATABLE READ", "AUTOCOMMIT")
_READ_ONLY: Final = {"postgresql_readonly": True}

ALCHEMY: Final = {
    "plain": Alchemy(),
    **{f"{level} of the engine": Alchemy(engine={"isolation_level": level}) for level in _LEVELS},
    **{f"{level} by options": Alchemy(options={"isolation_level": level}) for level in _LEVELS},
    **{f"{level} of the connection": Alchemy(connection={"isolation_level": level}) for level in _LEVELS},
    "postgresql_readonly of the connection": Alchemy(connection=_READ_ONLY),
    "postgresql_readonly by options": Alchemy(options=_READ_ONLY),
    "read-only by a listener": Alchemy(listen=_run_on_connect("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")),
    "SERIALIZABLE by a listener": Alchemy(
        listen=_run_on_connect("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE")
    ),
    "READ COMMITTED by options": Alchemy(options={"isolation_level": "READ COMMITTED"}),
    "comments by a listener": Alchemy(listen=add_comments),
    "stream_results": Alchemy(options={"stream_results": True}),
    "yield_per": Alchemy(options={"yield_per": 1}),
    "schema_translate_map": Alchemy(options={"schema_translate_map": {None: "elsewhere", "otelq": "elsewhere"}}),
    "no_parameters": Alchemy(options={"no_parameters": True}),
    "autobegin=False": Alchemy(session={"autobegin": False}, begins=True),
    "autobegin=False, none begun": Alchemy(session={"autobegin": False}),
    "twophase": Alchemy(session={"twophase": True}),
    "postgresql_deferrable": Alchemy(options={"postgresql_deferrable": True}),
    "NullPool": Alchemy(engine={"poolclass": NullPool}),
    "StaticPool": Alchemy(engine={"poolclass": StaticPool}),
    "pool_size=1": Alchemy(engine={"pool_size": 1, "max_overflow": 0}),
    "pool_size=3": Alchemy(engine={"pool_size": 3, "max_overflow": 0}),
    "pool_pre_ping": Alchemy(engine={"pool_pre_ping": True}),
    "pool_recycle": Alchemy(engine={"pool_recycle": 0}),
    "pool_use_lifo": Alchemy(engine={"poolclass": AsyncAdaptedQueuePool, "pool_use_lifo": True}),
    "pool_reset_on_return=None": Alchemy(engine={"pool_reset_on_return": None}),
    "json_serializer": Alchemy(engine={"json_serializer": _refuse, "json_deserializer": _refuse}),
    "echo": Alchemy(engine={"echo": True, "hide_parameters": True}),
    "insertmanyvalues": Alchemy(engine={"use_insertmanyvalues": False}),
    "logging_token": Alchemy(options={"logging_token": "application"}),
    "compiled_cache=None": Alchemy(options={"compiled_cache": None}),
    "query_cache_size=0": Alchemy(engine={"query_cache_size": 0}),
    "SET on connect": Alchemy(listen=_run_on_connect("SET TimeZone = 'Pacific/Apia'")),
    "prepared_statement_cache_size=0": Alchemy(engine={"connect_args": {"prepared_statement_cache_size": 0}}),
    "statement_cache_size=0": Alchemy(engine={"connect_args": {"statement_cache_size": 0}}),
    "prepare_threshold=None": Alchemy(engine={"connect_args": {"prepare_threshold": None}}),
    "prepare_threshold=0": Alchemy(engine={"connect_args": {"prepare_threshold": 0}}),
    "use_native_hstore": Alchemy(engine={"use_native_hstore": False}),
    "expire_on_commit=False": Alchemy(session={"expire_on_commit": False}),
    "expire_on_commit": Alchemy(session={"expire_on_commit": True}),
    "autoflush=False": Alchemy(session={"autoflush": False}),
    "future": Alchemy(engine={"future": True}, session={"future": True}),
    **{
        f"join_transaction_mode={mode}": Alchemy(session={"join_transaction_mode": mode})
        for mode in ("conditional_savepoint", "rollback_only", "control_fully", "create_savepoint")
    },
}
