"""Questions: each statement is asked of one snapshot, and pages go by key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import Decoder

from ..errors import InvalidArgument
from ..model import (
    CLOSED,
    ENDED,
    OPEN,
    AttemptRecord,
    ChainOutcome,
    ChainRecord,
    Failure,
    JobKey,
    JobQuery,
    JobRecord,
    Page,
    Status,
    Transition,
    Verb,
)
from .rows import NUMBERS, when
from .session import Session, Value, batch

_BAD_ENDS = frozenset({Status.FAILED, Status.CANCELLED})
_HIGHEST = "\U0010ffff"


class JobRow(Struct, frozen=True, array_like=True):
    """A job as the lists select it."""

    chain_id: str
    position: int
    type: str
    queue: str
    status: Status
    input: str
    created_at: int
    priority: int
    attempt: int
    crashes: int
    run_at: int | None
    leased_by: str | None
    leased_until: int | None
    closed_at: int | None
    output: str | None
    error_type: str | None
    error_text: str | None
    blocked_by: int
    trace: str | None
    meta: str | None
    chain_type: str


class Standing(Struct, frozen=True, array_like=True):
    """How a chain stands."""

    chain_id: str
    type: str
    status: Status
    output: str | None
    error_type: str | None
    error_text: str | None


class AttemptRow(Struct, frozen=True, array_like=True):
    """A finished attempt."""

    number: int
    token: int | None
    verb: Verb
    worker: str | None
    claimed_at: int | None
    ended_at: int
    error_type: str | None
    error_text: str | None
    trace: str | None
    generation: int


class Seen(Struct, frozen=True, array_like=True):
    """What is to be seen of the job of a transition."""

    nr: int
    exists: int
    closed: Status | None
    run_at: int | None
    attempt: int | None


_JOBS = Decoder(list[JobRow])
_STANDINGS = Decoder(list[Standing])
_ATTEMPTS = Decoder(list[AttemptRow])
_SEEN = Decoder(list[Seen])
_EDGES = Decoder(list[tuple[int, str]])


async def outcomes(db: Session, at: int, *, chain_ids: Sequence[str]) -> dict[str, ChainOutcome]:
    """How chains stand."""
    rows = await db.read("outcomes", _STANDINGS, chains=batch(chain_ids), now=at)
    return {row.chain_id: _outcome(row) for row in rows}


async def blocker_outputs(db: Session, at: int, *, jobs: Sequence[JobKey]) -> dict[JobKey, list[ChainOutcome]]:
    """How the blockers of jobs stand, in the order in which they were given; a job without any is left out."""
    edges = await db.read("blockers_of", _EDGES, jobs=batch(jobs))
    standing = await outcomes(db, at, chain_ids=list({blocker for _, blocker in edges}))
    found: defaultdict[JobKey, list[ChainOutcome]] = defaultdict(list)
    for nr, blocker in edges:
        if blocker in standing:
            found[jobs[nr]].append(standing[blocker])
    return dict(found)


async def attempts(db: Session, at: int, *, chain_id: str, position: int) -> list[AttemptRecord]:
    """The finished attempts of a job."""
    rows = await db.read("attempts", _ATTEMPTS, chain=chain_id, position=position)
    return [
        AttemptRecord(
            chain_id=chain_id,
            position=position,
            number=row.number,
            token=row.token,
            verb=row.verb,
            worker=row.worker,
            started_at=None if row.claimed_at is None else when(row.claimed_at),
            ended_at=when(row.ended_at),
            failure=_failure(row),
            trace=row.trace,
            generation=row.generation,
        )
        for row in rows
    ]


async def jobs(db: Session, at: int, *, query: JobQuery) -> Page[JobRecord]:
    """A page of jobs."""
    rows = await _page(db, at, "jobs", query, query.statuses or frozenset(Status), _split(query.after))
    more = f"{rows[query.limit - 1].chain_id}.{rows[query.limit - 1].position}" if len(rows) > query.limit else None
    return Page([_job(row) for row in rows[: query.limit]], more)


async def chains(db: Session, at: int, *, query: JobQuery) -> Page[ChainRecord]:
    """A page of chains."""
    # A chain is listed by its tail, so a position beyond any other passes the whole chain of the key over.
    after = None if query.after is None else (query.after, 1 << 62)
    tails = await _page(db, at, "chains", query, (query.statuses or frozenset(Status)) & (OPEN | ENDED), after)
    more = tails[query.limit - 1].chain_id if len(tails) > query.limit else None
    tails = tails[: query.limit]
    longer = [tail.chain_id for tail in tails if tail.position]
    heads = {row.chain_id: row for row in await db.read("heads", _JOBS, chains=batch(longer))} if longer else {}
    return Page([_chain(heads.get(tail.chain_id, tail), tail) for tail in tails], more)


async def next_due(db: Session, at: int, *, types: Sequence[str]) -> float | None:
    """Seconds until the earliest job of the types is due."""
    for run_at in await db.read("next_due", NUMBERS, types=batch(types), now=at):
        return max(run_at - at, 0) / 1_000_000
    return None


async def present(db: Session, at: int, *, transitions: Sequence[Transition]) -> list[bool]:
    """Whether what transitions did is there to be seen."""
    keys = batch([(made.chain_id, made.position) for made in transitions])
    seen = {row.nr: row for row in await db.read("present", _SEEN, jobs=keys)}
    return [_is_present(made, seen[nr]) for nr, made in enumerate(transitions)]


def _is_present(made: Transition, seen: Seen) -> bool:
    if made.target is None or not seen.exists:
        return made.target is None and not seen.exists
    if made.target in CLOSED:
        return seen.closed is made.target
    if made.verb is Verb.TRIGGER and seen.run_at is not None and seen.attempt == made.attempt:
        return when(seen.run_at) <= made.at
    return True


async def _page(
    db: Session,
    at: int,
    unit: str,
    query: JobQuery,
    statuses: frozenset[Status],
    after: tuple[str, int] | None,
) -> list[JobRow]:
    """One item more than asked for, merged from the open and the closed ones."""
    bounds = _bounds(query, after)
    if bounds is None:
        return []
    bounds["types"] = batch(query.types) if query.types else None
    bounds["most"] = query.limit + 1
    rows: list[JobRow] = []
    if statuses & OPEN:
        rows += await db.read(f"{unit}_open", _JOBS, statuses=batch(list(statuses & OPEN)), now=at, **bounds)
    closed = statuses & CLOSED
    if closed and closed <= _BAD_ENDS:
        for status in closed:
            rows += await db.read(f"{unit}_ended_badly", _JOBS, status=status, **bounds)
    elif closed:
        rows += await db.read(f"{unit}_closed", _JOBS, statuses=batch(list(closed)), **bounds)
    rows.sort(key=lambda row: row.position)
    rows.sort(key=lambda row: row.chain_id, reverse=True)
    return rows[: query.limit + 1]


def _bounds(query: JobQuery, after: tuple[str, int] | None) -> dict[str, Value] | None:
    """Between which keys to look; None if nothing can be there."""
    chain_id, position = after or (_HIGHEST, -1)
    chain = query.chain_ids[0] if query.chain_ids else None
    if chain is None:
        return {"low": "", "high": chain_id, "position": position}
    if chain > chain_id:
        return None
    position = position if chain == chain_id else -1
    return {"low": chain, "high": chain, "position": position}


def _split(after: str | None) -> tuple[str, int] | None:
    if after is None:
        return None
    chain_id, dot, position = after.rpartition(".")
    if not (dot and position.isdecimal()):
        raise InvalidArgument("after", f"is {after!r}; give the `next` of the page before")
    return chain_id, int(position)


def _outcome(row: Standing) -> ChainOutcome:
    return ChainOutcome(
        chain_id=row.chain_id, type=row.type, status=row.status, output=row.output, failure=_failure(row)
    )


def _failure(row: Standing | AttemptRow | JobRow) -> Failure | None:
    return None if row.error_type is None else Failure(row.error_type, row.error_text or "")


def _chain(head: JobRow, tail: JobRow) -> ChainRecord:
    record = _job(tail)
    return ChainRecord(
        chain_id=tail.chain_id,
        type=tail.chain_type,
        head=record if head is tail else _job(head),
        tail=record,
    )


def _job(row: JobRow) -> JobRecord:
    return JobRecord(
        chain_id=row.chain_id,
        position=row.position,
        type=row.type,
        queue=row.queue,
        status=row.status,
        input=row.input,
        created_at=when(row.created_at),
        priority=row.priority,
        attempt=row.attempt,
        crashes=row.crashes,
        run_at=None if row.run_at is None else when(row.run_at),
        leased_by=row.leased_by,
        leased_until=None if row.leased_until is None else when(row.leased_until),
        closed_at=None if row.closed_at is None else when(row.closed_at),
        output=row.output,
        failure=_failure(row),
        blocked_by=row.blocked_by,
        trace=row.trace,
        meta=row.meta,
    )
