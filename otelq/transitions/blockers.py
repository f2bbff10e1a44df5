"""
The rules by which a job waits for other chains.

They say how a job stands when it is given its blockers. What the ends of blockers mean to it later, an adapter may ask
here (``BlockerRule.is_met_by`` and ``BlockerRule.is_failed_by``), or say likewise in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import Struct

from ..model import BLOCKER_FAILED, Blocks, Failure, NewJob, OnFailure, Status, Successor, Until

BAD_ENDS: Final = frozenset({Status.FAILED, Status.CANCELLED})

ChainEnd: TypeAlias = Status | None
"""How a chain ended; any open status, or None, while it is open."""


class BlockerRule(Struct, frozen=True, gc=False):
    """How many blockers must close, and what a bad end of one means."""

    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL

    @property
    def waits_after_failure(self) -> bool:
        """Whether a blocker that ended badly is awaited still."""
        return self.on_failure is OnFailure.WAIT

    @property
    def columns(self) -> tuple[str | None, str | None]:
        """The rule as it is stored: the usual one as nulls."""
        until = None if self.until is Until.ALL else str(self.until)
        return until, None if self.on_failure is OnFailure.FAIL else str(self.on_failure)

    def is_met_by(self, status: ChainEnd) -> bool:
        """Return whether a blocker that stands so counts as done."""
        return status is Status.COMPLETED or (status in BAD_ENDS and self.on_failure is OnFailure.IGNORE)

    def is_failed_by(self, status: ChainEnd) -> bool:
        """Return whether a blocker that stands so can never count as done."""
        return status in BAD_ENDS and self.on_failure is OnFailure.FAIL


def rule_of(given: NewJob | Successor | Blocks) -> BlockerRule:
    """Return the rule by which a job waits for what it is given."""
    return BlockerRule(given.until, given.on_failure)


def rule_from_columns(until: str | None, on_failure: str | None) -> BlockerRule:
    """Return the rule from its columns."""
    return BlockerRule(Until(until or Until.ALL), OnFailure(on_failure or OnFailure.FAIL))


class WaitDecision(Struct, frozen=True):
    """The blockers that a job awaits; or, with ``failure``, why it waits in vain."""

    awaited: frozenset[str] = frozenset()
    failed_blocker: str | None = None
    failure: Failure | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether the job begins blocked, be it only to fail at once."""
        return bool(self.awaited) or self.failed_blocker is not None

    @property
    def failed_with(self) -> str | None:
        """The type of the failure, if there is one."""
        return self.failure.type if self.failure else None

    @property
    def still_awaited(self) -> frozenset[str]:
        """The blockers to which an edge stays; a job that failed waits for none."""
        return self.awaited if self.failed_blocker is None else frozenset()


NO_WAIT: Final = WaitDecision()


def decide_wait(rule: BlockerRule, statuses: Mapping[str, ChainEnd]) -> WaitDecision:
    """Return what is left to wait for where the blockers stand like this."""
    is_met = any(map(rule.is_met_by, statuses.values()))
    if not statuses or (is_met and rule.until is Until.ANY):
        return NO_WAIT
    lost = [blocker for blocker, status in statuses.items() if rule.is_failed_by(status)]
    awaited = frozenset(
        blocker for blocker, status in statuses.items() if not (rule.is_met_by(status) or rule.is_failed_by(status))
    )
    if lost and (rule.until is Until.ALL or not awaited):
        return WaitDecision(awaited, lost[0], failure_by(lost[0], statuses[lost[0]]))
    return WaitDecision(awaited)


def failure_by(blocker: str, end: ChainEnd) -> Failure:
    """Return why a job fails by a blocker that ended badly."""
    return Failure(BLOCKER_FAILED, f"the blocker {blocker} ended {end}")
