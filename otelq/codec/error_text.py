"""Error texts of validators, bounded and without the values that they quote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast, get_args

import msgspec

from ..texts import LONGEST_MESSAGE, storable

LONGEST = 500
"""How many characters of a validator's message are kept."""
SHORTEST_SECRET = 4
"""Shorter values are not redacted: ``1`` and ``is`` are in every sentence."""


class TypeMismatch(ValueError):
    """A value does not fit its type; the text says why without showing the value."""


def describe(error: Exception, *, data: bytes) -> str:
    """
    Return the first line of a validator's message about ``data``, without the values that it quotes.

    A value that the validator writes in another form than the payload, such as a date spelt out, is not found.
    """
    text = str(error)
    return storable(
        text if isinstance(error, TypeMismatch) else redact_values(text.split("\n", 1)[0], data=data), longest=LONGEST
    )


def redact_values(text: str, *, data: bytes) -> str:
    """
    Return the text with every value of the JSON document replaced by an ellipsis; names of fields stay.

    A text that is too long to be searched is not shown at all: a cut could fall within a value.
    """
    if len(text) > LONGEST_MESSAGE:
        return f"a message of {len(text):,} characters"
    try:
        values = {leaf for leaf in _leaves(_document(data)) if len(leaf) >= SHORTEST_SECRET and leaf in text}
    except (
        ValueError,
        RecursionError,
    ):  # JSON that cannot be parsed reached no validator, so the text quotes none of its values
        return text
    for value in sorted(values, key=len, reverse=True):  # a value may contain a shorter one
        text = text.replace(value, "…")
    return text


def _document(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return json.loads(data, parse_int=str, parse_float=str)  # pydantic takes numbers that msgspec does not


def type_name(kind: Any) -> str:
    """Return the name of a type for messages."""
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
            yield from item.split("\n")  # only the first line of a message is kept
        elif item is not None and not isinstance(item, bool):
            yield str(item)
