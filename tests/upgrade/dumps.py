"""Tables and rows as SQL text, one row on a line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import asyncpg

from otelq.postgres import dump

from .application import LEDGER

TABLES: Final = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace IN ('otelq'::regnamespace, 'public'::regnamespace)
    AND relname NOT IN ('migration', 'cycle_check')
ORDER BY relnamespace, relname
"""
"""The tables that the migrations leave to be filled."""


async def dump_postgres(url: str) -> str:
    """Return the migrations, and what was stored since."""
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        parts = [await _inserts(connection, table) for (table,) in await connection.fetch(TABLES)]
    finally:
        await connection.close()
    return "\n".join([dump(), f"{LEDGER};\n", *parts])


async def _inserts(connection: Any, table: str) -> str:
    names = await connection.fetch(
        "SELECT attname::text FROM pg_attribute"
        " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        table,
    )
    columns = [name for (name,) in names]
    # The migrations store blocker rows at negative positions, for the planner.
    stored = f"SELECT * FROM {table}" + (" WHERE position >= 0" if table == "otelq.blocker" else "")
    values = ", ".join(f"quote_nullable({column}::text)" for column in columns)
    rows = await connection.fetch(f"SELECT concat_ws(', ', {values}) FROM ({stored}) AS t ORDER BY t::text")
    if not rows:
        return ""
    lines = ",\n".join(f"({row})" for (row,) in rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES\n{lines};\n"


def dump_sqlite(file: Path) -> str:
    """Return everything in the file."""
    with closing(sqlite3.connect(file)) as connection:
        return "\n".join(connection.iterdump()) + "\n"
