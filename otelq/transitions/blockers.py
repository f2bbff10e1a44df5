"""
The rules by which a job waits for other chains.

``decide_wait`` applies them when a job gets its blockers. When a blocker ends later, an adapter applies the same rules
to that one: with ``BlockerRule``, or in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import Struct

from ..model import BLOCKER_FAILED, Blocks, Failure, NewJob, OnFailure, Status, Successor, Until

BAD_ENDS: Final = frozenset({Status.FAILED, Status.CANCELLED})

ChainEnd: TypeAlias = Status | None
"""The status in which a chain ended; None, or any open status, while it is open."""


class BlockerRule(Struct, frozen=True, gc=False):
    """The number of blockers that must finish, and the meaning of a blocker that failed."""

    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL

    @property
    def waits_after_failure(self) -> bool:
        """Return whether a blocker that failed or was cancelled still counts as open."""
        return self.on_failure is OnFailure.WAIT

    @property
    def columns(self) -> tuple[str | None, str | None]:
        """Return the rule as it is stored: the default of each column is NULL."""
        until = None if self.until is Until.ALL else str(self.until)
        return until, None if self.on_failure is OnFailure.FAIL else str(self.on_failure)

    def is_met_by(self, status: ChainEnd) -> bool:
        """Return whether a blocker in this state counts as finished."""
        return status is Status.COMPLETED or (status in BAD_ENDS and self.on_failure is OnFailure.IGNORE)

    def is_failed_by(self, status: ChainEnd) -> bool:
        """Return whether a blocker in this state can never count as finished."""
        return status in BAD_ENDS and self.on_failure is OnFailure.FAIL


def rule_of(given: NewJob | Successor | Blocks) -> BlockerRule:
    """Return the rule that comes with a list of blockers."""
    return BlockerRule(given.until, given.on_failure)


def rule_from_columns(until: str | None, on_failure: str | None) -> BlockerRule:
    """Return the rule that these columns store."""
    return BlockerRule(Until(until or Until.ALL), OnFailure(on_failure or OnFailure.FAIL))


class WaitDecision(Struct, frozen=True):
    """
    The decision for a job that gets blockers: it waits for ``awaited``, runs if that is empty, or fails.

    ``failed_blocker`` and ``failure`` are set if its condition can never be met. Then it is stored blocked and fails in
    the same commit, so that its history has both transitions.
    """

    awaited: frozenset[str] = frozenset()
    failed_blocker: str | None = None
    failure: Failure | None = None

    @property
    def is_blocked(self) -> bool:
        """Return whether the job is stored blocked, if only to fail at once."""
        return bool(self.awaited) or self.failed_blocker is not None

    @property
    def failed_with(self) -> str | None:
        """Return the error type, if the job fails."""
        return self.failure.type if self.failure else None

    @property
    def still_awaited(self) -> frozenset[str]:
        """Return the blockers that the job waits for after the commit: none if it failed."""
        return self.awaited if self.failed_blocker is None else frozenset()


NO_WAIT: Final = WaitDecision()


def decide_wait(rule: BlockerRule, statuses: Mapping[str, ChainEnd]) -> WaitDecision:
    """Return whether a job waits, runs or fails, for blockers in these states. Without blockers it runs."""
    # Any-of is met by one blocker, whatever became of the others.
    is_met = any(map(rule.is_met_by, statuses.values()))
    if not statuses or (is_met and rule.until is Until.ANY):
        return NO_WAIT
    failed = [blocker for blocker, status in statuses.items() if rule.is_failed_by(status)]
    awaited = frozenset(
        blocker for blocker, status in statuses.items() if not (rule.is_met_by(status) or rule.is_failed_by(status))
    )
    # All-of fails with the first failed blocker; any-of only if nothing is left to wait for.
    if failed and (rule.until is Until.ALL or not awaited):
        return WaitDecision(awaited, failed[0], failure_by(failed[0], statuses[failed[0]]))
    return WaitDecision(awaited)


def failure_by(blocker: str, end: ChainEnd) -> Failure:
    """Return the failure of a job whose blocker failed or was cancelled."""
    return Failure(BLOCKER_FAILED, f"the blocker {blocker} ended {end}")
