"""Migration of the schema: numbered files, applied once each, under the write lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from ..errors import OtelqError
from .connection_thread import Settings, begin_immediate, retry_while_locked
from .errors import translating
from .parameters import unadapted
from .rows import now_micros
from .statements import SqliteStatements, fill, load_templates

_LEDGER = """
CREATE TABLE IF NOT EXISTS "{schema}_migration" (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;
"""


def migrate(connection: sqlite3.Connection, settings: Settings, statements: SqliteStatements) -> None:
    """Apply the missing files. Of two processes that start together, one applies them."""
    schema = statements.schema
    with translating(f"cannot migrate {settings.path}"):
        if _found(connection, settings, schema) >= _newest():
            return
        # The version is read again under the lock: another process may have migrated meanwhile.
        begin_immediate(connection, settings)
        try:
            _apply(connection, schema)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def check(connection: sqlite3.Connection, settings: Settings, statements: SqliteStatements) -> None:
    """
    Check that this code fits the schema; one version newer is accepted.

    Raises:
        OtelqError: it is missing, too old or too new.
    """
    with translating(f"cannot read {settings.path}"):
        version = _found(connection, settings, statements.schema)
    if version < _newest():
        raise missing(settings, version)
    if version > _newest() + 1:
        raise OtelqError(f"{settings.path}: the schema is at version {version}, this otelq knows {_newest()}")


def missing(settings: Settings, version: int = 0) -> OtelqError:
    """Return the error for a file whose schema is missing or too old."""
    found = f"is at version {version}" if version else "is missing"
    return OtelqError(f"{settings.path}: the schema {found}, {_newest()} is needed; run `otelq migrate`")


def dump(schema: str = "otelq") -> str:
    """Return the whole schema as a script for ``sqlite3``, to be applied by hand to a new database."""
    schema = SqliteStatements(schema).schema
    parts = ["BEGIN IMMEDIATE;", fill(_LEDGER, schema).strip()]
    for version, name, text in _files():
        parts.append(fill(text, schema).strip())
        parts.append(
            f'INSERT INTO "{schema}_migration" (version, name, applied_at)\n'
            f"VALUES ({version}, '{name}', unixepoch('now') * 1000000);"
        )
    return "\n\n".join([*parts, "COMMIT;"]) + "\n"


def _apply(connection: sqlite3.Connection, schema: str) -> None:
    connection.execute(fill(_LEDGER, schema))
    applied = _version(connection, schema)
    users = _added_by_users(connection, schema)
    for version, name, text in _files():
        if version <= applied:
            continue
        for statement in _split(fill(text, schema)):
            connection.execute(statement)
        connection.execute(
            f'INSERT INTO "{schema}_migration" (version, name, applied_at) VALUES (:version, :name, :at)',
            unadapted({"version": version, "name": name, "at": now_micros()}),
        )
    left = _added_by_users(connection, schema)
    # A table that a migration copies loses them with the old one.
    for name in users.keys() - left.keys():
        connection.execute(users[name])


def _added_by_users(connection: sqlite3.Connection, schema: str) -> dict[str, str]:
    """Return indexes and triggers that users added to our tables, by name. A table that is copied loses them."""
    return dict(
        connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
            " AND substr(tbl_name, 1, length(:prefix)) = :prefix AND substr(name, 1, length(:prefix)) <> :prefix",
            unadapted({"prefix": f"{schema}_"}),
        )
    )


def _found(connection: sqlite3.Connection, settings: Settings, schema: str) -> int:
    """Return the version of the schema, as soon as no connection locks readers out."""
    return retry_while_locked(lambda: _version(connection, schema), timeout=settings.busy_timeout)[0]


def _version(connection: sqlite3.Connection, schema: str) -> int:
    """Return the newest version applied; 0 for none."""
    name = unadapted({"name": f"{schema}_migration"})
    known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = :name", name).fetchone()
    if known is None:
        return 0
    version: int = connection.execute(f'SELECT coalesce(max(version), 0) FROM "{schema}_migration"').fetchone()[0]
    return version


def _files() -> Iterator[tuple[int, str, str]]:
    for name, text in load_templates("migrations").items():
        yield int(name.partition("_")[0]), name, text


def _newest() -> int:
    return max(version for version, _, _ in _files())


def _split(script: str) -> Iterator[str]:
    """Yield the statements of a script, one by one."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
