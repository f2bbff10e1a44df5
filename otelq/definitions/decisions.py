"""
Exceptions that a handler raises to choose the outcome of its attempt, not to report an error.

A decision that is alone in an exception group, as when one task of an ``asyncio.TaskGroup`` raised it, counts as if it
had been raised by itself. A group that holds several decisions, or a decision beside an error, is an ordinary failure.
"""

from __future__ import annotations

from typing import Any

from ..errors import InvalidArgument
from .blockers import AllOf, AnyOf, check_blockers
from .chain import Chain
from .checks import check_seconds


class RetryAfter(Exception):  # raised to decide, not to report
    """
    Raise it in a handler to fail this attempt and run the job again after a delay, if attempts are left.

    Args:
        delay: seconds until the next attempt, 0 to ten years; the retry policy's own delay does not apply.
    """

    def __init__(self, delay: float) -> None:
        super().__init__(delay)  # as `args`, by which an exception is copied and pickled
        self.delay = check_seconds("delay", delay)


class Snooze(Exception):
    """
    Raise it in a handler to run the job again after a delay, without spending an attempt.

    Args:
        delay: seconds until the job is due again, 0 to ten years.
    """

    def __init__(self, delay: float) -> None:
        super().__init__(delay)
        self.delay = check_seconds("delay", delay)


class Fail(Exception):
    """
    Raise it in a handler to fail the job at once, however many attempts are left.

    Args:
        reason: the text that is stored as the reason.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        if not isinstance(reason, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("reason", f"is {reason!r}; give text")
        self.reason = reason


class WaitFor(Exception):
    """
    Raise it in a handler to run the job again, from its beginning, when these chains have closed. No attempt is spent.

    Then ``attempt.blockers`` returns their outputs as well. Rows written in ``attempt.completion()`` are rolled back.
    Chains that the handler started before remain: give them dedup keys so that the next run does not start them again.
    The attempt fails if a chain does not exist, or waits itself, directly or through others, for this one.

    Args:
        chains: handles, or one ``AllOf(...)`` or ``AnyOf(...)``.

    Raises:
        InvalidArgument: no chain is given, or a value is not a chain.
    """

    def __init__(self, *chains: Chain[Any] | AllOf | AnyOf) -> None:
        super().__init__(*chains)
        first = chains[0] if len(chains) == 1 else None
        blockers = first if isinstance(first, AllOf | AnyOf) else [one for one in chains if isinstance(one, Chain)]
        if not isinstance(blockers, AllOf | AnyOf) and len(blockers) < len(chains):
            raise InvalidArgument("chains", f"are {chains!r}; give chains, or one AllOf(...) or AnyOf(...)")
        self.blockers = check_blockers(blockers, argument="chains")
        if not self.blockers.ids:
            raise InvalidArgument("chains", "is empty; raise Snooze(0) to run again at once")
