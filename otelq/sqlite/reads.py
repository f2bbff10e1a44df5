"""Queries about chains, attempts and due times. All statements of one verb see the same snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

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
    """The state of a chain. Without a status it is neither open nor closed, as after rows were deleted by hand."""

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
    """The committed state of the job of a transition, and of the time of that transition."""

    index: int
    created_at: int | None
    closed: Status | None
    taken_over: int
    redriven: int
    run_at: int | None
    attempt: int | None


_STATES = Decoder(list[ChainState])
_ATTEMPTS = Decoder(list[AttemptRow])
_VISIBLE = Decoder(list[VisibleJob])
_BLOCKERS = Decoder(list[tuple[int, str]])


async def outcomes(db: SqliteSession, at: int, *, chain_ids: Sequence[str]) -> dict[str, ChainOutcome]:
    """Return the state of each chain."""
    rows = await db.read("read_outcomes", _STATES, chains=batch(chain_ids), now=at)
    return {row.chain_id: _outcome(row, row.status) for row in rows if row.status is not None}


async def blocker_outputs(db: SqliteSession, at: int, *, jobs: Sequence[JobKey]) -> dict[JobKey, list[ChainOutcome]]:
    """Return the state of each job's blockers, in the order in which they were given."""
    blockers = await db.read("read_blockers", _BLOCKERS, jobs=batch(jobs))
    states = await outcomes(db, at, chain_ids=list({blocker for _, blocker in blockers}))
    found: defaultdict[JobKey, list[ChainOutcome]] = defaultdict(list)
    for index, blocker in blockers:
        if blocker in states:
            found[jobs[index]].append(states[blocker])
    return dict(found)


async def attempts(db: SqliteSession, at: int, *, chain_id: str, position: int) -> list[AttemptRecord]:
    """Return the finished attempts of a job."""
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
    """Return the open jobs of chains, in the order given. The transaction that asks holds the write lock."""
    keys = {job.chain_id: (job.chain_id, job.position) for job in await open_jobs(db, chain_ids)}
    records = await read_records(db, at, list(keys.values()))
    return [records[keys[chain_id]] for chain_id in chain_ids]


async def next_due(db: SqliteSession, at: int, *, types: Sequence[str]) -> float | None:
    """Return the seconds until the earliest job of the types is due."""
    for run_at in await db.read("next_due", NUMBERS, types=batch(types), now=at):
        return max(run_at - at, 0) / 1_000_000
    return None


async def next_maintenance(
    db: SqliteSession, at: int, *, types: Sequence[str], except_tokens: Collection[int]
) -> float | None:
    """Return the seconds until a lease runs out, a job expires or dependents are pending; None if there is nothing."""
    tokens = batch(list(except_tokens))
    for first in await db.read("next_maintenance", NUMBERS, types=batch(types), except_tokens=tokens, now=at):
        return max(first - at, 0) / 1_000_000
    return None


async def were_committed(db: SqliteSession, at: int, *, transitions: Sequence[Transition]) -> list[bool | None]:
    """Return whether each transition is visible; None for one that leaves no trace of its own."""
    # By the time of the transition: a row with exactly that time was written by its statement.
    keys = batch([(transition.chain_id, transition.position, to_micros(transition.at)) for transition in transitions])
    visible = {row.index: row for row in await db.read("were_committed", _VISIBLE, jobs=keys)}
    return [_is_present(transition, visible[index]) for index, transition in enumerate(transitions)]


def _is_present(transition: Transition, visible: VisibleJob) -> bool | None:
    if transition.target is None or visible.created_at is None:
        return (transition.target is None) == (visible.created_at is None)
    if transition.target in CLOSED:
        return visible.closed is transition.target
    match transition.verb:
        case Verb.CREATE:
            return visible.created_at == to_micros(transition.at)
        case Verb.TRIGGER:
            # A job that moved on since was triggered: it could not have been claimed before its time.
            has_moved = visible.run_at is None or visible.attempt != transition.attempt
            return has_moved or to_datetime(visible.run_at or 0) <= transition.at
        case Verb.TAKE_OVER:
            return bool(visible.taken_over)
        case Verb.REDRIVE:
            return bool(visible.redriven)
        case _:
            return None


def _outcome(row: ChainState, status: Status) -> ChainOutcome:
    return ChainOutcome(chain_id=row.chain_id, type=row.type, status=status, output=row.output, failure=_failure(row))


def _failure(row: ChainState | AttemptRow) -> Failure | None:
    return None if row.error_type is None else Failure(row.error_type, row.error_text or "")
