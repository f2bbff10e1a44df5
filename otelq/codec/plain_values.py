"""Plain values of subclasses of built-in types: for example of a ``str`` that is marked as safe HTML."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, cast

_Plain = Callable[[Any], object]
# Methods of the base class, since a subclass may override them.
_PLAIN: Final[tuple[tuple[type, _Plain], ...]] = (
    (str, cast(_Plain, str.__str__)),
    (int, cast(_Plain, int.__int__)),
    (float, cast(_Plain, float.__float__)),
    (bytes, lambda value: bytes(memoryview(value))),
    (bytearray, lambda value: bytearray(memoryview(value))),
    (Decimal, lambda value: Decimal(value.as_tuple())),
    (datetime, lambda value: datetime.combine(datetime.date(value), datetime.timetz(value))),
    (date, lambda value: date(value.year, value.month, value.day)),
    (
        time,
        lambda value: time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold),
    ),
    (timedelta, lambda value: timedelta(value.days, value.seconds, value.microseconds)),
)
"""Each base with a function that gives its plain value, past the methods of a subclass; datetime before date."""
_BASES: Final = frozenset(base for base, _ in _PLAIN)


def plain_value(value: Any) -> Any:
    """Return the plain value of a value of a subclass of a built-in type; any other value as it is."""
    if type(value) in _BASES or isinstance(value, (bool, Enum)):
        return value
    for base, plain in _PLAIN:
        if isinstance(value, base):
            return plain(value)
    return value
