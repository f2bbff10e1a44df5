"""Questions to the tables, answered as of the last commit or as the open transaction sees it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Literal, TypeVar

from otelq.errors import InvalidArgument, JobAlreadyClosed, NotFound
from otelq.model import (
    CLOSED,
    AttemptRecord,
    ChainOutcome,
    ChainRecord,
    Count,
    JobKey,
    JobQuery,
    JobRecord,
    Page,
    Transition,
    Verb,
)

from . import filters
from .store import OpenJob, Outcome, Request, Store
from .tables import K, Table, V

T = TypeVar("T")


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
        tail = self._tail(chain_id)
        return ChainOutcome(
            chain_id=chain_id, type=chain.type, status=tail.status, output=tail.output, failure=tail.failure
        )

    def blocker_outputs(self, job: JobKey) -> list[ChainOutcome]:
        outcomes = (self.outcome(blocker) for blocker in self._get(self._store.blockers, job) or ())
        return [outcome for outcome in outcomes if outcome]

    def attempts(self, chain_id: str, position: int) -> list[AttemptRecord]:
        ended = self._get(self._store.attempts, (chain_id, position)) or ()
        return [attempt.record for attempt in ended]

    def open_job(self, chain_id: str) -> JobRecord:
        """
        The open job of a chain.

        Raises:
            NotFound: there is no such chain.
            JobAlreadyClosed: the chain is closed.
        """
        if self._get(self._store.chains, chain_id) is None:
            raise NotFound(f"there is no chain {chain_id}")
        tail = self._tail(chain_id)
        if tail.status in CLOSED:
            raise JobAlreadyClosed(f"chain {chain_id} is {tail.status}")
        return tail

    # Lists

    def jobs(self, query: JobQuery) -> Page[JobRecord]:
        after, position = _split(query.after) if query.after else (None, -1)
        given = self._dependents(query.blocked_by)
        jobs = (
            job
            for chain_id in self._ids(query, last=after)
            for job in self._jobs_of(chain_id, position + 1 if chain_id == after else 0)
        )

        def wanted(job: JobRecord) -> bool:
            is_given = query.blocked_by is None or (job.chain_id, job.position) in given
            return is_given and self._has_right_place(query, job.chain_id) and filters.passes(query, self._subject(job))

        return page(query, jobs, wanted=wanted, key=lambda job: job.id)

    def chains(self, query: JobQuery) -> Page[ChainRecord]:
        ids = (chain_id for chain_id in self._ids(query, last=query.after) if chain_id != query.after)

        def wanted(chain: ChainRecord) -> bool:
            return self._has_right_place(query, chain.chain_id) and filters.passes(query, filters.of_chain(chain))

        return page(query, map(self._chain, ids), wanted=wanted, key=lambda chain: chain.chain_id)

    def count(self, query: JobQuery, *, of: Literal["jobs", "chains"]) -> Count:
        found = self.jobs(query) if of == "jobs" else self.chains(query)
        return Count(len(found.items), exact=found.next is None)

    def _has_right_place(self, query: JobQuery, chain_id: str) -> bool:
        """Whether the chain is nobody's blocker, if that is wanted."""
        return not (query.roots and self._dependents(chain_id))

    def _subject(self, job: JobRecord) -> filters.Subject:
        chain = self._get(self._store.chains, job.chain_id)
        assert chain is not None
        return filters.of_job(job, chain_type=chain.type)

    def _ids(self, query: JobQuery, *, last: str | None) -> Iterator[str]:
        """The ids of the chains to look at, newest first, from ``last`` on."""
        ids = self._candidates(query)
        since, until = filters.bounds(query)
        end = bisect_right(ids, until)
        if last is not None:
            end = min(end, bisect_right(ids, last))
        newest_first = (ids[index] for index in range(end - 1, bisect_left(ids, since) - 1, -1))
        return (chain_id for chain_id in newest_first if self._get(self._store.chains, chain_id))

    def _candidates(self, query: JobQuery) -> list[str]:
        """The ids among which those wanted are, in order; some may not exist."""
        if query.blocked_by is not None:
            dependents = {chain_id for chain_id, _ in self._dependents(query.blocked_by)}
            return sorted(dependents & set(query.chain_ids) if query.chain_ids else dependents)
        if query.chain_ids:
            return sorted(set(query.chain_ids))
        touched = () if self._inside else self._store.chains.touched()
        return sorted({*self._store.ids, *touched}) if touched else self._store.ids

    def _dependents(self, blocker: str | None) -> Collection[JobKey]:
        """The jobs that were ever given this blocker."""
        if blocker is None:
            return ()
        keys = {(*job, blocker) for job in self._store.dependents(blocker)}
        if not self._inside:
            keys.update(edge for edge in self._store.edges.touched() if edge[2] == blocker)
        return {(chain_id, position) for chain_id, position, _ in keys if self._has_edge(chain_id, position, blocker)}

    def _has_edge(self, chain_id: str, position: int, blocker: str) -> bool:
        return self._get(self._store.edges, (chain_id, position, blocker)) is not None

    def _jobs_of(self, chain_id: str, start: int) -> Iterator[JobRecord]:
        for position in range(start, self._length(chain_id)):
            yield self._job(chain_id, position)

    def _chain(self, chain_id: str) -> ChainRecord:
        head = self._job(chain_id, 0)
        tail = head if self._length(chain_id) == 1 else self._tail(chain_id)
        return ChainRecord(chain_id=chain_id, type=head.type, head=head, tail=tail)

    def _tail(self, chain_id: str) -> JobRecord:
        return self._job(chain_id, self._length(chain_id) - 1)

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

    # What happened

    def holds(self, made: Transition) -> bool | None:
        """Whether what a transition did is there to be seen; None: that leaves no trace."""
        key = made.chain_id, made.position
        request = self._get(self._store.requests, key)
        if made.target is None:
            return request is None
        if made.verb is Verb.AMEND:
            return None
        if made.verb is Verb.CREATE:
            return request is not None and request.created_at == made.at
        return request is not None and self._has_happened(made, key)

    def _has_happened(self, made: Transition, key: JobKey) -> bool:
        if made.target in CLOSED:
            return any((one.status, one.closed_at) == (made.target, made.at) for one in self._outcomes(key))
        match made.verb:
            case Verb.TRIGGER:
                row = self._get(self._store.open, made.chain_id)
                return row is None or row.attempt > made.attempt or row.run_at <= made.at
            case Verb.TAKE_OVER:
                return any((one.verb, one.ended_at) == (made.verb, made.at) for one in self.attempts(*key))
            case Verb.REDRIVE:
                return any(one.at == made.at for one in self._get(self._store.reopened, key) or ())
            case _:
                return True

    def _outcomes(self, key: JobKey) -> Iterator[Outcome]:
        """How a job closed, each time that it did."""
        for reopened in self._get(self._store.reopened, key) or ():
            yield reopened.outcome
        if outcome := self._get(self._store.outcomes, key):
            yield outcome


def page(query: JobQuery, rows: Iterator[T], *, wanted: Callable[[T], bool], key: Callable[[T], str]) -> Page[T]:
    """The first rows that are wanted; at most ``look`` are looked at."""
    found: list[T] = []
    last = ""
    for looked, row in enumerate(rows):
        if looked == query.scan_limit:
            return Page(found, last)
        last = key(row)
        if not wanted(row):
            continue
        if len(found) == query.limit:
            return Page(found, key(found[-1]))
        found.append(row)
    return Page(found)


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
        amended_input=request.amended,
        expires_at=row.expires_at,
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
        priority=outcome.row.priority,
        attempt=outcome.row.attempt,
        crashes=outcome.row.crashes,
        run_at=outcome.row.run_at,
        closed_at=outcome.closed_at,
        output=outcome.output,
        failure=outcome.failure,
        amended_input=request.amended,
        trace=request.trace,
        meta=request.meta,
    )
