"""Owners of the schema, who can have their own code run with the rights of a client that writes in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NoReturn

from ..errors import OtelqError
from ..logs import Log
from .database import PostgresSession

TABLES: Final = (
    "attempt", "blocker", "cycle_check", "dedup_key", "job", "jobs", "leader", "migration", "open_job", "outcome",
    "pending_unblock", "worker",
)  # fmt: skip

logger = Log("otelq.postgres")


async def refuse_foreign_owners(session: PostgresSession) -> None:
    """
    Check that the current role may be trusted with the schema: that no other owns a part of it.

    Raises:
        OtelqError: something in it belongs to a role that the current one is not in.
    """
    for row in await _foreign_owners(session):
        _refuse(session.queries.schema, row)


async def warn_of_foreign_owners(session: PostgresSession) -> None:
    """
    Warn of roles that could gain the rights of the current one.

    An application with rights in the schema of another role trusts its owner. A superuser does so by mistake.
    """
    found = await _foreign_owners(session)
    trusted = {row["owner"] for row in found if row["what"] == "schema" and not row["is_superuser"]}
    for row in found:
        if row["owner"] not in trusted:
            logger.warning(
                "a %s of the otelq schema %r belongs to %r, whose triggers run with the rights of %r",
                row["what"],
                session.queries.schema,
                row["owner"],
                row["me"],
            )


async def _foreign_owners(session: PostgresSession) -> Sequence[Any]:
    return await session.rows("find_owners", session.queries.schema, TABLES)


def _refuse(schema: str, row: Any) -> NoReturn:
    what = "it" if row["what"] == "schema" else f"a {row['what']} in it"
    raise OtelqError(
        f"the otelq schema {schema!r} cannot be migrated by {row['me']!r}: {what} belongs to {row['owner']!r}, a role "
        f"that it is not in; run `otelq migrate` as {row['owner']!r}"
    )
