"""Checks of arguments, made before anything is written."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

from ..errors import InvalidArgument
from ..retry_policy import LONGEST_DELAY

LONGEST_NAME = 200
LARGEST_PRIORITY = 100


def check_seconds(argument: str, value: object, *, lowest: float = 0.0) -> float:
    """Return a number of seconds from ``lowest`` to ten years; refuse anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidArgument(argument, f"is {value!r}; give seconds as a number")
    if not lowest <= value <= LONGEST_DELAY:  # also false for NaN
        raise InvalidArgument(argument, f"is {_repr(value)}; give seconds from {lowest:g} to {LONGEST_DELAY:g}")
    return float(value)


def check_count(argument: str, value: object, *, highest: float = inf) -> int:
    """Return a whole number from 1 to ``highest``; refuse anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        upper = "or more" if highest == inf else f"to {highest:g}"
        raise InvalidArgument(argument, f"is {value!r}; give a whole number, 1 {upper}")
    return int(value)


def check_when(delay: float | None, at: datetime | None) -> tuple[float | None, datetime | None]:
    """Return the due time, in seconds or in UTC; refuse one that is given twice, out of range or without a zone."""
    if at is None:
        return (None if delay is None else check_seconds("delay", delay)), None
    if delay is not None:
        raise InvalidArgument("at", "is given together with delay; give one of them")
    return None, check_time("at", at)


def check_time(argument: str, time: object) -> datetime:
    """
    Return the same instant in UTC, as a plain ``datetime``; refuse a time without a zone.

    otelq compares and stores instants: Python compares two local times of one zone by the clock on the wall, which is
    wrong in the hour that occurs twice (PEP 495).
    """
    if not isinstance(time, datetime):
        raise InvalidArgument(argument, f"is {time!r}; give a datetime with a time zone, as datetime.now(UTC)")
    try:
        if time.utcoffset() is None:
            raise InvalidArgument(argument, f"is {time!r}, which has no time zone; add one, as in datetime.now(UTC)")
        utc = time.astimezone(UTC)
        return datetime.combine(utc.date(), utc.time(), UTC)
    except InvalidArgument:
        raise
    except Exception as error:  # the zone is the caller's own code
        raise InvalidArgument(argument, f"is {_repr(time)}, which is no time in UTC") from error


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return f"a {type(value).__qualname__}"


def check_priority(priority: object) -> int | None:
    """
    Refuse a priority that is no integer from -100 to 100.

    A claim looks once at each priority in use, so their number is bounded.
    """
    if priority is None:
        return None
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > LARGEST_PRIORITY:
        raise InvalidArgument("priority", f"is {priority!r}; give an integer from -100 to 100, lower runs first")
    return int(priority)
