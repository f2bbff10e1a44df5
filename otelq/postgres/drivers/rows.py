"""Rows and parameters of drivers that need a hand with them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, cast


class Row:
    """One row: by name, or in the order of the columns."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: dict[str, int], values: Sequence[Any]) -> None:
        self._names = names
        self._values = [in_utc(value) for value in values]

    def __getitem__(self, key: Any) -> Any:
        return self._values[self._names[key] if isinstance(key, str) else key]

    def __len__(self) -> int:
        return len(self._values)


def rows(names: Sequence[str], found: Sequence[Sequence[Any]]) -> list[Row]:
    """The rows of a result with these columns."""
    indexes = {name: index for index, name in enumerate(names)}
    return [Row(indexes, values) for values in found]


def in_utc(value: Any) -> Any:
    """Some drivers give times in the zone of the connection."""
    match value:
        case datetime():
            return value.astimezone(UTC)
        case list():
            return [in_utc(each) for each in cast(Any, value)]
        case _:
            return value


def plain(value: object) -> Any:
    """
    A parameter as psycopg sends it best.

    It takes tuples for composites, the text of an enum for its name, and refuses arrays of whole and broken numbers.
    """
    match value:
        case str():
            return str(value)
        case bytes() | None:
            return value
        case Collection():
            return _array([plain(each) for each in cast("Collection[object]", value)])
        case _:
            return value


def _array(values: list[Any]) -> list[Any]:
    kinds: set[type] = {type(value) for value in values}
    if float in kinds and int in kinds:
        return [float(value) if type(value) is int else value for value in values]
    return values
