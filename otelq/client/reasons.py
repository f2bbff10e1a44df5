"""The reasons why a job does not run, as codes and sentences, from its stored records. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ..model import AttemptRecord, ChainOutcome, JobRecord, Status, Verb, WorkerRecord, job_id
from ..texts import line

MOST_BLOCKERS = 10
"""The number of blockers that are named one by one."""
MOST_WORKERS = 3
"""The number of workers that are named one by one."""


class ReasonCode(StrEnum):
    """The codes of the reasons why a job does not run, or of its state."""

    BLOCKER_OPEN = "blocker_open"
    """It waits for a chain that is open."""
    BLOCKER_LOST = "blocker_lost"
    """It waits for a chain that failed or was cancelled."""
    DELAYED = "delayed"
    """It is not due yet, as its start or its continuation said."""
    RETRIED = "retried"
    """Its latest attempt failed, and it is not due yet."""
    SNOOZED = "snoozed"
    """Its handler put it off, and it is not due yet."""
    UNDECODABLE = "undecodable"
    """A worker could not decode its input, or the output of a blocker; it is not due yet."""
    TAKEN_BACK = "taken_back"
    """Its latest attempt lost its lease, and it is not due yet."""
    RUNNING = "running"
    """A worker runs it."""
    DUE = "due"
    """It is due, and no worker has claimed it yet."""
    NO_WORKER = "no_worker"
    """No live worker is known to serve its type. Workers of an otelq without a list of workers are not known."""
    TYPE_REFUSED = "type_refused"
    """A worker that serves its type has stopped to claim it."""
    ALL_BUSY = "all_busy"
    """All slots of the workers that serve its type were in use when these were last seen."""
    SUSPECT = "suspect"
    """Workers were lost while they ran it, so it is claimed alone."""
    EXPIRES = "expires"
    """It is cancelled if it is not started in time."""
    COMPLETED = "completed"
    """It completed."""
    CONTINUED = "continued"
    """The next job of its chain took over."""
    FAILED = "failed"
    """It failed."""
    CANCELLED = "cancelled"
    """It was cancelled."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why a job does not run."""

    code: ReasonCode
    """The code, for programs."""
    text: str
    """The sentence, for people."""
    at: datetime | None = None
    """The time that the sentence names."""
    chain_id: str | None = None
    """The other chain that the sentence names."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A job and the reasons why it does not run. As text it is one line for the job and one for each reason."""

    job: JobRecord
    """The job."""
    reasons: tuple[Reason, ...]
    """The reasons, the nearest first."""

    @property
    def status(self) -> Status:
        """Return the status of the job."""
        return self.job.status

    def __str__(self) -> str:
        lines = [f"job {self.job.id} ({self.job.type}) is {self.status}", *(f"- {each.text}" for each in self.reasons)]
        return "\n".join(line(each) for each in lines)


@dataclass(frozen=True, slots=True)
class ReasonContext:
    """
    The records beside the job: its finished attempts, its blockers if it is blocked, and the open jobs of those.

    ``workers`` are the live workers of all processes, None if they are not known. ``served`` are the job types that
    workers in this process serve, which may not be among the others yet.
    """

    attempts: Sequence[AttemptRecord]
    blockers: Sequence[ChainOutcome]
    blocker_tails: Mapping[str, JobRecord]
    workers: Sequence[WorkerRecord] | None
    served: frozenset[str]


def explanation(job: JobRecord, context: ReasonContext) -> Explanation:
    """Return all reasons, the nearest first."""
    return Explanation(job, tuple(replace(each, text=line(each.text)) for each in _REASONS[job.status](job, context)))


def _blocked(job: JobRecord, context: ReasonContext) -> Iterator[Reason]:
    waiting = [one for one in context.blockers if one.status is not Status.COMPLETED]
    for blocker in waiting[:MOST_BLOCKERS]:
        yield _blocker(blocker, context.blocker_tails.get(blocker.chain_id))
    if len(waiting) > MOST_BLOCKERS:
        text = f"{len(waiting) - MOST_BLOCKERS:,} more blockers have not completed"
        yield Reason(ReasonCode.BLOCKER_OPEN, text)
    yield from _expiry(job)


def _blocker(chain: ChainOutcome, tail: JobRecord | None) -> Reason:
    named = f"chain {chain.chain_id} ({chain.type})"
    if not chain.status.is_open:
        text = f"{named} ended {chain.status}, which does not count; it may be redriven"
        return Reason(ReasonCode.BLOCKER_LOST, text, chain_id=chain.chain_id)
    return Reason(ReasonCode.BLOCKER_OPEN, f"it waits for {named}, {_state(chain, tail)}", chain_id=chain.chain_id)


def _state(chain: ChainOutcome, tail: JobRecord | None) -> str:
    if tail is None or tail.status is not chain.status:  # it changed between the two reads
        return f"which is {chain.status}"
    match tail.status:
        case Status.BLOCKED:
            return f"which waits itself for {tail.blocked_by} others"
        case Status.SCHEDULED:
            return f"whose job {tail.type!r} is due at {_time(tail.run_at)}"
        case Status.RUNNING:
            return f"whose job {tail.type!r} runs in worker {tail.leased_by}"
        case _:
            return f"whose job {tail.type!r} is {tail.status}"


