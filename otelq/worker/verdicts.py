"""What an attempt came to: a handler's return or exception, read as an outcome. Pure but for the given random."""

from __future__ import annotations

import asyncio
import traceback

from ..codec import storable
from ..definitions import Definition, Fail, RetryAfter, Snooze
from ..errors import Refused
from ..model import CancelReason, Fails, Failure, Outcome, Releases, Retries, Snoozes

TIMED_OUT = "TimeoutError"


def of_exception(
    error: BaseException, *, definition: Definition, attempt: int, reason: CancelReason | None, spread: float
) -> Outcome | None:
    """
    The outcome of an attempt that ended with ``error``; None when it is no longer ours to say.

    ``reason`` is why the engine cancelled the attempt, if it did; ``spread`` is random in 0..1.
    """
    match reason:
        case CancelReason.LEASE_LOST | CancelReason.CANCELLED:
            return None
        case CancelReason.TIMEOUT:
            failure = Failure(TIMED_OUT, f"the attempt took longer than {definition.timeout:g} seconds")
            return after_failure(failure, definition=definition, attempt=attempt, spread=spread)
        case CancelReason.SHUTDOWN if isinstance(error, asyncio.CancelledError):
            return Releases()
        case _:
            return _of_handler(error, definition=definition, attempt=attempt, spread=spread)


def after_failure(failure: Failure, *, definition: Definition, attempt: int, spread: float) -> Outcome:
    """Another attempt by the job type's retry policy, or the end."""
    policy = definition.retry
    if policy.is_spent(attempt):
        return Fails(failure)
    return Retries(policy.delay(attempt, spread=spread), failure)


def failure_of(error: BaseException) -> Failure:
    """The stored form of an exception: its qualified name, its message, then its traceback, bounded."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    message = _message(error) or kind.__qualname__
    lines = "".join(traceback.format_exception(error, limit=-8))
    return Failure(storable(name, longest=200), storable(f"{message}\n{lines}"))


def undescribed(error: BaseException, *, definition: Definition, attempt: int, spread: float) -> Outcome:
    """The outcome of an attempt whose exception fails those who ask it what it is."""
    failure = Failure("otelq.undescribed", f"an exception of type {type(error).__qualname__} that cannot be described")
    return after_failure(failure, definition=definition, attempt=attempt, spread=spread)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return f"{type(error).__qualname__} (its text cannot be had)"


def _of_handler(error: BaseException, *, definition: Definition, attempt: int, spread: float) -> Outcome:
    match error:
        case Snooze():
            return Snoozes(error.delay)
        case Fail():
            return Fails(Failure("otelq.Fail", storable(error.reason)))
        case RetryAfter():
            failure = failure_of(error.__cause__ or error)
            return Fails(failure) if definition.retry.is_spent(attempt) else Retries(error.delay, failure)
        case _:
            return after_failure(failure_of(error), definition=definition, attempt=attempt, spread=spread)


def refused(error: Refused, *, definition: Definition, attempt: int, spread: float) -> Outcome:
    """The outcome of an attempt whose own outcome the database refused to store."""
    return after_failure(
        Failure("otelq.errors.Refused", storable(str(error))),
        definition=definition,
        attempt=attempt,
        spread=spread,
    )
