"""The SQL of the adapter: one statement a file, named by its verb, with the schema filled in."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files

from ..errors import InvalidArgument

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")
_COMMENT = re.compile(r"\A(?:--[^\n]*\n)+")
_PART = re.compile(r"\{(?!schema\})([a-z_]+)\}")


class SqliteStatements:
    """The texts of all statements for one schema, whose name is the prefix of each table."""

    def __init__(self, schema: str) -> None:
        if not _NAME.fullmatch(schema) or schema.startswith("sqlite_"):
            raise InvalidArgument("schema", f"is {schema!r}; give up to 48 of a-z, 0-9 and _, not a digit first")
        self.schema = schema
        self.texts = {name: fill(text, schema) for name, text in load_templates("sql").items()}

    def text(self, name: str, **tokens: str) -> str:
        """Return the statement of this name. With tokens it is built from parts; tokens are parts that have no file."""
        return fill(f"{{{name}}}", self.schema, **tokens) if tokens else self.texts[name]


@lru_cache(maxsize=512)
def fill(template: str, schema: str, **tokens: str) -> str:
    """Return the template for one schema, with its parts filled in. The template itself quotes the names."""
    filled = template
    while found := _PART.search(filled):
        part = tokens.get(found[1]) or _uncommented(load_templates("sql/parts")[found[1]])
        filled = filled.replace(found[0], part)
    return filled.replace("{schema}", schema)


def _uncommented(part: str) -> str:
    """Return a part without the comment on top of its file, which would end up inside of statements."""
    return _COMMENT.sub("", part).rstrip("\n")


@cache
def load_templates(folder: str) -> dict[str, str]:
    """Return the files of a folder of this package by name, in order of name."""
    entries = sorted((files(__name__.rpartition(".")[0]) / folder).iterdir(), key=lambda entry: entry.name)
    return {
        entry.name.removesuffix(".sql"): entry.read_text("utf-8") for entry in entries if entry.name.endswith(".sql")
    }
