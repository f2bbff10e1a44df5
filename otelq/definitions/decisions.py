"""
What a handler raises to decide what becomes of its job, rather than to report an error.

A decision that is alone in an exception group, as when one task of an ``asyncio.TaskGroup`` raised it, counts as if it
had been raised by itself. A group that holds several decisions, or a decision beside an error, is an ordinary failure.
"""

from __future__ import annotations

from typing import Any

from ..errors import InvalidArgument
from .blockers import AllOf, AnyOf, read_blockers
from .chain import Chain
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


class WaitFor(Exception):
    """
    Raised by a handler: run the job again, from the top, when these chains have closed; no attempt is spent.

    ``attempt.blockers`` then gives their outputs as well. What was written in ``attempt.completion()`` is rolled back;
    chains that were started before stay, so give them dedup keys where none may be made twice. The attempt fails if a
    chain does not exist, or waits itself, directly or through others, for this one.

    Args:
        chains: handles, or one ``AllOf(...)`` or ``AnyOf(...)``.
    """

    def __init__(self, *chains: Chain[Any] | AllOf | AnyOf) -> None:
        super().__init__(*chains)
        first = chains[0] if len(chains) == 1 else None
        blockers = first if isinstance(first, AllOf | AnyOf) else [one for one in chains if isinstance(one, Chain)]
        if not isinstance(blockers, AllOf | AnyOf) and len(blockers) < len(chains):
            raise InvalidArgument("chains", f"are {chains!r}; give chains, or one AllOf(...) or AnyOf(...)")
        self.awaited = read_blockers(blockers, argument="chains")
        if not self.awaited.ids:
            raise InvalidArgument("chains", "is empty; raise Snooze(0) to run again at once")
