"""The tables that a run has beside otelq's, and the statements on them through ``client.transaction()``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final

from otelq.client import Client
from otelq.errors import InvalidArgument

from .. import drivers

HISTORY: Final = "otelq_torture_history"
ORDERS: Final = "otelq_torture_order"
LEDGER: Final = "otelq_torture_ledger"

PATIENCE: Final = 5.0
"""Seconds for a statement of the application; a half-open connection would never answer."""

# No unique index anywhere: what is written twice must be seen twice.
_CREATE: Final = (
    f"CREATE TABLE {HISTORY} (worker text, kind text, chain_id text, position integer, token bigint, number integer, "
    "detail text)",
    f"CREATE TABLE {ORDERS} (chain_id text)",
    # What the check of I13 reads. Jobs of the types named quick- write nothing in completion(), so that they take the
    # fast path; there the row that should be is taken from the outcome.
    f"""
    CREATE VIEW {LEDGER} AS
    SELECT h.chain_id, h.position, h.token FROM {HISTORY} AS h
    WHERE h.kind = 'effect' AND EXISTS (SELECT 1 FROM {{job}} AS j WHERE CAST(j.chain_id AS text) = h.chain_id)
    UNION ALL
    SELECT CAST(o.chain_id AS text), o.position, o.token FROM {{outcome}} AS o
    WHERE o.verb IN ('complete', 'continue') AND o.type LIKE 'quick-%'
    """,
)
_MAY_CREATE: Final = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
_DROP: Final = (f"DROP VIEW IF EXISTS {LEDGER}", f"DROP TABLE IF EXISTS {ORDERS}", f"DROP TABLE IF EXISTS {HISTORY}")


async def create(client: Client, schema: str) -> None:
    """
    Create the tables, after dropping those of a run that was killed.

    Raises:
        InvalidArgument: the role may not, as in a database of others since PostgreSQL 15.
    """
    async with client.transaction() as connection:
        if not drivers.is_sqlite(connection) and await drivers.rows(connection, _MAY_CREATE) != [(True,)]:
            raise InvalidArgument(
                "url", "names a role that may not create tables; let it: GRANT CREATE ON SCHEMA public"
            )
    await drop(client, schema)
    async with client.transaction() as connection:
        for statement in _CREATE:
            await execute(connection, statement, schema=schema)


async def drop(client: Client, schema: str) -> None:
    """Drop the tables."""
    async with client.transaction() as connection:
        for statement in _DROP:
            await execute(connection, statement, schema=schema)


async def execute(connection: Any, statement: str, *values: object, schema: str = "") -> None:
    """Run a statement with ``?`` for its values; ``{job}`` and its like stand for otelq's tables."""
    if drivers.is_sqlite(connection):
        await drivers.execute(connection, named(statement, schema, is_sqlite=True), *values)
    else:
        async with asyncio.timeout(PATIENCE):
            await drivers.execute(connection, named(statement, schema, is_sqlite=False), *values)


async def rows(connection: Any, query: str, *values: object, schema: str = "") -> Sequence[tuple[Any, ...]]:
    """Return the rows of a query, written as for ``execute``."""
    is_sqlite = drivers.is_sqlite(connection)
    return await drivers.rows(connection, named(query, schema, is_sqlite=is_sqlite), *values)


def named(statement: str, schema: str, *, is_sqlite: bool) -> str:
    """Return the statement with the names of otelq's tables in it."""
    return re.sub(r"\{(\w+)\}", rf"{schema}_\1" if is_sqlite else rf'"{schema}".\1', statement)
