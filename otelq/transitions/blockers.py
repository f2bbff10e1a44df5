"""
The rules by which a job waits for other chains.

They say how a job stands when it is given its blockers. What the ends of blockers mean to it later, an adapter may ask
here (``Rule.frees`` and ``Rule.loses``), or say likewise in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import Struct

from ..model import BLOCKER_FAILED, Blocks, Failure, NewJob, OnFailure, Status, Successor, Until

BAD_ENDS: Final = frozenset({Status.FAILED, Status.CANCELLED})

ChainEnd: TypeAlias = Status | None
"""How a chain ended; any open status, or None, while it is open."""


class Rule(Struct, frozen=True, gc=False):
    """How many blockers must close, and what a bad end of one means."""

    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL

    @property
    def is_patient(self) -> bool:
        """Whether a blocker that ended badly is awaited still."""
        return self.on_failure is OnFailure.WAIT

    @property
    def columns(self) -> tuple[str | None, str | None]:
        """The rule as it is stored: the usual one as nulls."""
        until = None if self.until is Until.ALL else str(self.until)
        return until, None if self.on_failure is OnFailure.FAIL else str(self.on_failure)

    def frees(self, standing: ChainEnd) -> bool:
        """Return whether a blocker that stands so counts as done."""
        return standing is Status.COMPLETED or (standing in BAD_ENDS and self.on_failure is OnFailure.IGNORE)

    def loses(self, standing: ChainEnd) -> bool:
        """Return whether a blocker that stands so can never count as done."""
        return standing in BAD_ENDS and self.on_failure is OnFailure.FAIL


def rule_of(given: NewJob | Successor | Blocks) -> Rule:
    """Return the rule by which a job waits for what it is given."""
    return Rule(given.until, given.on_failure)


def stored_rule(until: str | None, on_failure: str | None) -> Rule:
    """Return the rule from its columns."""
    return Rule(Until(until or Until.ALL), OnFailure(on_failure or OnFailure.FAIL))


class BlockerOutcome(Struct, frozen=True):
    """The blockers that a job awaits; or, with ``failure``, why it waits in vain."""

    awaited: frozenset[str] = frozenset()
    lost_by: str | None = None
    failure: Failure | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether the job begins blocked, be it only to fail at once."""
        return bool(self.awaited) or self.lost_by is not None

    @property
    def failed_with(self) -> str | None:
        """The type of the failure, if there is one."""
        return self.failure.type if self.failure else None

    @property
    def edges_awaited(self) -> frozenset[str]:
        """The blockers to which an edge stays; a job that failed waits for none."""
        return self.awaited if self.lost_by is None else frozenset()


FREE: Final = BlockerOutcome()


def judge(rule: Rule, standings: Mapping[str, ChainEnd]) -> BlockerOutcome:
    """Return what is left to wait for where the blockers stand like this."""
    is_met = any(map(rule.frees, standings.values()))
    if not standings or (is_met and rule.until is Until.ANY):
        return FREE
    lost = [blocker for blocker, standing in standings.items() if rule.loses(standing)]
    awaited = frozenset(
        blocker for blocker, standing in standings.items() if not (rule.frees(standing) or rule.loses(standing))
    )
    if lost and (rule.until is Until.ALL or not awaited):
        return BlockerOutcome(awaited, lost[0], failure_by(lost[0], standings[lost[0]]))
    return BlockerOutcome(awaited)


def failure_by(blocker: str, end: ChainEnd) -> Failure:
    """Return why a job fails by a blocker that ended badly."""
    return Failure(BLOCKER_FAILED, f"the blocker {blocker} ended {end}")
