"""What a handler raises to decide what becomes of its job, rather than to report an error."""

from __future__ import annotations

from ..errors import InvalidArgument
from .checks import check_seconds


class RetryAfter(Exception):  # raised to decide, not to report
    """Raised by a handler: this attempt failed; run the job again after ``delay`` seconds, if attempts are left."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self.delay = check_seconds("delay", delay)


class Snooze(Exception):
    """Raised by a handler: run the job again after ``delay`` seconds; no attempt is spent."""

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self.delay = check_seconds("delay", delay)


class Fail(Exception):
    """Raised by a handler: the job ends failed, whatever attempts are left."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        if not isinstance(reason, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("reason", f"is {reason!r}; give text")
        self.reason = reason
