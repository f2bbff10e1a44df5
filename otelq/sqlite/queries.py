"""The SQL of the adapter: one statement a file, named by its verb, with the schema's name filled in."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from ..errors import InvalidArgument

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")
_PART = re.compile(r"\{(?!schema\})([a-z_]+)\}")


class Queries:
    """The texts of all statements for one schema, whose name stands before each table's."""

    def __init__(self, schema: str) -> None:
        if not _NAME.fullmatch(schema) or schema.startswith("sqlite_"):
            raise InvalidArgument("schema", f"is {schema!r}; give up to 48 of a-z, 0-9 and _, not a digit first")
        self.schema = schema
        self.texts = {name: named(text, schema) for name, text in templates("sql").items()}


def named(template: str, schema: str) -> str:
    """The template for one schema, with the parts that it names put in; the template itself quotes the names."""
    filled = template
    while found := _PART.search(filled):
        filled = filled.replace(found[0], templates("sql/parts")[found[1]].rstrip("\n"))
    return filled.replace("{schema}", schema)


@cache
def templates(folder: str) -> dict[str, str]:
    """The files of a folder of this package by name, in order of name."""
    entries = sorted((files(__name__.rpartition(".")[0]) / folder).iterdir(), key=lambda entry: entry.name)
    return {
        entry.name.removesuffix(".sql"): entry.read_text("utf-8") for entry in entries if entry.name.endswith(".sql")
    }
