"""Parameters for statements, past the adapters that the application registered."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final, TypeAlias

Value: TypeAlias = str | int | None

_KEYS: Final = ((str, sqlite3.PrepareProtocol), (int, sqlite3.PrepareProtocol))


class _Text(str):
    __slots__ = ()


class _Number(int):
    __slots__ = ()


def unadapted(values: Mapping[str, Value]) -> Mapping[str, Value]:
    """
    Return values that reach SQLite as they are.

    ``sqlite3.register_adapter`` works for all connections of the process, for exactly one type each. A subclass is
    bound like its base, but costs a copy, so it is used only if there is an adapter.
    """
    if not any(key in sqlite3.adapters for key in _KEYS):
        return values
    return {name: _hidden(value) for name, value in values.items()}


def _hidden(value: Value) -> Value:
    if isinstance(value, str):
        return _Text(value)
    return value if value is None else _Number(value)
