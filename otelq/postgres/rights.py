"""The rights that a worker's role lacks, as the SQL that grants them."""

from __future__ import annotations

from collections.abc import Awaitable
from itertools import groupby
from typing import Any, TypeVar

from ..errors import Forbidden, OtelqError
from .database import PostgresDatabase, PostgresSession

T = TypeVar("T")


async def naming_grants(verb: Awaitable[T], database: PostgresDatabase) -> T:
    """Return the result of a worker's verb; where its role may not run it, raise with the SQL that allows it."""
    try:
        return await verb
    except Forbidden as error:
        raise Forbidden(await with_grants(str(error), database)) from error.__cause__


async def with_grants(text: str, database: PostgresDatabase) -> str:
    """Return the text of an error, followed by the SQL that gives the current role the rights of a worker."""
    try:
        grants = await database.run(_missing, again=True)
    except OtelqError:
        return text
    return f"{text}; a worker needs: {grants}" if grants else text


async def _missing(session: PostgresSession) -> str:
    rows = await session.rows("find_missing_rights", session.queries.schema)
    # Privileges that are missing on the same tables share one statement: mostly two of them do.
    groups = [list(group) for _, group in groupby(rows, key=_objects)]
    return "; ".join(
        f"GRANT {', '.join(row['privilege'] for row in some)} ON {_objects(some[0])} TO {some[0]['role']}"
        for some in groups
    )


def _objects(row: Any) -> str:
    if row["privilege"] == "USAGE":
        return f"SCHEMA {row['schema']}"
    if row["privilege"] == "SELECT" and row["is_all"]:
        return f"ALL TABLES IN SCHEMA {row['schema']}"
    return ", ".join(f"{row['schema']}.{table}" for table in row["tables"])
