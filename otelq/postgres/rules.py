"""How a job stands that is given blockers. What their ends mean later, ``release_dependents.sql`` says likewise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from ..model import BLOCKER_FAILED, Blocks, Failure, NewJob, OnFailure, Status, Successor, Until

BAD_ENDS: Final = frozenset({Status.FAILED, Status.CANCELLED})


class Rule(Struct, frozen=True):
    """How many blockers must close, and what a bad end means."""

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


def of(given: NewJob | Successor | Blocks) -> Rule:
    """The rule by which a job waits for what it is given."""
    return Rule(given.until, given.on_failure)


def stored(until: str | None, on_failure: str | None) -> Rule:
    """The rule from its columns."""
    return Rule(Until(until or Until.ALL), OnFailure(on_failure or OnFailure.FAIL))


class Fate(Struct, frozen=True):
    """What a job waits for; or, with ``failure``, why it waits in vain."""

    awaited: frozenset[str] = frozenset()
    lost_by: str | None = None
    failure: Failure | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether the job begins blocked, be it only to fail at once."""
        return bool(self.awaited) or self.lost_by is not None

    @property
    def edges_awaited(self) -> frozenset[str]:
        """The blockers to which an edge stays; a job that failed waits for none."""
        return self.awaited if self.lost_by is None else frozenset()


FREE: Final = Fate()


def judge(standings: Mapping[str, Status], rule: Rule) -> Fate:
    """What is left to wait for where the blockers stand like this; every open status is alike."""
    bad = [blocker for blocker, status in standings.items() if status in BAD_ENDS]
    lost = bad if rule.on_failure is OnFailure.FAIL else []
    ignored = bad if rule.on_failure is OnFailure.IGNORE else []
    met = {blocker for blocker, status in standings.items() if status is Status.COMPLETED}.union(ignored)
    awaited = frozenset(standings.keys() - met - set(lost))
    if not standings or (met and rule.until is Until.ANY):
        return FREE
    if lost and (rule.until is Until.ALL or not awaited):
        return Fate(awaited, lost[0], failure_by(lost[0], standings[lost[0]]))
    return Fate(awaited)


def failure_by(blocker: str, status: Status) -> Failure:
    """Why a job fails by its blocker; ``release_dependents.sql`` says the same."""
    return Failure(BLOCKER_FAILED, f"the blocker {blocker} ended {status}")
