"""Arithmetic of time: how long to wait before the next attempt. Pure; randomness comes in as an argument."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from .errors import InvalidArgument

LONGEST = 10 * 365 * 86400.0
"""No delay is longer than ten years of seconds; what is asked beyond that is a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """
    How often and how late a failed attempt is repeated.

    The delay before attempt ``n + 1`` is ``initial * factor ** (n - 1)`` seconds, at most ``max``, then spread evenly
    over plus or minus ``jitter`` of itself so that jobs that failed together do not return together.

    Args:
        max_attempts: how many attempts a job has, the first one included; None for no limit.
        initial: seconds before the second attempt, 0 or more.
        factor: by what each further delay grows, 1 or more.
        max: the longest delay in seconds.
        jitter: the share of the delay that is random, 0 to 1.

    Raises:
        InvalidArgument: a value is out of its range.
    """

    max_attempts: int | None = 10
    initial: float = 1.0
    factor: float = 2.0
    max: float = 600.0
    jitter: float = 0.25

    def __post_init__(self) -> None:
        if self.max_attempts is not None and not (_is_number(self.max_attempts, int) and self.max_attempts >= 1):
            raise InvalidArgument("max_attempts", f"is {self.max_attempts!r}; give 1 or more, or None for no limit")
        for name, lowest, highest in (
            ("initial", 0, LONGEST),
            ("factor", 1, LONGEST),
            ("max", 0, LONGEST),
            ("jitter", 0, 1),
        ):
            value = getattr(self, name)
            if not (_is_number(value, (int, float)) and isfinite(value) and lowest <= value <= highest):
                raise InvalidArgument(name, f"is {value!r}; give a number from {lowest} to {highest:g}")

    def delay(self, attempt: int, *, spread: float) -> float:
        """Seconds between the failure of ``attempt`` (1 first) and the next; ``spread`` is random in 0..1."""
        if self.initial == 0:
            return 0.0
        grown = min(self.initial * _power(self.factor, attempt - 1), self.max)
        return grown * (1 + self.jitter * (2 * spread - 1))

    def is_spent(self, attempt: int) -> bool:
        """Whether ``attempt`` was the last one."""
        return self.max_attempts is not None and attempt >= self.max_attempts


def _is_number(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _power(factor: float, exponent: int) -> float:
    try:
        return float(factor) ** exponent
    except OverflowError:
        return float("inf")
