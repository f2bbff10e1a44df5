"""Questions about many jobs or chains, and the form of the answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Generic, Literal, TypeVar

from msgspec import Struct

from .transition import Status

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Match(Struct, frozen=True, kw_only=True):
    """A condition on a payload: the value at ``path`` (keys and indexes) equals ``value``, a JSON text."""

    part: Literal["input", "output"]
    path: tuple[str | int, ...]
    value: str


MAX_SCAN = 1_200
"""
How many jobs or chains a page looks at, at most, in search of those that pass its filters; more than fit on the largest
page, and than ids can be asked for.
"""


class JobQuery(Struct, frozen=True, kw_only=True):
    """
    Which jobs (or chains, by their tail) to list, newest chain first, within a chain first to last.

    All given filters must hold; empty ones hold always. ``after`` is the ``next`` of the page before. A page reads
    ``scan_limit`` rows at most. If fewer than ``limit`` of them pass the filters, it ends there, and ``next`` says
    where to go on.
    """

    types: tuple[str, ...] = ()
    """Of the job itself, or of a chain's first job."""
    chain_types: tuple[str, ...] = ()
    """For jobs: of the first job of the chain."""
    queues: tuple[str, ...] = ()
    """Of the job itself, or of a chain's first job."""
    statuses: frozenset[Status] = frozenset()
    chain_ids: tuple[str, ...] = ()
    """Up to 1,000."""
    blocked_by: str | None = None
    """Jobs that wait, or ever waited, for this chain; for chains: any job of which did."""
    tags: tuple[tuple[str, str], ...] = ()
    tenant: str | None = None
    since: datetime | None = None
    """Chains whose id was created then or later; an id contains its time, in milliseconds."""
    until: datetime | None = None
    """Chains whose id was created then or earlier."""
    roots: bool = False
    """Chains that no job has as a blocker."""
    matches: tuple[Match, ...] = ()
    """Of chains: the input of the first job, the output of the tail."""
    text: str | None = None
    """Text that occurs in the JSON of the input or the output, letter for letter."""
    limit: int = 50
    after: str | None = None
    scan_limit: int = MAX_SCAN

    @property
    def first_id(self) -> str | None:
        """Return the lowest id that a chain of ``since`` can have. All of its millisecond counts."""
        return None if self.since is None else _uuid(max(_milliseconds(self.since), 0), "0")

    @property
    def last_id(self) -> str | None:
        """
        Return the highest id that a chain of ``until`` can have. Before 1970 no id was created: then the lowest of all.
        """
        if self.until is None:
            return None
        created = _milliseconds(self.until)
        return _uuid(0, "0") if created < 0 else _uuid(created, "f")


class Count(Struct, frozen=True):
    """The number of jobs or chains that were found."""

    number: int
    """How many were counted."""
    exact: bool
    """False if counting stopped at a bound and there may be more."""


class Page(Struct, Generic[T], frozen=True):
    """
    A part of a list.

    A page can hold fewer items than its limit, even none, and still not be the last: then the search stopped at a
    bound.
    """

    items: list[T]
    """The jobs or chains of this page."""
    next: str | None = None
    """The value for ``after=`` that gives the next page; None on the last."""


def _milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since the epoch, rounded down as in a UUIDv7. A float would be a millisecond off."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _uuid(milliseconds: int, rest: str) -> str:
    """Return the id with this time in its first 48 bits, and one digit for all the others."""
    digits = f"{milliseconds:012x}" + rest * 20
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
