"""Rows and parameters for drivers whose own do not fit the port."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, cast


class Row:
    """One row, readable by name and by index."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: dict[str, int], values: Sequence[Any]) -> None:
        self._names = names
        self._values = [in_utc(value) for value in values]

    def __getitem__(self, key: Any) -> Any:
        return self._values[self._names[key] if isinstance(key, str) else key]

    def __len__(self) -> int:
        return len(self._values)


def rows(names: Sequence[str], found: Sequence[Sequence[Any]]) -> list[Row]:
    """Build the rows of a result with these columns."""
    indexes = {name: index for index, name in enumerate(names)}
    return [Row(indexes, values) for values in found]


def in_utc(value: Any) -> Any:
    """Return a value with its times in UTC; some drivers give them in the zone of the connection."""
    match value:
        case datetime():
            return value.astimezone(UTC)
        case list():
            return [in_utc(each) for each in cast(Any, value)]
        case _:
            return value


def plain(value: object) -> Any:
    """
    Return a parameter as a plain value that psycopg sends without a surprise.

    psycopg sends tuples as composites and enums by name, and refuses arrays that mix int and float.
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
