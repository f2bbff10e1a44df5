"""
The SQL statements: one file each in ``sql/``, named by its verb.

The files share some forms, which keep plans the same from an empty table to one with millions of rows:

- A batch is passed as arrays, and ``n`` is the index of an item.
- A lateral subquery with ``OFFSET 0``, or with a lock, is never merged into a join: each item is one look-up by key.
- An UPDATE or DELETE has ``= ANY (ARRAY(SELECT ...))`` beside its join, for the same reason.
- ``MATERIALIZED`` makes a part run once, before the parts that read it; so rows are locked before they are changed.
- All parts of a statement share one snapshot, and none sees the writes of another. Work that must see them, or what
  another transaction committed while a lock was waited for, is a statement of its own.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from textwrap import indent
from typing import NamedTuple

from ..errors import InvalidArgument
from .qualify import qualify

NOW = "(SELECT coalesce($1::timestamptz, statement_timestamp()))"
"""
The time of a statement; tests set it by the first parameter.

``now()`` would be the start of the transaction: in one that is a second old, a job delayed by a second would be due at
once. As a query of its own the value is unknown to the planner, as are the arrays of a claim. Otherwise a plan for the
given values looks better than a general one, and the server plans each claim anew, which takes longer than the claim.
"""

_PACKAGE = __name__.rpartition(".")[0]
_LONGEST_NAME = 48
_PART = re.compile(r"(?m)^( +)\{(next_priority)\}$")
"""A part without tokens of its own; parts with tokens are passed as tokens."""


def quote(name: str) -> str:
    """
    Return the schema's name as SQL.

    Raises:
        InvalidArgument: the name is not a short word of letters, digits and underscores.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or len(name) > _LONGEST_NAME:
        raise InvalidArgument(
            "schema",
            f"is {name!r}; take up to {_LONGEST_NAME} letters, digits and underscores, not beginning with a digit",
        )
    if name.lower().startswith("pg_"):
        raise InvalidArgument("schema", f"is {name!r}; names that begin with pg_ belong to PostgreSQL")
    return f'"{name}"'


class Statement(NamedTuple):
    """A statement, and whether it takes the clock as its first parameter."""

    text: str
    is_timed: bool


class PostgresStatements:
    """The statements for one schema, each read once."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self._quoted = quote(schema)
        self._statements: dict[tuple[str, ...], Statement] = {}

    def __call__(self, name: str, **tokens: str) -> Statement:
        """Return the statement in ``sql/<name>.sql``, with texts in place of its tokens."""
        key = name, *tokens.values()
        statement = self._statements.get(key)
        if statement is None:
            text = _with_parts(read(f"sql/{name}.sql"))
            statement = Statement(qualify(self.fill(text, now=NOW, **tokens)), "{now}" in text)
            self._statements[key] = statement
        return statement

    def fill(self, text: str, **tokens: str) -> str:
        """Replace ``{schema}`` by the schema's name, and each ``{token}`` by its text."""
        for token, meaning in {"schema": self._quoted, **tokens}.items():
            text = text.replace(f"{{{token}}}", meaning)
        return text


def _with_parts(text: str) -> str:
    """Insert the parts that several statements share: a file of ``sql/parts`` for its name on a line."""
    return _PART.sub(lambda found: indent(read(f"sql/parts/{found[2]}.sql").rstrip(), found[1]), text)


@cache
def read(path: str) -> str:
    """Read a file of this package."""
    return resources.files(_PACKAGE).joinpath(path).read_text(encoding="utf-8")


def names(folder: str) -> list[str]:
    """List the SQL files in a folder of this package, in order, without their suffix."""
    files = resources.files(_PACKAGE).joinpath(folder).iterdir()
    return sorted(file.name.removesuffix(".sql") for file in files if file.name.endswith(".sql"))
