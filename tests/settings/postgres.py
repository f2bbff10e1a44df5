"""Applications on PostgreSQL, each with one setting of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, cast

import asyncpg
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from ..postgres.drivers import engine_for
from .alchemy import UNSTREAMED, AlchemyApplication
from .options import ALCHEMY, ASYNCPG, PSYCOPG, Alchemy, Asyncpg, Psycopg
from .use import Application, Handles

ROOM: Final = 4
STATE: Final = """
    SELECT concat_ws(e'\\n',
        (SELECT string_agg(name || ' = ' || setting || ' by ' || source, e'\\n' ORDER BY name)
         FROM pg_catalog.pg_settings
         WHERE name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable')),
        (SELECT string_agg('listens to ' || channel, e'\\n') FROM pg_catalog.pg_listening_channels() AS channel),
        (SELECT string_agg('holds ' || locktype, e'\\n') FROM pg_catalog.pg_locks
         WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'advisory'),
        (SELECT string_agg('has ' || relname, e'\\n') FROM pg_catalog.pg_class
         WHERE relnamespace = pg_catalog.pg_my_temp_schema())
    )
"""
"""All that a session has set and holds, as one text."""


@asynccontextmanager
async def application(driver: str, setting: str, url: str) -> AsyncGenerator[Application]:
    """Make an application that reaches a database by a driver, with a setting; or with a parameter of the server."""
    name, mark, value = setting.partition(" = ")
    parameters = {name: value} if mark else {}
    chosen = "plain" if mark else setting
    match driver.split("-"):
        case ["url"]:
            made: AbstractAsyncContextManager[Application] = _by_url(url, parameters)
        case ["asyncpg", kind]:
            options = ASYNCPG[chosen]
            made = (_asyncpg_pool if kind == "pool" else _asyncpg_connection)(url, options, parameters)
        case ["psycopg", kind]:
            made = (_psycopg_pool if kind == "pool" else _psycopg_connection)(url, PSYCOPG[chosen], parameters)
        case ["sqlalchemy", dialect]:
            made = _sqlalchemy(url, dialect, ALCHEMY[chosen], parameters)
        case _:
            raise ValueError(driver)
    async with made as application:
        yield application


class ByUrl:
    """An application without connections of its own, whose database or role has a parameter set."""

    session = None
    handles: Handles = ()

    def __init__(self, url: str) -> None:
        self.target: Any = url

    async def facts(self) -> list[set[str]]:
        return []


@asynccontextmanager
async def _by_url(url: str, parameters: dict[str, str]) -> AsyncGenerator[ByUrl]:
    connection = await asyncpg.connect(url)
    database = await connection.fetchval("SELECT current_database()")
    try:
        for name, value in parameters.items():
            # A list, as of search_path, would be one odd name if it was quoted as a whole.
            await connection.execute(f"ALTER DATABASE {database} SET {name} = {_listed(value)}")
        yield ByUrl(url)
    finally:
        await connection.execute(f"ALTER DATABASE {database} RESET ALL")
        await connection.close()


def _listed(value: str) -> str:
    return ", ".join(f"'{one.strip()}'" for one in value.split(","))


# asyncpg


class AsyncpgApplication:
    """An application with a pool of asyncpg, or with one connection."""

    session = None

    def __init__(self, pool: Any, connection: Any, options: Asyncpg) -> None:
        self.target: Any = pool
        self._connection = connection
        self._options = options
        self.handles: Handles = [self._transaction]

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[Any]:
        async with self._borrowed() as connection:
            if self._options.begin is None:
                async with connection.transaction():
                    yield connection
                return
            await connection.execute(self._options.begin)
            try:
                yield connection
            except BaseException:
                await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")

    @asynccontextmanager
    async def _borrowed(self) -> AsyncGenerator[Any]:
        if self.target is None:
            yield self._connection
            return
        async with self.target.acquire() as connection:
            yield connection

    async def facts(self) -> list[set[str]]:
        if self.target is None:
            return [await _facts_of_asyncpg(self._connection)]
        async with AsyncExitStack() as stack:
            held = [await stack.enter_async_context(self.target.acquire())]
            while self.target.get_idle_size():
                held.append(await stack.enter_async_context(self.target.acquire()))
            return [await _facts_of_asyncpg(each) for each in held]


async def _facts_of_asyncpg(connection: Any) -> set[str]:
    raw = getattr(connection, "_con", connection)
    await asyncio.sleep(0)  # what is said on a connection is heard in the next turn of the loop
    samples = "'{}'::jsonb AS a, '{}'::json AS b, now() AS c, 1.5::numeric AS d, gen_random_uuid() AS e, 7::int8 AS f"
    with suppress(Exception):  # a codec of the application may refuse all
        row = await raw.fetchrow(f"SELECT {samples}")
        kinds = [type(row), *map(type, row.values())]
        state = str(await raw.fetchval(STATE))
        prepared = 0 if raw._stmt_cache.get_max_size() else len(raw._stmt_cache)
        heard = [raw._query_loggers, raw._termination_listeners, raw._log_listeners, raw._listeners]
        own = [type(raw), type(raw._protocol), raw.is_in_transaction(), *map(len, heard), prepared]
        return {str(kinds), str(own), *state.splitlines()}
    return {"no value passes"}


@asynccontextmanager
async def _asyncpg_pool(url: str, options: Asyncpg, parameters: dict[str, str]) -> AsyncGenerator[Application]:
    arguments: dict[str, Any] = {"min_size": 0, "max_size": ROOM, **options.arguments}
    arguments["server_settings"] = {**arguments.get("server_settings", {}), **parameters}
    async with asyncpg.create_pool(url, init=cast(Any, options.init), **arguments) as pool:
        yield AsyncpgApplication(pool, None, options)


@asynccontextmanager
async def _asyncpg_connection(url: str, options: Asyncpg, parameters: dict[str, str]) -> AsyncGenerator[Application]:
    connection = await asyncpg.connect(url, server_settings=parameters, **options.arguments)
    if options.init is not None:
        await options.init(connection)
    try:
        yield AsyncpgApplication(None, connection, options)
    finally:
        await connection.close()


# psycopg


class PsycopgApplication:
    """An application with a pool of psycopg, or with one connection."""

    session = None

    def __init__(self, pool: Any, connection: Any, options: Psycopg) -> None:
        self.target: Any = pool
        self._connection = connection
        self._options = options
        self.handles: Handles = [self._transaction]

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[Any]:
        async with self._borrowed() as connection:
            if self._options.begin is not None:
                await connection.execute(self._options.begin)
            if self._options.is_in_block:
                async with connection.transaction():
                    yield connection
                return
            try:
                yield connection
            except BaseException:
                await connection.rollback()
                raise
            await connection.commit()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncGenerator[Any]:
        if self.target is None:
            yield self._connection
            return
        async with self.target.connection() as connection:
            yield connection

    async def facts(self) -> list[set[str]]:
        if self.target is None:
            return [await _facts_of_psycopg(self._connection)]
        async with AsyncExitStack() as stack:
            held = [await stack.enter_async_context(self.target.connection())]
            while self.target.get_stats()["pool_available"]:
                held.append(await stack.enter_async_context(self.target.connection()))
            return [await _facts_of_psycopg(each) for each in held]


async def _facts_of_psycopg(connection: AsyncConnection[Any]) -> set[str]:
    status = connection.info.transaction_status
    own = [
        type(connection), status, connection.autocommit, connection.isolation_level, connection.read_only,
        connection.deferrable, connection.row_factory, connection.cursor_factory, connection.prepare_threshold,
        connection.prepared_max, len(connection._notice_handlers), len(connection._notify_handlers),
    ]  # fmt: skip
    if connection.prepare_threshold is None:
        own.append(len(connection._prepared._names))
    async with AsyncRawCursor(connection, row_factory=tuple_row) as cursor:
        await cursor.execute(STATE.encode())
        [(state,)] = await cursor.fetchall()
    if not connection.autocommit:
        await connection.rollback()
    return {str(own), *str(state).splitlines()}


def _psycopg_arguments(options: Psycopg, parameters: dict[str, str]) -> dict[str, Any]:
    given = " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in parameters.items())
    return {**options.arguments, **({"options": given} if given else {})}


@asynccontextmanager
async def _psycopg_pool(url: str, options: Psycopg, parameters: dict[str, str]) -> AsyncGenerator[Application]:
    arguments = _psycopg_arguments(options, parameters)
    usual: dict[str, Any] = {"min_size": 0, "max_size": ROOM, "open": False, **options.pool}
    pool = AsyncConnectionPool(url, kwargs=arguments, configure=options.configure, **usual)
    async with pool:
        yield PsycopgApplication(pool, None, options)


@asynccontextmanager
async def _psycopg_connection(url: str, options: Psycopg, parameters: dict[str, str]) -> AsyncGenerator[Application]:
    async with await AsyncConnection.connect(url, **_psycopg_arguments(options, parameters)) as connection:
        if options.configure is not None:
            await options.configure(connection)
        yield PsycopgApplication(None, connection, options)


# SQLAlchemy


async def _facts_of_sqlalchemy(connection: Any) -> set[str]:
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection if hasattr(raw.driver_connection, "pgconn") else raw.dbapi_connection
    own = [
        raw.dbapi_connection.autocommit, getattr(driver, "readonly", None),
        getattr(driver, "row_factory", None), connection.sync_connection.default_isolation_level,
        {**connection.sync_connection.get_execution_options(), "schema_translate_map": None},
        await connection.get_isolation_level(),
    ]  # fmt: skip
    state = (await connection.exec_driver_sql(STATE, execution_options=UNSTREAMED)).scalar_one()
    return {str(own), *str(state).splitlines()}


@asynccontextmanager
async def _sqlalchemy(
    url: str, dialect: str, options: Alchemy, parameters: dict[str, str]
) -> AsyncGenerator[Application]:
    arguments = dict(options.engine)
    given: dict[str, Any] = dict(arguments.pop("connect_args", {}))
    if parameters and dialect == "asyncpg":
        given["server_settings"] = parameters
    elif parameters:
        given |= _psycopg_arguments(PSYCOPG["plain"], parameters)
    engine = engine_for(url, dialect, connect_args=given, **arguments)
    if options.listen is not None:
        options.listen(engine)
    try:
        yield AlchemyApplication(engine.execution_options(**options.options), options, _facts_of_sqlalchemy)
    finally:
        await engine.dispose()
