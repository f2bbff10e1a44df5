"""Continuations: the value that a handler returns to continue its chain with another job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeGuard, TypeVar, Unpack

from .blockers import NO_BLOCKERS, CheckedBlockers, check_blockers
from .checks import check_priority, check_when
from .options import ContinueOptions, refuse_unknown
from .types import JobType, check_job_type

Out_co = TypeVar("Out_co", covariant=True)
X = TypeVar("X")


@dataclass(frozen=True, slots=True)
class Continue(Generic[Out_co]):
    """
    A continuation: the job that takes the chain over from the job that returns it, in the same commit.

    Args:
        job_type: a type with the same chain output.
        input: the input of the next job.
        delay: seconds until it is due, 0 to ten years. Default: due at once.
        at: when it is due, instead of ``delay``: a ``datetime`` with a zone.
        priority: -100 to 100, lower numbers run first. Default: the priority of the job before.
        blockers: chains that it waits for: a sequence of handles, ``AllOf(...)`` or ``AnyOf(...)``. Default: none.

    Raises:
        InvalidArgument: a value is out of its range.
    """

    job_type: JobType[Any, Out_co]
    input: Any
    delay: float | None
    at: datetime | None
    priority: int | None
    blockers: CheckedBlockers

    def __init__(self, job_type: JobType[X, Out_co], input: X, **options: Unpack[ContinueOptions]) -> None:
        refuse_unknown(options, ContinueOptions)
        check_job_type("job_type", job_type)
        delay, at = check_when(options.get("delay"), options.get("at"))
        blockers = options.get("blockers", ())
        fields = {
            "job_type": job_type,
            "input": input,
            "delay": delay,
            "at": at,
            "priority": check_priority(options.get("priority")),
            "blockers": check_blockers(blockers) if blockers else NO_BLOCKERS,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)


def is_continue(value: object) -> TypeGuard[Continue[Any]]:
    """Return whether a handler returned a continuation."""
    return isinstance(value, Continue)
