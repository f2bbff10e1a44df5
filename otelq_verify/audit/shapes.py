"""The shapes that a change of a hot row may have, and the verbs that fit each. Written from the description alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto
from typing import Final

from otelq.model import Status, Verb

from .values import Row


class RowShape(Enum):
    """The kind of an update of a hot row, by the columns that differ."""

    MOVED_ON = auto()
    LEASED = auto()
    GIVEN_UP = auto()
    RENEWED = auto()
    CRASHED = auto()
    BLOCKED = auto()
    FREED = auto()
    COUNTED_DOWN = auto()
    WAITED = auto()
    MARKED = auto()
    SAME = auto()
    ODD = auto()


def shape_of(old: Row, new: Row) -> RowShape:
    """Return the shape of one update."""
    if old["position"] != new["position"]:
        return RowShape.MOVED_ON if new["position"] == old["position"] + 1 else RowShape.ODD
    if (old["token"] is None) != (new["token"] is None):
        return RowShape.LEASED if old["token"] is None else RowShape.GIVEN_UP
    differs = {name for name in new if old.get(name) != new[name]} - {"until", "on_failure"}
    if not differs:
        return RowShape.SAME
    if old["token"] is None:
        return _of_waiting(old, new, differs)
    return _RUNNING.get(frozenset(differs), RowShape.ODD)


_RUNNING: Final[Mapping[frozenset[str], RowShape]] = {
    frozenset({"leased_until"}): RowShape.RENEWED,
    frozenset({"crashes"}): RowShape.CRASHED,
    frozenset({"waited_on"}): RowShape.MARKED,
}


def _of_waiting(old: Row, new: Row, differs: set[str]) -> RowShape:
    if differs == {"waited_on"}:
        return RowShape.MARKED
    if "blocked_by" in differs and differs <= {"blocked_by", "run_at"}:
        if not old["blocked_by"]:
            return RowShape.BLOCKED
        if not new["blocked_by"]:
            return RowShape.FREED
        return RowShape.COUNTED_DOWN if new["blocked_by"] < old["blocked_by"] else RowShape.ODD
    return RowShape.WAITED if differs <= {"run_at", "priority"} else RowShape.ODD


def status_of(row: Row, at: datetime) -> Status:
    """Return the status of the job of a hot row."""
    if row["token"] is not None:
        return Status.RUNNING
    if row["blocked_by"]:
        return Status.BLOCKED
    return Status.SCHEDULED if row["run_at"] > at else Status.READY


_RETURNS: Final[Mapping[Verb, tuple[int, int]]] = {
    Verb.RETRY: (0, 0),
    Verb.SNOOZE: (-1, 0),
    Verb.RELEASE: (-1, 0),
    Verb.BLOCK: (-1, 0),
    Verb.REAP: (0, 1),
    Verb.TAKE_OVER: (0, 0),
}
"""The growth of the attempts and the crashes when a lease ends and its job stays open."""


def describes_return(verb: Verb, old: Row, new: Row) -> bool:
    """Return True if a lease that ends by this verb leaves these counts, and no other trace in the row."""
    grown = new["attempt"] - old["attempt"], new["crashes"] - old["crashes"]
    is_clean = all(new[name] is None for name in ("leased_by", "claimed_at", "leased_until", "deadline"))
    return _RETURNS.get(verb) == grown and is_clean and (verb is Verb.BLOCK or not new["blocked_by"])


_ENDS: Final[Mapping[Verb, tuple[Status, ...]]] = {
    Verb.COMPLETE: (Status.COMPLETED,),
    Verb.CONTINUE: (Status.CONTINUED,),
    Verb.COMPLETE_EXTERNALLY: (Status.COMPLETED, Status.CONTINUED),
    Verb.FAIL: (Status.FAILED,),
    Verb.REAP: (Status.FAILED,),
    Verb.CANCEL: (Status.CANCELLED,),
    Verb.EXPIRE: (Status.CANCELLED,),
}


def ends_as(verb: Verb, status: Status) -> bool:
    """Return True if this verb may close a job with this status."""
    return status in _ENDS.get(verb, ())


def fits_holder(verb: Verb, old: Row, end: Row) -> bool:
    """Return True if the verb fits the lease: a holder's verb needs its token, and ``expire`` needs an unleased job."""
    match verb:
        case Verb.COMPLETE | Verb.CONTINUE | Verb.FAIL:
            return old["token"] is not None and end["token"] == old["token"]
        case Verb.REAP:
            return old["token"] is not None and old["leased_until"] <= end["closed_at"]
        case Verb.EXPIRE:
            return old["token"] is None and old["expires_at"] is not None and old["expires_at"] <= end["closed_at"]
        case _:
            return True
