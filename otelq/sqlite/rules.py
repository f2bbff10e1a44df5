"""When a job is free of its blockers, and when it is lost through them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from ..model import BLOCKER_FAILED, Failure, OnFailure, Status, Until

Standing: TypeAlias = Status | None
"""How a chain ended; None while it is open."""


class Rule(Struct, frozen=True, gc=False):
    """How many blockers a job waits for, and what a bad end of one means to it."""

    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL

    @property
    def stored(self) -> tuple[Until | None, OnFailure | None]:
        """As the hot row keeps it: NULL for the usual."""
        return (
            None if self.until is Until.ALL else self.until,
            None if self.on_failure is OnFailure.FAIL else self.on_failure,
        )

    @property
    def waits(self) -> bool:
        """Whether a bad end does not release the edge."""
        return self.on_failure is OnFailure.WAIT

    def holds(self, standing: Standing) -> bool:
        """Whether a blocker that stands so is still awaited."""
        return standing is None or (standing is not Status.COMPLETED and self.waits)

    def loses(self, standing: Standing) -> bool:
        """Whether a blocker that stands so is lost."""
        return standing in _BAD_ENDS and self.on_failure is OnFailure.FAIL

    def frees(self, standing: Standing) -> bool:
        """Whether a blocker that stands so counts as done."""
        return not self.holds(standing) and not self.loses(standing)


_BAD_ENDS = frozenset({Status.FAILED, Status.CANCELLED})


def stored_rule(until: Until | None, on_failure: OnFailure | None) -> Rule:
    """The rule that a hot row, or an outcome, keeps."""
    return Rule(until or Until.ALL, on_failure or OnFailure.FAIL)


class Condition(Enum):
    """What a rule says of a job."""

    MET = "met"
    OPEN = "open"
    LOST = "lost"


class Judgement(Struct, frozen=True, gc=False):
    """What a rule says of all blockers of a job. ``held`` are the places of those still awaited."""

    condition: Condition
    held: tuple[int, ...] = ()
    lost_by: int | None = None
    """The place of the blocker that the job is lost through."""


def judge(rule: Rule, standings: Sequence[Standing]) -> Judgement:
    """Look at all blockers of a job at once."""
    if not standings:
        return Judgement(Condition.MET)
    held = tuple(nr for nr, standing in enumerate(standings) if rule.holds(standing))
    lost_by = next((nr for nr, standing in enumerate(standings) if rule.loses(standing)), None)
    if rule.until is Until.ANY:
        if any(map(rule.frees, standings)):
            return Judgement(Condition.MET)
        is_lost = not held
    else:
        is_lost = lost_by is not None
    if is_lost:
        return Judgement(Condition.LOST, held, lost_by)
    return Judgement(Condition.OPEN, held) if held else Judgement(Condition.MET)


def blocker_failure(blocker: str, standing: Standing) -> Failure:
    """Why a chain fails whose blocker ended badly."""
    word = "cancelled" if standing is Status.CANCELLED else "failed"
    return Failure(BLOCKER_FAILED, f"the blocker {blocker} ended {word}")
