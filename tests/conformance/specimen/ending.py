"""The end of an attempt, and of a job."""

from __future__ import annotations

from msgspec.structs import replace

from otelq.model import AttemptRecord, Claimed, Failure, Status, Transition, Verb

from . import keys
from .statement import Statement
from .store import Ended, OpenJob, Outcome


def close(
    db: Statement,
    row: OpenJob,
    *,
    verb: Verb,
    status: Status,
    output: str | None = None,
    failure: Failure | None = None,
    worker: str | None = None,
) -> None:
    """End a chain at its open job; those that wait for it are told by ``unblocking.follow``."""
    put_outcome(db, row, verb=verb, status=status, output=output, failure=failure)
    db.store.open.pop(row.chain_id)
    keys.free(db, row.chain_id)
    db.closed.append(row.chain_id)
    error_type = failure.type if failure else None
    db.note(verb, row, source=row.status(db.now), target=status, error_type=error_type, worker=worker)


def put_outcome(
    db: Statement,
    row: OpenJob,
    *,
    verb: Verb,
    status: Status,
    output: str | None = None,
    failure: Failure | None = None,
) -> None:
    """Write down how a job closed."""
    outcome = Outcome(status=status, verb=verb, closed_at=db.now, row=row, output=output, failure=failure)
    db.store.outcomes.put((row.chain_id, row.position), outcome)


def last_outcome(db: Statement, chain_id: str) -> Outcome:
    """How the tail of a closed chain ended."""
    return db.store.outcomes[chain_id, db.store.lengths[chain_id] - 1]


def end_attempt(
    db: Statement,
    row: OpenJob,
    *,
    ending: Transition,
    failure: Failure | None = None,
    trace: str | None = None,
    made: tuple[Transition, ...] | None = None,
    kept: Claimed | None = None,
) -> None:
    """Write down the attempt of a running job that ``ending`` ended."""
    record = AttemptRecord(
        chain_id=row.chain_id,
        position=row.position,
        number=row.attempt,
        token=row.token,
        verb=ending.verb,
        worker=ending.worker or row.leased_by,
        started_at=row.claimed_at,
        ended_at=db.now,
        failure=failure,
        trace=trace,
    )
    key = row.chain_id, row.position
    earlier = db.store.attempts.get(key) or ()
    db.store.attempts.put(key, (*earlier, Ended(record=record, made=made, kept=kept)))


def unleased(row: OpenJob) -> OpenJob:
    """The job without its lease."""
    return replace(row, token=None, leased_by=None, claimed_at=None, leased_until=None, deadline=None)
