"""Exceptions of handlers as outcomes. Pure functions; the caller gives the random number."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

from ..definitions import Definition, Fail, RetryAfter, Snooze, WaitFor
from ..errors import ProcessFailed, Refused
from ..model import (
    Blocks,
    CancelReason,
    Completes,
    Continues,
    Fails,
    Failure,
    Outcome,
    Releases,
    Retries,
    SettleResult,
    Snoozes,
)
from ..retry_policy import ExceptionClasses, exception_classes_of
from ..texts import LONGEST_NAME, class_name, message_of, storable, traceback_of

TIMED_OUT = "TimeoutError"


def outcome_of_exception(
    error: BaseException, *, definition: Definition, attempt: int, reason: CancelReason | None, random_fraction: float
) -> Outcome | None:
    """
    Return the outcome of an attempt that ended with ``error``; None if the job is no longer the attempt's.

    ``reason`` is why otelq cancelled the attempt, if it did; ``random_fraction`` is a random number in 0..1.
    """
    match reason:
        case CancelReason.LEASE_LOST | CancelReason.CANCELLED:
            return None
        case CancelReason.TIMEOUT:
            failure = Failure(TIMED_OUT, f"the attempt took longer than {definition.timeout:g} seconds")
            classes = TimeoutError.__mro__
            return outcome_after_failure(
                failure, classes=classes, definition=definition, attempt=attempt, random_fraction=random_fraction
            )
        # A handler that raises something else while the worker stops has failed by itself.
        case CancelReason.SHUTDOWN if isinstance(error, asyncio.CancelledError):
            return Releases()
        case _:
            return _outcome_of_handler(error, definition=definition, attempt=attempt, random_fraction=random_fraction)


def outcome_after_failure(
    failure: Failure, *, classes: ExceptionClasses, definition: Definition, attempt: int, random_fraction: float
) -> Outcome:
    """Return a retry by the policy that the job type has for these exception classes, or a final failure."""
    policy = definition.retry.for_exception(classes)
    if policy is None or policy.is_spent(attempt):
        return Fails(failure)
    return Retries(policy.delay(attempt, random_fraction=random_fraction), failure)


def unwrap_group(error: BaseException) -> BaseException:
    """Return the only exception of a group, as a task group raises it for one failed task; else the error itself."""
    inner: BaseException = error
    while isinstance(inner, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", inner)
        if len(group.exceptions) != 1:
            return group
        inner = group.exceptions[0]
    return inner


def failure_of(error: BaseException) -> Failure:
    """Return the stored form of an exception: its qualified name, its message and its traceback, bounded."""
    if isinstance(error, ProcessFailed):
        return Failure(storable(error.type, longest=LONGEST_NAME), storable(error.text))
    kind = type(error)
    message = message_of(error) or kind.__qualname__
    return Failure(
        storable(class_name(kind), longest=LONGEST_NAME), storable(f"{message}\n{traceback_of(error, frames=8)}")
    )


def outcome_of_undescribable(
    error: BaseException, *, definition: Definition, attempt: int, random_fraction: float
) -> Outcome:
    """Return the outcome for an exception whose own ``__str__`` or traceback raises."""
    kind = storable(type(error).__qualname__, longest=LONGEST_NAME)
    failure = Failure("otelq.undescribed", f"an exception of type {kind} that cannot be described")
    classes = exception_classes_of(error)
    return outcome_after_failure(
        failure, classes=classes, definition=definition, attempt=attempt, random_fraction=random_fraction
    )


def _outcome_of_handler(
    error: BaseException, *, definition: Definition, attempt: int, random_fraction: float
) -> Outcome:
    match error := unwrap_group(error):
        case Snooze():
            return Snoozes(error.delay)
        case WaitFor():
            return Blocks(*error.blockers)
        case Fail():
            return Fails(Failure("otelq.Fail", storable(error.reason)))
        case RetryAfter():
            failure = failure_of(error.__cause__ or error)
            return Fails(failure) if definition.retry.is_spent(attempt) else Retries(error.delay, failure)
        case _:
            classes = error.exception_classes if isinstance(error, ProcessFailed) else exception_classes_of(error)
            failure = failure_of(error)
            return outcome_after_failure(
                failure, classes=classes, definition=definition, attempt=attempt, random_fraction=random_fraction
            )


def outcome_of_refusal(error: Refused, *, definition: Definition, attempt: int, random_fraction: float) -> Outcome:
    """Return the outcome of an attempt whose outcome the database refused to store."""
    failure = Failure("otelq.errors.Refused", storable(message_of(error)))
    classes = exception_classes_of(error)
    return outcome_after_failure(
        failure, classes=classes, definition=definition, attempt=attempt, random_fraction=random_fraction
    )


_NAMES: Mapping[type[Outcome], str] = {
    Completes: "completed",
    Continues: "continued",
    Retries: "retry",
    Snoozes: "snoozed",
    Blocks: "blocked",
    Fails: "failed",
    Releases: "released",
}


def outcome_name(outcome: Outcome) -> str:
    """Return the name of the outcome in telemetry."""
    return _NAMES[type(outcome)]


def reason_of(result: SettleResult) -> CancelReason:
    """Return the reason to end an attempt for this result of a settlement or renewal."""
    return CancelReason.CANCELLED if result is SettleResult.CANCELLED else CancelReason.LEASE_LOST