def _scheduled(job: JobRecord, context: ReasonContext) -> Iterator[Reason]:
    last = context.attempts[-1] if context.attempts else None
    due = f"it is due at {_time(job.run_at)}"
    match last.verb if last else None:
        case Verb.RETRY if last:
            yield Reason(ReasonCode.RETRIED, f"attempt {last.number} failed with {_error(last)}; {due}", at=job.run_at)
        case Verb.SNOOZE if last and last.failure:
            text = f"worker {last.worker} could not decode its payload: {_error(last)}; {due}"
            yield Reason(ReasonCode.UNDECODABLE, text, at=job.run_at)
        case Verb.SNOOZE:
            yield Reason(ReasonCode.SNOOZED, f"its handler snoozed it; {due}", at=job.run_at)
        case Verb.REAP if last:
            text = f"attempt {last.number} lost its lease in worker {last.worker}; {due}"
            yield Reason(ReasonCode.TAKEN_BACK, text, at=job.run_at)
        case _:
            yield Reason(ReasonCode.DELAYED, due, at=job.run_at)
    yield from _workers(job, context)
    yield from _expiry(job)


def _running(job: JobRecord, context: ReasonContext) -> Iterator[Reason]:
    held = f"attempt {job.attempt} runs in worker {job.leased_by}"
    text = f"{held}; if that does not renew its lease by {_time(job.leased_until)}, another may take the job back"
    yield Reason(ReasonCode.RUNNING, text, at=job.leased_until)


def _ready(job: JobRecord, context: ReasonContext) -> Iterator[Reason]:
    text = f"it is due since {_time(job.run_at)}, with priority {job.priority}, and no worker has claimed it yet"
    yield Reason(ReasonCode.DUE, text, at=job.run_at)
    if job.crashes:
        text = f"workers were lost {job.crashes} times while it ran; such jobs are claimed one at a time"
        yield Reason(ReasonCode.SUSPECT, text)
    yield from _workers(job, context)
    yield from _expiry(job)


def _workers(job: JobRecord, context: ReasonContext) -> Iterator[Reason]:
    """Yield why no worker has taken a job, as far as the workers of its type are the reason."""
    serving = [worker for worker in context.workers or () if job.type in worker.types]
    refusing = [worker for worker in serving if job.type in worker.refused]
    willing = [worker for worker in serving if job.type not in worker.refused]
    if not serving and job.type not in context.served:
        yield Reason(ReasonCode.NO_WORKER, _no_worker(job, context.workers))
    for worker in refusing[:MOST_WORKERS]:
        text = f"worker {worker.name} has stopped to claim {job.type!r}: {worker.refused[job.type]}"
        yield Reason(ReasonCode.TYPE_REFUSED, text)
    if len(refusing) > MOST_WORKERS:
        text = f"{len(refusing) - MOST_WORKERS:,} more workers have stopped to claim it"
        yield Reason(ReasonCode.TYPE_REFUSED, text)
    if willing and job.status is Status.READY and all(worker.running >= worker.slots for worker in willing):
        yield _all_busy(job, willing)


def _no_worker(job: JobRecord, workers: Sequence[WorkerRecord] | None) -> str:
    if workers is None:
        return f"no worker in this process serves {job.type!r}, and the others cannot be listed"
    others = f"the {len(workers):,} that are listed serve other types" if workers else "none is listed"
    return f"no live worker is known to serve {job.type!r}; {others}"


def _all_busy(job: JobRecord, workers: Sequence[WorkerRecord]) -> Reason:
    slots, seen = sum(worker.slots for worker in workers), min(worker.seen_at for worker in workers)
    count = "the live worker" if len(workers) == 1 else f"{len(workers):,} live workers"
    text = f"all {slots:,} slots of {count} for {job.type!r} were in use when last seen, at {_time(seen)}"
    return Reason(ReasonCode.ALL_BUSY, text, at=seen)


def _expiry(job: JobRecord) -> Iterator[Reason]:
    if job.expires_at is not None and not (job.attempt or job.crashes):
        yield Reason(
            ReasonCode.EXPIRES, f"if not started by {_time(job.expires_at)}, it is cancelled", at=job.expires_at
        )


def _completed(job: JobRecord, context: ReasonContext) -> Iterator[Reason]:
    yield Reason(ReasonCode.COMPLETED, f"it completed at {_time(job.closed_at)}", at=job.closed_at)


def _continued(job: JobRecord, context: ReasonContext) -> Iterator[Reason]:
    text = f"it continued at {_time(job.closed_at)} with job {job_id(job.chain_id, job.position + 1)}"
    yield Reason(ReasonCode.CONTINUED, text, at=job.closed_at)


def _failed(job: JobRecord, context: ReasonContext) -> Iterator[Reason]:
    cause = f" with {_first_line(job.failure.type, job.failure.text)}" if job.failure else ""
    yield Reason(
        ReasonCode.FAILED, f"it failed at {_time(job.closed_at)}{cause}; redrive opens it again", at=job.closed_at
    )


def _cancelled(job: JobRecord, context: ReasonContext) -> Iterator[Reason]:
    cause = "as it was not started in time" if job.closed_by == Verb.EXPIRE else "by a caller"
    yield Reason(ReasonCode.CANCELLED, f"it was cancelled at {_time(job.closed_at)} {cause}", at=job.closed_at)


_REASONS: Mapping[Status, Callable[[JobRecord, ReasonContext], Iterator[Reason]]] = {
    Status.BLOCKED: _blocked,
    Status.SCHEDULED: _scheduled,
    Status.READY: _ready,
    Status.RUNNING: _running,
    Status.COMPLETED: _completed,
    Status.CONTINUED: _continued,
    Status.FAILED: _failed,
    Status.CANCELLED: _cancelled,
}


def _error(attempt: AttemptRecord) -> str:
    return _first_line(attempt.failure.type, attempt.failure.text) if attempt.failure else "an error"


def _first_line(type: str, text: str) -> str:
    first = text.partition("\n")[0]
    return f"{type}: {first[:200]}" if first else type


def _time(time: datetime | None) -> str:
    return "an unknown time" if time is None else time.isoformat(sep=" ", timespec="seconds")
