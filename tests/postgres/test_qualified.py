"""All that otelq sends names PostgreSQL's own functions, types and operators, whatever the ``search_path``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest

from otelq.postgres.qualify import KEYWORDS, SYNTAX, Token, TokenKind, qualify, tokens
from otelq.postgres.statements import PostgresStatements, names, read

from .test_schema import VARIANTS

QUERIES = PostgresStatements("otelq")
STATEMENTS = {
    f"{name}-{number}": QUERIES(name, **variant).text
    for name in names("sql")
    for number, variant in enumerate(VARIANTS.get(name, [{}]))
}
FILES = [*(f"sql/{name}.sql" for name in names("sql")), *(f"sql/parts/{name}.sql" for name in names("sql/parts"))]

LOOKS_UP_AN_OPERATOR = re.compile(
    r"\bIN \(|DISTINCT FROM|\bnullif\(|CASE [a-z]|\bBETWEEN\b|\bI?LIKE\b|\bJOIN\b[^()]+USING \("
)
"""Grammar that finds an operator by its bare name, and cannot be told where."""

UNNEST = {"unnest"}
"""With several arguments it is grammar, and has no schema; `test_shadows.py` finds one that is not."""

JOINS_OPERANDS = {"ALL", "ANY", "ARRAY", "COLLATE"}
"""Words in capitals that do not end an expression."""


def bare(text: str) -> list[str]:
    """What is looked up along the ``search_path``, found without the tokens that qualify it."""
    text = re.sub(r"--[^\n]*|'[^']*'|OPERATOR\(pg_catalog\.\S+\)", "", text)
    calls = {name for name in re.findall(r"(?<![.\w])([a-z_]\w*)\(", text) if name not in SYNTAX | UNNEST}
    types = {name for name in re.findall(r"::(\w+)", text) if name not in KEYWORDS | {"pg_catalog"}}
    tables = set(re.findall(r"(?<![.\w])pg_\w+(?!\w|\.)", text))
    operators = set(re.findall(r"[<>~@#%^&|?]+|(?<=\S )(?:\+|-|/)(?= )", text))
    return sorted(calls | types | tables | operators)


def crowded(found: Sequence[Token]) -> Iterator[str]:
    """The operators that share an expression with another."""
    before: dict[int, bool] = {}
    for token in found:
        if token.kind is TokenKind.OPERATOR:
            if before.get(token.depth):
                yield token.text
            before[token.depth] = True
        elif token.text == "(":
            before[token.depth + 1] = False
        elif token.text == "," or (token.kind is TokenKind.KEYWORD and token.text not in JOINS_OPERANDS):
            before[token.depth] = False


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_leaves_nothing_to_the_search_path(name: str) -> None:
    assert bare(STATEMENTS[name]) == []


@pytest.mark.parametrize("path", FILES)
def test_a_file_uses_no_grammar_that_looks_up_an_operator(path: str) -> None:
    assert LOOKS_UP_AN_OPERATOR.findall(re.sub(r"--[^\n]*", "", read(path))) == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_expression_of_a_statement_depends_on_which_operator_binds_tighter(name: str) -> None:
    plain = re.sub(r"OPERATOR\(pg_catalog\.(\S+)\)", r"\1", STATEMENTS[name])

    assert list(crowded(list(tokens(plain)))) == []


@pytest.mark.parametrize(
    "plain, qualified",
    [
        ("SELECT count(*), coalesce(a.b, 0)", "SELECT pg_catalog.count(*), coalesce(a.b, 0)"),
        ("SELECT i.*, a * -1", "SELECT i.*, a OPERATOR(pg_catalog.*) -1"),
        ("FROM unnest($1::uuid[]) AS i (a)", "FROM pg_catalog.unnest($1::pg_catalog.uuid[]) AS i (a)"),
        ("FROM unnest($1::integer[], $2::bigint[])", "FROM unnest($1::integer[], $2::bigint[])"),
        ("UPDATE t SET a = b, c = 1 WHERE d = 'x=y'", "UPDATE t SET a = b, c = 1 WHERE d OPERATOR(pg_catalog.=) 'x=y'"),
        ("SELECT a = ANY (b) -- a = b\n", "SELECT a OPERATOR(pg_catalog.=) ANY (b) -- a = b\n"),
        ('SELECT "a=b", s.f(x), x::s.t', None),
    ],
)
def test_what_belongs_to_postgresql_is_qualified_and_nothing_else(plain: str, qualified: str | None) -> None:
    assert qualify(plain) == (qualified or plain)
