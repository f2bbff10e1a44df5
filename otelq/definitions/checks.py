"""Checks of what callers give, made before anything is written."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf, isfinite

from ..errors import InvalidArgument
from ..schedule import LONGEST

LONGEST_NAME = 200


def check_seconds(argument: str, value: object, *, lowest: float = 0.0) -> float:
    """Refuse what is no finite number of seconds from ``lowest`` to ten years."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidArgument(argument, f"is {value!r}; give seconds as a number")
    if not (isfinite(value) and lowest <= value <= LONGEST):
        raise InvalidArgument(argument, f"is {value!r}; give seconds from {lowest:g} to {LONGEST:g}")
    return float(value)


def check_count(argument: str, value: object, *, highest: float = inf) -> int:
    """Refuse what is no whole number from 1 to ``highest``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        upper = "or more" if highest == inf else f"to {highest:g}"
        raise InvalidArgument(argument, f"is {value!r}; give a whole number, 1 {upper}")
    return value


def check_when(delay: float | None, at: datetime | None) -> None:
    """Refuse a due time that is given twice, negative, too far off, or without a zone."""
    if delay is not None:
        check_seconds("delay", delay)
    if at is None:
        return
    if delay is not None:
        raise InvalidArgument("at", "is given together with delay; give one of them")
    if not isinstance(at, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("at", f"is {at!r}; give a datetime with a time zone")
    if at.utcoffset() is None:
        raise InvalidArgument("at", f"is {at!r}, which has no time zone; add one, as in datetime.now(UTC)")
    try:
        at.astimezone(UTC)
    except OverflowError:
        raise InvalidArgument("at", f"is {at!r}, which is no time in UTC") from None


def check_priority(priority: object) -> int | None:
    """Refuse a priority that is no integer of 16 bits."""
    if priority is None:
        return None
    if isinstance(priority, bool) or not isinstance(priority, int) or not -32768 <= priority <= 32767:
        raise InvalidArgument("priority", f"is {priority!r}; give an integer from -32768 to 32767, lower runs first")
    return priority
