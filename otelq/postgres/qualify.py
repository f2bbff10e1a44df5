"""
Qualified names of PostgreSQL's own functions, types and operators, so that no other object can replace them.

A name without a schema is looked up along the ``search_path``, which the application sets, and an overload that fits
the arguments better wins in any schema. A role that may create functions in ``public`` could have otelq run them with
otelq's rights. So the files have plain names, to be read, and the names are qualified when a file is loaded.

``OPERATOR()`` has one precedence for all operators, so an expression of two operators needs parentheses. ``IN`` and
``IS DISTINCT FROM`` look up an operator by its bare name and have no qualified form; they are not used. A test checks
both rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"""
    (?P<silent> --[^\n]* | \s+ )
    | (?P<literal> '(?:[^']|'')*' | "[^"]*" | \$\d+ | \d[\w.]* )
    | :: (?P<type> [A-Za-z_]\w* )
    | (?P<word> [A-Za-z_]\w* )
    | (?P<operator> [-+*/<>=~!@\#%^&|`?]+ )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)

SYNTAX: Final = frozenset({"coalesce", "extract", "greatest", "least"})
"""What looks like a function and is grammar."""

KEYWORDS: Final = frozenset({"bigint", "boolean", "integer", "interval", "smallint"})
"""Types that are grammar, and cannot be qualified."""

_ENDS_OF_SET: Final = frozenset({"FROM", "WHERE", "RETURNING"})


class TokenKind(Enum):
    """The kind of a token."""

    SILENT = "a comment or space"
    KEYWORD = "a word in capitals"
    OPERAND = "the end of an expression"
    CALL = "the name of a function"
    TYPE = "a cast"
    OPERATOR = "between two operands"
    SIGN = "anything else"


class Token(NamedTuple):
    """A piece of SQL, and the depth of the parentheses around it."""

    kind: TokenKind
    text: str
    depth: int


@lru_cache(maxsize=1024)
def qualify(text: str) -> str:
    """Return the SQL with ``pg_catalog.`` before every function, type and operator that has no schema."""
    return "".join(_qualified(token) for token in tokens(text))


def _qualified(token: Token) -> str:
    match token.kind:
        case TokenKind.CALL:
            return f"pg_catalog.{token.text}"
        case TokenKind.TYPE if token.text[2:] not in KEYWORDS:
            return f"::pg_catalog.{token.text[2:]}"
        case TokenKind.OPERATOR:
            return f"OPERATOR(pg_catalog.{token.text})"
        case _:
            return token.text


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of SQL as it is written here: keywords in capitals, no space between a function and ``(``."""
    reader = _Reader()
    for found in _TOKEN.finditer(text):
        yield reader.read(found)


class _Reader:
    """The state between tokens: the one before, and which ``=`` of an UPDATE assigns."""

    def __init__(self) -> None:
        self._before = Token(TokenKind.SIGN, "", 0)
        self._depth = 0
        self._sets: dict[int, bool] = {}
        """For each depth with a SET clause, whether a column is about to be assigned."""

    def read(self, found: re.Match[str]) -> Token:
        text = found[0]
        if text == ")":
            self._sets.pop(self._depth, None)
            self._depth -= 1
        token = Token(self._kind(found), text, self._depth)
        self._follow_set(token)
        if text == "(":
            self._depth += 1
        if token.kind is not TokenKind.SILENT:
            self._before = token
        return token

    def _kind(self, found: re.Match[str]) -> TokenKind:
        match found.lastgroup:
            case "silent":
                return TokenKind.SILENT
            case "literal":
                return TokenKind.OPERAND
            case "type":
                return TokenKind.OPERAND if found.string.startswith(".", found.end()) else TokenKind.TYPE
            case "word":
                return self._kind_of_word(found)
            case "operator" if self._before.kind in (TokenKind.OPERAND, TokenKind.TYPE) and not self._assigns(found[0]):
                return TokenKind.OPERATOR
            case _:
                return TokenKind.OPERAND if found[0] in ")]" else TokenKind.SIGN

    def _kind_of_word(self, found: re.Match[str]) -> TokenKind:
        word = found[0]
        if word.isupper():
            return TokenKind.KEYWORD
        is_call = found.string.startswith("(", found.end()) and self._before.text != "."
        is_syntax = word in SYNTAX or (word == "unnest" and _has_several(found.string, found.end()))
        return TokenKind.CALL if is_call and not is_syntax else TokenKind.OPERAND

    def _assigns(self, operator: str) -> bool:
        return operator == "=" and self._sets.get(self._depth, False)

    def _follow_set(self, token: Token) -> None:
        if token.kind is TokenKind.KEYWORD:
            if token.text == "SET":
                self._sets[self._depth] = True
            elif token.text in _ENDS_OF_SET:
                self._sets.pop(self._depth, None)
        elif self._depth in self._sets and token.text in ("=", ","):
            self._sets[self._depth] = token.text == ","


def _has_several(text: str, start: int) -> bool:
    """Return whether a call has several arguments; ``unnest`` with several is grammar, and PostgreSQL's own."""
    depth = 0
    for sign in re.finditer(r"[(),]", text[start:]):
        depth += {"(": 1, ")": -1, ",": 0}[sign[0]]
        if depth == 0 or (depth == 1 and sign[0] == ","):
            return depth == 1
    return False
