"""The triggers, and the table that they write into."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from otelq.client import Client
from otelq.errors import InvalidArgument

TABLES: Final = ("job", "open_job", "outcome", "attempt", "blocker", "dedup_key", "pending_unblock")
"""The audited tables of otelq."""

_SQL: Final = files(__name__.rpartition(".")[0]) / "sql"
_IDENTIFIER: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_NOW: Final = "(CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) + 1) * 1000"
"""In microseconds, but known to the millisecond only: that which ends next, so that nothing was written after it."""
_OPERATIONS: Final = (("INSERT", "NULL", "NEW"), ("UPDATE", "OLD", "NEW"), ("DELETE", "OLD", "NULL"))


async def install(client: Client, schema: str = "otelq", *, also: Sequence[str] = ()) -> None:
    """
    Record every change of every row from now on, in a table ``audit`` of the schema (SQLite: with its prefix).

    What was recorded before is forgotten. A change that is rolled back leaves no record. On PostgreSQL the triggers
    run with the rights of the user that installs them: workers need none on the table. ``TRUNCATE`` is not seen.

    Args:
        client: an open client of asyncpg or aiosqlite, whose user may create tables and triggers.
        schema: as given to ``connect``.
        also: names of tables of the application, found as its own queries find them.

    Raises:
        InvalidArgument: a name that is no plain identifier in small letters, or another kind of client.
    """
    await _run(client, schema, also, (_postgres_install, _sqlite_install))


async def uninstall(client: Client, schema: str = "otelq", *, also: Sequence[str] = ()) -> None:
    """Remove the triggers and all that they recorded; arguments as for ``install``."""
    await _run(client, schema, also, (_postgres_uninstall, _sqlite_uninstall))


_Step = Callable[[Any, str, Sequence[str]], Awaitable[None]]


async def _run(client: Client, schema: str, also: Sequence[str], steps: tuple[_Step, _Step]) -> None:
    check_names(schema, also)
    on_postgres, on_sqlite = steps
    async with client.transaction() as connection:
        await (on_sqlite if is_sqlite(connection) else on_postgres)(connection, schema, also)


def check_names(schema: str, also: Sequence[str] = ()) -> None:
    """Raise unless the names can be written in a statement as they are."""
    for argument, name in (("schema", schema), *(("also", name) for name in also)):
        if not _IDENTIFIER.fullmatch(name):
            raise InvalidArgument(argument, f"is {name!r}; give a plain identifier in small letters")


def is_sqlite(connection: object) -> bool:
    """Return True for a connection of aiosqlite, False for one of asyncpg, by the driver's own methods."""
    if hasattr(connection, "execute_fetchall"):
        return True
    if hasattr(connection, "fetch"):
        return False
    raise InvalidArgument(
        "client", f"works with {type(connection).__qualname__}; give one of asyncpg or aiosqlite, as from a URL"
    )


async def _postgres_install(connection: Any, schema: str, also: Sequence[str]) -> None:
    await _postgres_uninstall(connection, schema, also)
    await connection.execute(_text("postgres").replace("{schema}", f'"{schema}"'))
    for table, target in _postgres_targets(schema, also):
        await connection.execute(
            f"CREATE TRIGGER otelq_audit AFTER INSERT OR UPDATE OR DELETE ON {target}"
            f" FOR EACH ROW EXECUTE FUNCTION \"{schema}\".record_change('{table}')"
        )


async def _postgres_uninstall(connection: Any, schema: str, also: Sequence[str]) -> None:
    for _, target in _postgres_targets(schema, also):
        await connection.execute(f"DROP TRIGGER IF EXISTS otelq_audit ON {target}")
    await connection.execute(
        f'DROP FUNCTION IF EXISTS "{schema}".record_change(); DROP TABLE IF EXISTS "{schema}".audit'
    )


def _postgres_targets(schema: str, also: Sequence[str]) -> list[tuple[str, str]]:
    return [(table, f'"{schema}"."{table}"') for table in TABLES] + [(table, f'"{table}"') for table in also]


async def _sqlite_install(connection: Any, schema: str, also: Sequence[str]) -> None:
    await _sqlite_uninstall(connection, schema, also)
    await connection.execute(_text("sqlite").replace("{schema}", schema))
    for table, target in _sqlite_targets(schema, also):
        found = await connection.execute_fetchall(f'SELECT name FROM pragma_table_info("{target}") ORDER BY cid')
        columns = [name for (name,) in found]
        for operation, old, new in _OPERATIONS:
            await connection.execute(
                f'CREATE TRIGGER "{_trigger(schema, target, operation)}" AFTER {operation} ON "{target}" BEGIN'
                f' INSERT INTO "{schema}_audit" (at, name, op, old, new) VALUES'
                f" ({_NOW}, '{table}', '{operation}',"
                f" {_as_object(old, columns)}, {_as_object(new, columns)}); END"
            )


async def _sqlite_uninstall(connection: Any, schema: str, also: Sequence[str]) -> None:
    for _, target in _sqlite_targets(schema, also):
        for operation, _, _ in _OPERATIONS:
            await connection.execute(f'DROP TRIGGER IF EXISTS "{_trigger(schema, target, operation)}"')
    await connection.execute(f'DROP TABLE IF EXISTS "{schema}_audit"')


def _sqlite_targets(schema: str, also: Sequence[str]) -> list[tuple[str, str]]:
    return [(table, f"{schema}_{table}") for table in TABLES] + [(table, table) for table in also]


def _trigger(schema: str, target: str, operation: str) -> str:
    return f"{schema}_audit_{target}_{operation.lower()}"


def _as_object(row: str, columns: Sequence[str]) -> str:
    if row == "NULL":
        return row
    pairs = ", ".join(f"'{name}', {row}.\"{name}\"" for name in columns)
    return f"json_object({pairs})"


@cache
def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text("utf-8")
