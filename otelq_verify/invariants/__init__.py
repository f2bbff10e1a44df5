"""
The invariants, checked on the tables themselves: they must hold after any run, however it was interrupted.

Each check is a file in ``sql/checks``, written once for all databases over relations that ``sql/postgres.sql`` and
``sql/sqlite.sql`` name. A check that finds nothing is passed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from otelq.client import Client
from otelq.connect import connect
from otelq.errors import InvalidArgument

MOST: Final = 100
"""The most violations that one check reports."""

_SQL: Final = files(__name__) / "sql"
_IDENTIFIER: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?")


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """A job for which an invariant does not hold. ``invariant`` is its number, as in ``"I4"``."""

    invariant: str
    check: str
    chain_id: str
    position: int
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.check}: {self.chain_id}.{self.position}: {self.detail}"


async def violations(target: object, schema: str = "otelq", *, ledger: str | None = None) -> list[Violation]:
    """
    Return the rows that break the invariants I1 to I5, I7 to I9 and I13; an empty list if none does.

    Each check is one statement, so it holds also while workers are at work. It reads whole tables: for tests, and
    for databases of that size.

    Args:
        target: a URL, an open client, or an open connection of asyncpg or aiosqlite.
        schema: as given to ``connect``.
        ledger: for I13, a table of the application with the columns ``chain_id`` (text), ``position`` and ``token``,
            into which every handler writes exactly one row in ``completion()``.

    Raises:
        InvalidArgument: a name that is no plain identifier, or a target that is none of these.
    """
    for argument, name in (("schema", schema), ("ledger", ledger or "ledger")):
        if not _IDENTIFIER.fullmatch(name):
            raise InvalidArgument(argument, f"is {name!r}; give a plain identifier in small letters")
    if isinstance(target, str):
        async with connect(target, schema=schema, migrate=False) as client:
            return await violations(client, schema, ledger=ledger)
    if isinstance(target, Client):
        async with target.transaction() as connection:
            return await violations(connection, schema, ledger=ledger)
    found: list[Violation] = []
    for name, check in checks().items():
        if ledger is not None or "{ledger}" not in check:
            found += await _run(target, name, schema=schema, ledger=ledger)
    return sorted(found)


@cache
def checks() -> Mapping[str, str]:
    """Return the checks by name (``i4_no_gaps``), each a query for violations."""
    folder = _SQL / "checks"
    texts = {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".sql")}
    return {name.removesuffix(".sql"): text for name, text in sorted(texts.items())}


async def _run(connection: object, check: str, *, schema: str, ledger: str | None) -> list[Violation]:
    invariant, _, name = check.partition("_")
    rows = await _fetch(connection, checks()[check], schema=schema, ledger=ledger)
    return [
        Violation(invariant.upper(), name.replace("_", " "), chain_id, position, detail)
        for chain_id, position, detail in rows
    ]


async def _fetch(connection: Any, check: str, *, schema: str, ledger: str | None) -> list[tuple[str, int, str]]:
    """Send the query by the driver's own method; the method also shows the dialect."""
    if hasattr(connection, "execute_fetchall"):
        rows = await connection.execute_fetchall(_query("sqlite", check, schema, ledger))
    elif hasattr(connection, "fetch"):
        rows = await connection.fetch(_query("postgres", check, f'"{schema}"', ledger))
    else:
        raise InvalidArgument(
            "target", f"is {type(connection).__qualname__}; give a URL, a client, or an asyncpg or aiosqlite connection"
        )
    return [tuple(row) for row in rows]


def _query(dialect: str, check: str, schema: str, ledger: str | None) -> str:
    asked = _text(dialect) + _text("derived") + _ANSWER.replace("{check}", check)
    return asked.replace("{schema}", schema).replace("{ledger}", ledger or "")


_ANSWER: Final = f"""
SELECT CAST(chain_id AS text), position, detail
FROM (
{{check}}) AS found
ORDER BY 1, 2, 3
LIMIT {MOST}
"""


@cache
def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text("utf-8")
