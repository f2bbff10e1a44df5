"""Values of subclasses of built-in types, such as a string that is safe HTML, as the plain values that they hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, cast

_Plain = Callable[[Any], object]
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
"""Each base with what gives its plain value, past the methods of a subclass; a datetime is looked for before a date."""
_BASES: Final = frozenset(base for base, _ in _PLAIN)


def plain_of(value: Any) -> Any:
    """The plain value that a value of a subclass of a built-in type holds; any other value as it is."""
    if type(value) in _BASES or isinstance(value, (bool, Enum)):
        return value
    for base, plain in _PLAIN:
        if isinstance(value, base):
            return plain(value)
    return value
