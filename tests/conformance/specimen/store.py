"""What is stored: the same tables as in a database, and the indexes that keep a claim short."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import datetime
from heapq import heappop, heappush
from typing import Any

from msgspec import Struct

from otelq.model import AttemptRecord, Claimed, Dedup, Failure, JobKey, OnFailure, Status, Transition, Until, Verb

from .tables import Journal, Table

EdgeKey = tuple[str, int, str]
"""A job (its chain's id and its position), and a blocker of it."""


class Chain(Struct, frozen=True, kw_only=True):
    """What never changes about a chain. ``made`` are the transitions of its start."""

    chain_id: str
    type: str
    created_at: datetime
    dedup: Dedup | None
    made: tuple[Transition, ...] = ()


class Request(Struct, frozen=True, kw_only=True):
    """What a job was asked to do; ``amended`` is the input that took the place of the first."""

    chain_id: str
    position: int
    type: str
    queue: str
    input: str
    created_at: datetime
    trace: str | None
    meta: str | None
    amended: str | None = None


class OpenJob(Struct, frozen=True, kw_only=True):
    """
    The one open job of a chain. ``token`` is set while it runs.

    ``awaits`` counts the blockers that are still awaited, as ``until`` and ``on_failure`` say.
    """

    chain_id: str
    position: int
    type: str
    priority: int
    run_at: datetime
    attempt: int = 0
    crashes: int = 0
    awaits: int = 0
    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL
    expires_at: datetime | None = None
    token: int | None = None
    leased_by: str | None = None
    claimed_at: datetime | None = None
    leased_until: datetime | None = None
    deadline: datetime | None = None
    last_trace: str | None = None

    def status(self, now: datetime) -> Status:
        """Where the job stands at ``now``: a scheduled job becomes ready by the clock alone."""
        if self.token is not None:
            return Status.RUNNING
        if self.awaits:
            return Status.BLOCKED
        return Status.SCHEDULED if self.run_at > now else Status.READY

    @property
    def waits_in_line(self) -> bool:
        return self.token is None and not self.awaits

    @property
    def was_tried(self) -> bool:
        """Whether a claim of the job counted."""
        return self.token is not None or self.attempt > 0 or self.crashes > 0

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now and not self.was_tried

    @property
    def order(self) -> tuple[int, datetime, str]:
        """The place in the line of its type."""
        return self.priority, self.run_at, self.chain_id


class Outcome(Struct, frozen=True, kw_only=True):
    """How a job closed; ``row`` is the open job as it stood then."""

    status: Status
    verb: Verb
    closed_at: datetime
    row: OpenJob
    output: str | None = None
    failure: Failure | None = None


class Reopened(Struct, frozen=True):
    """An outcome that stood until the chain was redriven at ``at``."""

    outcome: Outcome
    at: datetime


class Holder(Struct, frozen=True):
    """The chain that holds a dedup key, since when, and whether it keeps the key when it closes."""

    chain_id: str
    taken_at: datetime
    lasting: bool


class Ended(Struct, frozen=True, kw_only=True):
    """
    An attempt that ended.

    ``made`` are the transitions of the settlement that ended it, kept for a caller who lost the reply; None
    if it ended in another way. ``kept`` is the successor granted with it.
    """

    record: AttemptRecord
    made: tuple[Transition, ...] | None = None
    kept: Claimed | None = None


class Line:
    """
    The jobs of one type that wait, in order.

    One heap for each priority, suspects apart. An entry is a promise that may have been broken since: it is
    checked against the row when it comes up, and dropped if the row has moved on.
    """

    __slots__ = ("_heaps", "_type")

    def __init__(self, type: str) -> None:
        self._type = type
        self._heaps: dict[tuple[int, bool], list[tuple[datetime, str]]] = {}

    def add(self, row: OpenJob) -> None:
        heap = self._heaps.setdefault((row.priority, row.crashes > 0), [])
        heappush(heap, (row.run_at, row.chain_id))

    def first(self, rows: Table[str, OpenJob], *, now: datetime, suspects: bool) -> OpenJob | None:
        """The job whose turn it is, if one is due."""
        due = (row for row in self._tops(rows, now=now, suspects=suspects) if row.run_at <= now)
        return min(due, key=lambda row: row.order, default=None)

    def earliest(self, rows: Table[str, OpenJob], *, now: datetime) -> datetime | None:
        return min((row.run_at for row in self._tops(rows, now=now, suspects=True)), default=None)

    def _tops(self, rows: Table[str, OpenJob], *, now: datetime, suspects: bool) -> Iterator[OpenJob]:
        for lane in tuple(self._heaps):
            if (suspects or not lane[1]) and (row := self._top(rows, lane, now)):
                yield row

    def _top(self, rows: Table[str, OpenJob], lane: tuple[int, bool], now: datetime) -> OpenJob | None:
        heap = self._heaps[lane]
        while heap:
            row = rows.get(heap[0][1])
            stands = row and row.waits_in_line and self._lane(row) == (self._type, *lane, heap[0][0])
            if row and stands and not row.has_expired(now):
                return row
            heappop(heap)
        del self._heaps[lane]
        return None

    @staticmethod
    def _lane(row: OpenJob) -> tuple[str, int, bool, datetime]:
        return row.type, row.priority, row.crashes > 0, row.run_at


class Store:
    """All tables and indexes, with one journal over them: at most one transaction writes at a time."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.chains: Table[str, Chain] = Table(self.journal, self._index_chain)
        self.lengths: Table[str, int] = Table(self.journal)
        self.requests: Table[JobKey, Request] = Table(self.journal)
        self.open: Table[str, OpenJob] = Table(self.journal, self._index_open)
        self.outcomes: Table[JobKey, Outcome] = Table(self.journal)
        self.reopened: Table[JobKey, tuple[Reopened, ...]] = Table(self.journal)
        self.attempts: Table[JobKey, tuple[Ended, ...]] = Table(self.journal)
        self.holders: Table[tuple[str, str], Holder] = Table(self.journal)
        self.blockers: Table[JobKey, tuple[str, ...]] = Table(self.journal)
        self.edges: Table[EdgeKey, bool] = Table(self.journal, self._index_edge)
        self.pending: Table[str, bool] = Table(self.journal)
        self.ids: list[str] = []
        self.running: set[str] = set()
        self.expiring: set[str] = set()
        self._lines: dict[str, Line] = {}
        self._dependents: dict[str, dict[JobKey, None]] = {}
        self._awaiting: dict[str, dict[JobKey, None]] = {}

    def commit(self) -> None:
        self.journal.clear()
        self._settle()

    def rollback(self) -> None:
        self.journal.back_to(0)
        self._settle()

    def first_due(self, type: str, *, now: datetime, suspects: bool) -> OpenJob | None:
        line = self._lines.get(type)
        return None if line is None else line.first(self.open, now=now, suspects=suspects)

    def earliest(self, type: str, *, now: datetime) -> datetime | None:
        line = self._lines.get(type)
        return None if line is None else line.earliest(self.open, now=now)

    def dependents(self, blocker: str) -> list[JobKey]:
        """The jobs that were ever given this blocker, closed ones included, in order."""
        return sorted(self._dependents.get(blocker, ()))

    def awaiting(self, blocker: str) -> list[JobKey]:
        """The jobs that still await this blocker, in order; some may have closed since."""
        return sorted(self._awaiting.get(blocker, ()))

    def tables(self) -> tuple[Table[Any, Any], ...]:
        rows = (self.chains, self.lengths, self.requests, self.open, self.outcomes, self.reopened, self.attempts)
        return (*rows, self.holders, self.blockers, self.edges, self.pending)

    def _settle(self) -> None:
        for table in self.tables():
            table.settle()

    def _index_open(self, chain_id: str, old: OpenJob | None, new: OpenJob | None) -> None:
        _keep_in(self.running, chain_id, belongs=new is not None and new.token is not None)
        _keep_in(self.expiring, chain_id, belongs=new is not None and new.expires_at is not None and not new.was_tried)
        if new is not None and new.waits_in_line:
            self._lines.setdefault(new.type, Line(new.type)).add(new)

    def _index_chain(self, chain_id: str, old: Chain | None, new: Chain | None) -> None:
        if old is None and new is not None:
            insort(self.ids, chain_id)
        if new is None and old is not None:
            del self.ids[bisect_left(self.ids, chain_id)]

    def _index_edge(self, edge: EdgeKey, old: bool | None, new: bool | None) -> None:
        chain_id, position, blocker = edge
        _point(self._dependents, blocker, (chain_id, position), belongs=new is not None)
        _point(self._awaiting, blocker, (chain_id, position), belongs=new is True)


def _keep_in(keys: set[str], key: str, *, belongs: bool) -> None:
    if belongs:
        keys.add(key)
    else:
        keys.discard(key)


def _point(index: dict[str, dict[JobKey, None]], blocker: str, job: JobKey, *, belongs: bool) -> None:
    jobs = index.setdefault(blocker, {})
    if belongs:
        jobs[job] = None
    else:
        jobs.pop(job, None)
    if not jobs:
        del index[blocker]
