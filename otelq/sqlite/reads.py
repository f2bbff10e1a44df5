"""Questions: each statement is asked of one snapshot, and pages go by key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import Decoder

from ..model import (
    CLOSED,
    AttemptRecord,
    ChainOutcome,
    Failure,
    JobKey,
    JobRecord,
    Status,
    Transition,
    Verb,
)
from .job_records import read_records
from .open_jobs import open_jobs
from .rows import NUMBERS, to_datetime, to_micros
from .session import SqliteSession, batch

_BAD_ENDS = frozenset({Status.FAILED, Status.CANCELLED})
_HIGHEST = "\U0010ffff"


class ChainState(Struct, frozen=True, array_like=True):
    """How a chain stands; without a status if it is neither open nor closed, as when rows were removed by hand."""

    chain_id: str
    type: str
    status: Status | None
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


class VisibleJob(Struct, frozen=True, array_like=True):
    """What is to be seen of the job of a transition, and of its time."""

    index: int
    created_at: int | None
    closed: Status | None
    taken_over: int
    closed_at: int | None
    run_at: int | None
    attempt: int | None


_STATES = Decoder(list[ChainState])
_ATTEMPTS = Decoder(list[AttemptRow])
_SEEN = Decoder(list[VisibleJob])
_EDGES = Decoder(list[tuple[int, str]])


async def outcomes(db: SqliteSession, at: int, *, chain_ids: Sequence[str]) -> dict[str, ChainOutcome]:
    """How chains stand."""
    rows = await db.read("read_outcomes", _STATES, chains=batch(chain_ids), now=at)
    return {row.chain_id: _outcome(row, row.status) for row in rows if row.status is not None}


async def blocker_outputs(db: SqliteSession, at: int, *, jobs: Sequence[JobKey]) -> dict[JobKey, list[ChainOutcome]]:
    """How the blockers of jobs stand, in the order in which they were given; a job without any is left out."""
    edges = await db.read("read_blockers", _EDGES, jobs=batch(jobs))
    standing = await outcomes(db, at, chain_ids=list({blocker for _, blocker in edges}))
    found: defaultdict[JobKey, list[ChainOutcome]] = defaultdict(list)
    for index, blocker in edges:
        if blocker in standing:
            found[jobs[index]].append(standing[blocker])
    return dict(found)


async def attempts(db: SqliteSession, at: int, *, chain_id: str, position: int) -> list[AttemptRecord]:
    """The finished attempts of a job."""
    rows = await db.read("read_attempts", _ATTEMPTS, chain=chain_id, position=position)
    return [
        AttemptRecord(
            chain_id=chain_id,
            position=position,
            number=row.number,
            token=row.token,
            verb=row.verb,
            worker=row.worker,
            started_at=None if row.claimed_at is None else to_datetime(row.claimed_at),
            ended_at=to_datetime(row.ended_at),
            failure=_failure(row),
            trace=row.trace,
            generation=row.generation,
        )
        for row in rows
    ]


async def lock(db: SqliteSession, at: int, *, chain_ids: Sequence[str]) -> list[JobRecord]:
    """The open jobs of chains, in the order given; the transaction that asks holds the write lock."""
    keys = {job.chain_id: (job.chain_id, job.position) for job in await open_jobs(db, chain_ids)}
    records = await read_records(db, at, list(keys.values()))
    return [records[keys[chain_id]] for chain_id in chain_ids]


async def next_due(db: SqliteSession, at: int, *, types: Sequence[str]) -> float | None:
    """Seconds until the earliest job of the types is due."""
    for run_at in await db.read("next_due", NUMBERS, types=batch(types), now=at):
        return max(run_at - at, 0) / 1_000_000
    return None


async def were_committed(db: SqliteSession, at: int, *, transitions: Sequence[Transition]) -> list[bool | None]:
    """Whether what transitions did is there to be seen; None where it leaves no trace of its own."""
    keys = batch([(made.chain_id, made.position, to_micros(made.at)) for made in transitions])
    seen = {row.index: row for row in await db.read("were_committed", _SEEN, jobs=keys)}
    return [_is_present(made, seen[index]) for index, made in enumerate(transitions)]


def _is_present(made: Transition, seen: VisibleJob) -> bool | None:
    if made.target is None or seen.created_at is None:
        return (made.target is None) == (seen.created_at is None)
    if made.target in CLOSED:
        return seen.closed is made.target
    match made.verb:
        case Verb.CREATE:
            return seen.created_at == to_micros(made.at)
        case Verb.TRIGGER:
            # A job that has moved on since was triggered, or could not have been claimed before its time.
            has_moved = seen.run_at is None or seen.attempt != made.attempt
            return has_moved or to_datetime(seen.run_at or 0) <= made.at
        case Verb.TAKE_OVER:
            return bool(seen.taken_over)
        case Verb.REDRIVE:
            # The end that it undid is the last no more.
            return seen.closed_at is None or seen.closed_at > to_micros(made.at)
        case _:
            return None


def _outcome(row: ChainState, status: Status) -> ChainOutcome:
    return ChainOutcome(chain_id=row.chain_id, type=row.type, status=status, output=row.output, failure=_failure(row))


def _failure(row: ChainState | AttemptRow) -> Failure | None:
    return None if row.error_type is None else Failure(row.error_type, row.error_text or "")
