"""The schema, brought up to date step by step under a lock that other processes respect."""

from __future__ import annotations

from typing import Any

from ..errors import OtelqError
from .queries import Queries, names, read

LATEST = len(names("migrations"))
"""The version of the schema that this code was written for."""

OLDEST = 1
"""The oldest version that this code runs on. Code runs on the schema one step before its own, and one step after."""

_LOCK = """\
SELECT pg_advisory_xact_lock(hashtextextended('otelq migration of {schema}', 0));
"""
_LEDGER = """\
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.migration (
    version    integer     NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT statement_timestamp()
);
"""
_RECORD = "INSERT INTO {schema}.migration (version, name) VALUES ({version}, '{name}');\n"


async def migrate(connection: Any, queries: Queries) -> None:
    """Apply what is missing. Several processes may do so at once; one works, the others wait and find it done."""
    if await version(connection, queries) >= LATEST:
        return
    async with connection.transaction(isolation="read_committed"):
        await connection.execute(queries.fill(_LOCK))
        await connection.execute(queries.fill(_LEDGER))
        applied = await version(connection, queries)
        for number, name in _steps():
            if number > applied:
                await connection.execute(_step(queries, number, name))


async def version(connection: Any, queries: Queries) -> int:
    """The version of the schema in the database; 0 if there is none."""
    if await connection.fetchval("SELECT to_regclass($1)::text", queries.fill("{schema}.migration")) is None:
        return 0
    applied: int = await connection.fetchval(queries.fill("SELECT coalesce(max(version), 0) FROM {schema}.migration"))
    return applied


async def check(connection: Any, queries: Queries) -> None:
    """
    See that the schema can be used as it is.

    Raises:
        OtelqError: it is missing or too old.
    """
    found = await version(connection, queries)
    if found == 0:
        raise OtelqError(f"there is no otelq schema {queries.schema!r} in this database; run `otelq migrate`")
    if found < OLDEST:
        raise OtelqError(
            f"the otelq schema {queries.schema!r} has version {found}, this code needs {OLDEST}; run `otelq migrate`"
        )


def dump(schema: str = "otelq", *, after: int = 0) -> str:
    """All migrations after a version as one script for ``psql``, for those who apply their SQL themselves."""
    queries = Queries(schema)
    steps = "\n".join(_step(queries, number, name) for number, name in _steps() if number > after)
    return f"BEGIN;\n{queries.fill(_LOCK)}{queries.fill(_LEDGER)}\n{steps}COMMIT;\n"


def _steps() -> list[tuple[int, str]]:
    return [(int(name.partition("_")[0]), name) for name in names("migrations")]


def _step(queries: Queries, number: int, name: str) -> str:
    record = queries.fill(_RECORD, version=str(number), name=name)
    return queries.fill(read(f"migrations/{name}.sql")) + "\n" + record
