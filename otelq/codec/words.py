"""Why a value does not fit, in bounded words that do not repeat the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast, get_args

import msgspec

from ..texts import storable

LONGEST = 500
"""How many characters of a validator's words are kept."""
SHORTEST_SECRET = 4
"""Shorter values are left where they stand: ``1`` and ``is`` are in every sentence."""


class Misfit(ValueError):
    """A value does not fit its type; the text says why without showing the value."""


def words_of(error: Exception, *, data: bytes) -> str:
    """
    The first line of what a validator said about ``data``, without the values that it quotes.

    A validator that writes a value in another form than the payload has, such as a date spelt out, is not seen
    through.
    """
    text = str(error)
    return storable(
        text if isinstance(error, Misfit) else without_values(text.split("\n", 1)[0], data=data), longest=LONGEST
    )


def without_values(text: str, *, data: bytes) -> str:
    """The text with every value of the JSON document that occurs in it blotted out; names of fields stay."""
    try:
        values = {leaf for leaf in _leaves(msgspec.json.decode(data)) if len(leaf) >= SHORTEST_SECRET and leaf in text}
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "…")
    return text


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
        elif item is not None and not isinstance(item, bool):
            yield str(item)
