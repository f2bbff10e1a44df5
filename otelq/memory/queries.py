"""Questions to the tables, answered as of the last commit or as the open transaction sees it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime

from ..errors import InvalidArgument
from ..model import (
    CLOSED,
    AttemptRecord,
    ChainOutcome,
    ChainRecord,
    JobQuery,
    JobRecord,
    Page,
    Status,
    Transition,
    Verb,
)
from .store import OpenJob, Outcome, Request, Store
from .tables import K, Table, V


class Reader:
    """What a reader sees at ``now``: with ``inside``, also what the open transaction wrote."""

    def __init__(self, store: Store, now: datetime, *, inside: bool) -> None:
        self._store = store
        self._now = now
        self._inside = inside

    def outcome(self, chain_id: str) -> ChainOutcome | None:
        chain = self._get(self._store.chains, chain_id)
        if chain is None:
            return None
        tail = self._job(chain_id, self._length(chain_id) - 1)
        return ChainOutcome(
            chain_id=chain_id, type=chain.type, status=tail.status, output=tail.output, failure=tail.failure
        )

    def blocker_outputs(self, chain_id: str) -> list[ChainOutcome]:
        chain = self._get(self._store.chains, chain_id)
        outcomes = (self.outcome(blocker) for blocker in (chain.blockers if chain else ()))
        return [outcome for outcome in outcomes if outcome]

    def attempts(self, chain_id: str, position: int) -> list[AttemptRecord]:
        ended = self._get(self._store.attempts, (chain_id, position)) or ()
        return [attempt.record for attempt in ended]

    def jobs(self, query: JobQuery) -> Page[JobRecord]:
        found: list[JobRecord] = []
        for job in self._jobs_after(query):
            if not _wanted(query, job.type, job.status):
                continue
            if len(found) == query.limit:
                return Page(found, _job_key(found[-1]))
            found.append(job)
        return Page(found)

    def chains(self, query: JobQuery) -> Page[ChainRecord]:
        found: list[ChainRecord] = []
        for chain_id in self._ids(query, after=query.after):
            chain = self._chain(chain_id)
            if not _wanted(query, chain.type, chain.tail.status):
                continue
            if len(found) == query.limit:
                return Page(found, found[-1].chain_id)
            found.append(chain)
        return Page(found)

    def holds(self, made: Transition) -> bool:
        """Whether what a transition did is there to be seen."""
        key = made.chain_id, made.position
        if made.target is None or self._get(self._store.requests, key) is None:
            return made.target is None and self._get(self._store.requests, key) is None
        if made.target in CLOSED:
            outcome = self._get(self._store.outcomes, key)
            return outcome is not None and outcome.status is made.target
        return made.verb is not Verb.TRIGGER or self._is_triggered(made)

    def _is_triggered(self, made: Transition) -> bool:
        row = self._get(self._store.open, made.chain_id)
        return row is None or row.attempt > made.attempt or row.run_at <= made.at

    def _jobs_after(self, query: JobQuery) -> Iterator[JobRecord]:
        after, position = _split(query.after) if query.after else (None, -1)
        if after is not None and (not query.chain_ids or after in query.chain_ids):
            yield from self._jobs_of(after, position + 1)
        for chain_id in self._ids(query, after=after):
            yield from self._jobs_of(chain_id, 0)

    def _ids(self, query: JobQuery, *, after: str | None) -> Iterator[str]:
        """The ids of the chains to look at, newest first, those after the key only."""
        ids = sorted(query.chain_ids) if query.chain_ids else self._store.ids
        if not self._inside and (touched := self._store.chains.touched()):
            ids = sorted({*ids, *(id for id in touched if not query.chain_ids or id in query.chain_ids)})
        end = len(ids) if after is None else bisect_left(ids, after)
        return (ids[index] for index in range(end - 1, -1, -1) if self._get(self._store.chains, ids[index]))

    def _jobs_of(self, chain_id: str, start: int) -> Iterator[JobRecord]:
        for position in range(start, self._length(chain_id)):
            yield self._job(chain_id, position)

    def _chain(self, chain_id: str) -> ChainRecord:
        head = self._job(chain_id, 0)
        length = self._length(chain_id)
        tail = head if length == 1 else self._job(chain_id, length - 1)
        return ChainRecord(chain_id=chain_id, type=head.type, head=head, tail=tail)

    def _job(self, chain_id: str, position: int) -> JobRecord:
        request = self._get(self._store.requests, (chain_id, position))
        outcome = self._get(self._store.outcomes, (chain_id, position))
        assert request is not None
        if outcome is not None:
            return _closed(request, outcome)
        row = self._get(self._store.open, chain_id)
        assert row is not None
        return _open(request, row, self._now)

    def _length(self, chain_id: str) -> int:
        return self._get(self._store.lengths, chain_id) or 0

    def _get(self, table: Table[K, V], key: K) -> V | None:
        return table.get(key) if self._inside else table.committed(key)


def _wanted(query: JobQuery, type: str, status: Status) -> bool:
    return (not query.types or type in query.types) and (not query.statuses or status in query.statuses)


def _job_key(job: JobRecord) -> str:
    return f"{job.chain_id}.{job.position}"


def _split(key: str) -> tuple[str, int]:
    chain_id, dot, position = key.rpartition(".")
    if not (dot and position.isdecimal()):
        raise InvalidArgument("after", f"is {key!r}; give the `next` of the page before")
    return chain_id, int(position)


def _open(request: Request, row: OpenJob, now: datetime) -> JobRecord:
    return JobRecord(
        chain_id=request.chain_id,
        position=request.position,
        type=request.type,
        queue=request.queue,
        status=row.status(now),
        input=request.input,
        created_at=request.created_at,
        priority=row.priority,
        attempt=row.attempt,
        crashes=row.crashes,
        run_at=row.run_at,
        leased_by=row.leased_by,
        leased_until=row.leased_until,
        blocked_by=row.awaits,
        trace=request.trace,
        meta=request.meta,
    )


def _closed(request: Request, outcome: Outcome) -> JobRecord:
    return JobRecord(
        chain_id=request.chain_id,
        position=request.position,
        type=request.type,
        queue=request.queue,
        status=outcome.status,
        input=request.input,
        created_at=request.created_at,
        priority=outcome.priority,
        attempt=outcome.attempt,
        crashes=outcome.crashes,
        run_at=outcome.run_at,
        closed_at=outcome.closed_at,
        output=outcome.output,
        failure=outcome.failure,
        trace=request.trace,
        meta=request.meta,
    )
