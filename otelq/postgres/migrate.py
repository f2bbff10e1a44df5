"""Migrations of the schema: numbered steps, each applied once, under an advisory lock."""

from __future__ import annotations

import re
from typing import Final

from ..errors import OtelqError
from .database import PostgresDatabase, PostgresSession
from .qualify import qualify
from .schema_owner import refuse_foreign_owners, warn_of_foreign_owners
from .statements import PostgresStatements, names, read

LATEST = len(names("migrations"))
"""The version of the schema that this code was written for."""

OLDEST = 5
"""The oldest version that this code runs on. Code runs on newer schemas: migrate first, then replace the workers."""

# The lock is for the transaction, not the session: behind a pooler, a session lock could stay with the server's
# connection for ever. The search_path makes what the steps create depend on PostgreSQL's own functions only.
_LOCK = """\
SET LOCAL search_path = pg_catalog, pg_temp;
SELECT pg_advisory_xact_lock(hashtextextended('otelq migration of {schema}', 0));
"""
_LEDGER = """\
-- IF NOT EXISTS would ask for the right to create schemas also where there is one.
DO $$ BEGIN IF to_regnamespace('{schema}') IS NULL THEN CREATE SCHEMA {schema}; END IF; END $$;
CREATE TABLE IF NOT EXISTS {schema}.migration (
    version    integer     NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT statement_timestamp()
);
"""
_PARTS: Final = re.compile(r"--[^\n]*|/\*.*?\*/|'[^']*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|;", re.DOTALL)
_RECORD = "INSERT INTO {schema}.migration (version, name) VALUES ({version}, '{name}');\n"


async def migrate(database: PostgresDatabase) -> None:
    """Apply the missing steps. Of several processes at once, one does so, and the others wait for it."""
    # Nearly always the schema is up to date, and the lock is not needed.
    if await database.run(version, again=True) < LATEST:
        await database.run(_apply, atomic=True)
    await database.run(warn_of_foreign_owners, again=True)


async def _apply(session: PostgresSession) -> None:
    await _run(session, _LOCK)
    # Before any statement: a trigger of another owner would run with the rights of this role.
    await refuse_foreign_owners(session)
    await _run(session, _LEDGER)
    # Read again under the lock: another process may have applied the steps meanwhile.
    applied = await version(session)
    for number, name in _steps():
        if number > applied:
            await _run(session, _step(session.queries, number, name))


async def version(session: PostgresSession) -> int:
    """Return the version of the schema in the database; 0 if there is none."""
    fill, connection = session.queries.fill, session.connection
    ledger = qualify("SELECT to_regclass($1::text) IS NOT NULL AS is_there")
    [(is_there,)] = await connection.fetch(ledger, (fill("{schema}.migration"),), timeout=None)
    if not is_there:
        return 0
    applied = qualify(fill("SELECT coalesce(max(version), 0) AS applied FROM {schema}.migration"))
    [(number,)] = await connection.fetch(applied, (), timeout=None)
    return int(number)


async def check(database: PostgresDatabase) -> None:
    """
    Check that the schema can be used as it is.

    Raises:
        OtelqError: it is missing or too old.
    """
    schema, found = database.queries.schema, await database.run(version, again=True)
    if found == 0:
        raise OtelqError(f"there is no otelq schema {schema!r} in this database; run `otelq migrate`")
    if found < OLDEST:
        raise OtelqError(
            f"the otelq schema {schema!r} has version {found}, this code needs {OLDEST}; run `otelq migrate`"
        )
    await database.run(warn_of_foreign_owners, again=True)


async def _run(session: PostgresSession, script: str) -> None:
    """Run a script statement by statement, as not every driver takes several at once, and without a deadline."""
    for statement in split(session.queries.fill(script)):
        await session.connection.fetch(statement, (), timeout=None)


def split(script: str) -> list[str]:
    """Split a script into statements; a semicolon within quotes or a comment ends none."""
    ends = [part.end() for part in _PARTS.finditer(script) if part[0] == ";"]
    return [script[start : end - 1].strip() for start, end in zip([0, *ends], ends, strict=False)]


def dump(schema: str = "otelq", *, after: int = 0) -> str:
    """Return the migrations after a version as one script for ``psql``."""
    queries = PostgresStatements(schema)
    steps = "\n".join(_step(queries, number, name) for number, name in _steps() if number > after)
    return f"BEGIN;\n{queries.fill(_LOCK)}{queries.fill(_LEDGER)}\n{steps}COMMIT;\n"


def _steps() -> list[tuple[int, str]]:
    return [(int(name.partition("_")[0]), name) for name in names("migrations")]


def _step(queries: PostgresStatements, number: int, name: str) -> str:
    record = queries.fill(_RECORD, version=str(number), name=name)
    return queries.fill(read(f"migrations/{name}.sql")) + "\n" + record
