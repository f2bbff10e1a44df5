"""Why a value does not fit, in bounded words that do not repeat the value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast, get_args

import msgspec

from ..texts import MESSAGE, storable

LONGEST = 500
"""How many characters of a validator's words are kept."""
SHORTEST_SECRET = 4
"""Shorter values are left where they stand: ``1`` and ``is`` are in every sentence."""


class TypeMismatch(ValueError):
    """A value does not fit its type; the text says why without showing the value."""


def words_of(error: Exception, *, data: bytes) -> str:
    """
    The first line of what a validator said about ``data``, without the values that it quotes.

    A validator that writes a value in another form than the payload has, such as a date spelt out, is not seen
    through.
    """
    text = str(error)
    return storable(
        text if isinstance(error, TypeMismatch) else without_values(text.split("\n", 1)[0], data=data), longest=LONGEST
    )


def without_values(text: str, *, data: bytes) -> str:
    """
    Return the text with every value of the JSON document that occurs in it blotted out; names of fields stay.

    A text too long to be looked through is not shown at all: its beginning could end within a value.
    """
    if len(text) > MESSAGE:
        return f"a message of {len(text):,} characters"
    try:
        values = {leaf for leaf in _leaves(_document(data)) if len(leaf) >= SHORTEST_SECRET and leaf in text}
    except (ValueError, RecursionError):  # no validator was asked about what cannot be parsed
        return text
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "…")
    return text


def _document(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return json.loads(data, parse_int=str, parse_float=str)  # pydantic takes numbers that msgspec does not


def name_of(kind: Any) -> str:
    """A type as messages name it."""
    return kind.__qualname__ if isinstance(kind, type) and not get_args(kind) else str(kind)


def _leaves(document: object) -> Iterator[str]:
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(cast(dict[str, object], item).values())
        elif isinstance(item, list):
            waiting.extend(cast(list[object], item))
        elif isinstance(item, str):
            yield from item.split("\n")  # of a message only the first line is kept
        elif item is not None and not isinstance(item, bool):
            yield str(item)
