"""Overloads in ``public`` of what the statements use of PostgreSQL, made by a role that may do no more than that."""

from __future__ import annotations

import re
from itertools import product
from typing import Any, Final

from otelq.postgres.qualify import TokenKind, tokens
from otelq.postgres.statements import PostgresStatements, names, read

TYPES: Final = ("uuid", "integer", "bigint", "text", "boolean", "timestamptz", "double precision", "jsonb", "interval")
"""What the statements compute with."""

_ANY: Final = {"any", "anyelement", "anynonarray", "anycompatible"}
_ANY_ARRAY: Final = {"anyarray", "anycompatiblearray"}
_BODY: Final = "LANGUAGE plpgsql AS $$BEGIN PERFORM pg_catalog.nextval('public.shadowed'); RAISE 'shadowed'; END$$"

_FUNCTIONS: Final = """\
SELECT proname::text, ARRAY(SELECT pg_catalog.format_type(a, NULL) FROM unnest(proargtypes) AS a)
FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ($1::text[])
    AND prorettype <> 'trigger'::regtype AND NOT 'internal'::regtype = ANY (proargtypes)
"""


def used() -> tuple[set[str], set[str]]:
    """The functions and the operators that stand in the statements."""
    fill = PostgresStatements("x").fill
    texts = [fill(read(f"sql/{name}.sql")) for name in names("sql")]
    texts += [fill(read(f"sql/parts/{name}.sql")) for name in names("sql/parts")]
    found = [token for text in texts for token in tokens(re.sub(r"{\w+}", "x", text))]
    functions = {token.text for token in found if token.kind is TokenKind.CALL} | {"unnest", "statement_timestamp"}
    return functions, {token.text for token in found if token.kind is TokenKind.OPERATOR}


async def cast_shadows(connection: Any) -> int:
    """Make the overloads on a connection of the intruder; return how many there are."""
    functions, operators = used()
    rows = await connection.fetch(_FUNCTIONS, sorted(functions))
    made = {f"public.{name}({', '.join(args)})" for name, given in rows for args in _concrete(given)}
    await connection.execute("CREATE SEQUENCE public.shadowed; GRANT ALL ON SEQUENCE public.shadowed TO PUBLIC")
    for signature in sorted(made):
        await connection.execute(f"CREATE FUNCTION {signature} RETURNS integer {_BODY}")
    pairs = [*product(TYPES, TYPES), *((f"{type}[]", f"{type}[]") for type in TYPES)]
    for left, right in pairs:
        await connection.execute(f"CREATE FUNCTION public.shadow({left}, {right}) RETURNS boolean {_BODY}")
        for operator in operators:
            await connection.execute(
                f"CREATE OPERATOR public.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = public.shadow)"
            )
    return len(made) + len(pairs) * len(operators)


def _concrete(args: list[str]) -> set[tuple[str, ...]]:
    """The signatures that fit better than a polymorphic one."""
    if not {*args} & (_ANY | _ANY_ARRAY) and '"any"' not in args:
        return {tuple(args)}
    return {tuple(_with(arg, type) for arg in args) for type in TYPES} | {
        (*(_with(arg, first) for arg in args[:-1]), _with(args[-1], last)) for first in TYPES for last in TYPES
    }


def _with(arg: str, type: str) -> str:
    bare = arg.strip('"')
    return type if bare in _ANY else f"{type}[]" if bare in _ANY_ARRAY else arg
