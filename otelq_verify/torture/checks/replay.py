"""The history of a run, replayed in memory for the checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from otelq.model import CLOSED, Status

from ...audit import AuditedMove, Change, Reading, read
from ...invariants import Violation
from ..history import DiaryEntry, entries

Job: TypeAlias = tuple[str, int]
"""A chain's id and a position."""


@dataclass(slots=True)
class Tenure:
    """One lease of one job, from its claim to its end."""

    chain_id: str
    position: int
    type: str
    token: int
    begun: Change
    until: datetime
    """When it runs out, as it was renewed last."""
    ended: Change | None = None

    @property
    def job(self) -> Job:
        return self.chain_id, self.position


@dataclass(frozen=True, slots=True)
class End:
    """The end of a chain; with the status None it was redriven or deleted later."""

    change: Change
    status: Status | None


@dataclass(frozen=True)
class History:
    """All changes of a run, and the views on them, each computed once."""

    changes: Sequence[Change]
    _by_table: dict[str, list[Change]] = field(default_factory=dict[str, list[Change]])

    def of(self, table: str) -> Sequence[Change]:
        """Return the changes of one table."""
        if not self._by_table:
            for change in self.changes:
                self._by_table.setdefault(change.table, []).append(change)
        return self._by_table.get(table, ())

    @cached_property
    def reading(self) -> Reading:
        """Return the moves of jobs."""
        return read(self.changes)

    @cached_property
    def entries(self) -> Sequence[DiaryEntry]:
        """Return the entries that handlers wrote."""
        return entries(self.changes)

    @cached_property
    def ended_at(self) -> datetime | None:
        """Return the time of the last change; None if there is none."""
        return max((change.at for change in self.changes), default=None)

    @cached_property
    def by_job(self) -> Mapping[Job, Sequence[AuditedMove]]:
        """Return the moves of each job, in order."""
        found: defaultdict[Job, list[AuditedMove]] = defaultdict(list)
        for move in self.reading.moves:
            found[move.chain_id, move.position].append(move)
        return found

    @cached_property
    def hot_rows(self) -> Mapping[str, Sequence[Change]]:
        """Return the changes of the hot row of each chain."""
        found: defaultdict[str, list[Change]] = defaultdict(list)
        for change in self.of("open_job"):
            found[str(change.chain_id)].append(change)
        return found

    @cached_property
    def tenures(self) -> Sequence[Tenure]:
        """Return every lease, by chain, in order."""
        return [tenure for changes in self.hot_rows.values() for tenure in _tenures(changes)]

    @cached_property
    def ends(self) -> Mapping[str, Sequence[End]]:
        """Return the ends of each chain, and when it was redriven or deleted."""
        found: defaultdict[str, list[End]] = defaultdict(list)
        for change in self.changes:
            if change.table == "outcome" and change.op == "INSERT" and change.row["status"] != Status.CONTINUED:
                found[str(change.chain_id)].append(End(change, Status(change.row["status"])))
            elif (change.table, change.op) in (("outcome", "UPDATE"), ("job", "DELETE")):
                found[str(change.chain_id)].append(End(change, None))
        return found

    def end_at(self, chain_id: str, seq: int) -> End | None:
        """Return the end of a chain as of this change; None while it was open, or once it was deleted."""
        known = [end for end in self.ends.get(chain_id, ()) if end.change.seq <= seq]
        return known[-1] if known and known[-1].status is not None else None

    def has_closed(self, job: Job) -> bool:
        """Return True if a job is closed or deleted at the end of the history."""
        moves = self.by_job.get(job, ())
        return bool(moves) and (moves[-1].target is None or moves[-1].target in CLOSED)


def _tenures(changes: Sequence[Change]) -> Iterator[Tenure]:
    current: Tenure | None = None
    for change in changes:
        row = change.new
        if current is not None and (
            row is None or (row["position"], row["token"]) != (current.position, current.token)
        ):
            current.ended = change
            yield current
            current = None
        if row is None or row["token"] is None:
            continue
        if current is None:
            current = Tenure(
                str(change.chain_id), row["position"], row["type"], row["token"], change, row["leased_until"]
            )
        current.until = row["leased_until"]
    if current is not None:
        yield current


def found(invariant: str, check: str, job: Job, detail: str) -> Violation:
    """Return a violation."""
    return Violation(invariant, check, *job, detail)
