"""The records that the store should answer with; times are those of the database, which reads a day later."""

from __future__ import annotations

from datetime import datetime, timedelta

from otelq.model import (
    AttemptRecord,
    ChainOutcome,
    ChainRecord,
    Failure,
    JobRecord,
    Status,
    Verb,
)

from .rows import Job, Model, ModelAttempt

LAG = timedelta(days=1)
"""The time by which the clock of the steps is behind that of the queries, which cannot be moved."""


def job_record(model: Model, job: Job) -> JobRecord:
    is_open = job.closed is None
    return JobRecord(
        chain_id=job.chain,
        position=job.position,
        type=job.type,
        queue=job.queue,
        status=Status(job.status(model.now + LAG)),
        input=job.input,
        created_at=job.created_at,
        priority=job.priority,
        attempt=job.attempt,
        crashes=job.crashes,
        run_at=job.run_at,
        leased_by=job.worker,
        leased_until=job.leased_until,
        closed_at=job.closed_at,
        closed_by=job.closed_by,
        output=job.output,
        failure=_failure(job.failure),
        blocked_by=len(job.wait.pending()) if job.wait else 0,
        amended_input=job.amended,
        expires_at=job.expires_at if is_open else None,
        meta=job.meta,
    )


def chain_record(model: Model, chain: str) -> ChainRecord:
    head, tail = model.chains[chain][0], model.tail(chain)
    return ChainRecord(chain_id=chain, type=head.type, head=job_record(model, head), tail=job_record(model, tail))


def attempt_records(job: Job) -> list[AttemptRecord]:
    """Return the finished attempts, earlier generations first; within one, first to last."""
    numbers = sorted({attempt.generation for attempt in job.attempts} - {0})
    return [
        _attempt(job, attempt) for number in (*numbers, 0) for attempt in job.attempts if attempt.generation == number
    ]


def _attempt(job: Job, attempt: ModelAttempt) -> AttemptRecord:
    return AttemptRecord(
        chain_id=job.chain,
        position=job.position,
        number=attempt.number,
        token=attempt.token,
        verb=Verb(attempt.verb),
        worker=attempt.worker,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        failure=_failure(attempt.failure),
        generation=attempt.generation,
    )


def chain_outcome(model: Model, chain: str) -> ChainOutcome:
    tail = model.tail(chain)
    return ChainOutcome(
        chain_id=chain,
        type=model.chains[chain][0].type,
        status=Status(tail.status(model.now + LAG)),
        output=tail.output,
        failure=_failure(tail.failure),
    )


def _failure(type: str | None) -> Failure | None:
    return None if type is None else Failure(type, "")


def first_due(model: Model, type: str, *, unexpired: bool = False) -> datetime | None:
    """Return when the next job of a type is due; with ``unexpired``, among those that have not expired."""
    waiting = (job for job in model.with_status("ready", "scheduled") if job.type == type)
    return min((job.run_at for job in waiting if not (unexpired and job.has_expired(model.now))), default=None)
