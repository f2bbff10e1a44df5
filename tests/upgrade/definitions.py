"""The definitions of a schema, to compare two."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import asyncpg

ON_SQLITE = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name <> 'ledger' ORDER BY 1, 2"
ON_POSTGRES = """
WITH ours AS (SELECT c.* FROM pg_class AS c WHERE c.relnamespace = 'otelq'::regnamespace)
SELECT relname, relkind::text, reloptions::text, '' FROM ours
UNION ALL
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) || a.attnotnull || a.attcollation::regcollation,
    coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM ours AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
UNION ALL
SELECT c.relname, k.conname, pg_get_constraintdef(k.oid), ''
FROM ours AS c
JOIN pg_constraint AS k ON k.conrelid = c.oid
UNION ALL
SELECT relname, 'index', pg_get_indexdef(oid), '' FROM ours WHERE relkind = 'i'
UNION ALL
SELECT relname, 'view', pg_get_viewdef(oid), '' FROM ours WHERE relkind = 'v'
ORDER BY 1, 2, 3, 4
"""


async def definitions(url: str) -> list[tuple[Any, ...]]:
    """Return all tables, columns, constraints, indexes and views of otelq."""
    return _on_sqlite(url) if url.startswith("sqlite") else await _on_postgres(url)


def _on_sqlite(url: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return connection.execute(ON_SQLITE).fetchall()


async def _on_postgres(url: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(ON_POSTGRES)]
    finally:
        await connection.close()
