"""The changes that starts and workers make in the model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from otelq.model import (
    LEASE_LOST,
    Blocks,
    Completes,
    Continues,
    Fails,
    NewJob,
    Outcome,
    Releases,
    Retries,
    Snoozes,
    Successor,
)

from .blockers import begin_to_wait, check_blockers, close, decide, end, follow, unblock
from .keys import holder_of, keys_of, take_keys
from .rows import Job, Key, Model


def start(model: Model, requests: Sequence[NewJob]) -> list[str]:
    """Start chains; return for each request its chain, a new one or the holder of its key."""
    counted: dict[Key, str] = {}
    found: list[str] = []
    for request in requests:
        keys = keys_of(request)
        holder = next((counted[key] for key in keys if key in counted), None)
        if holder is None:
            holder = _holder(model, request, keys) or _start(model, request)
            counted |= dict.fromkeys(keys, holder)
        found.append(holder)
    follow(model)
    return found


def _holder(model: Model, request: NewJob, keys: Sequence[Key]) -> str | None:
    if request.dedup is None:
        return None
    holders = [holder_of(model, key, request.dedup) for key in keys]
    return next((holder for holder in holders if holder is not None), None)


def _start(model: Model, request: NewJob) -> str:
    check_blockers(model, None, request.blockers)
    expires_at = None if request.expires is None else model.after(request.expires)
    job = Job(
        request.chain_id,
        0,
        request.type,
        request.input,
        request.priority,
        _due(model, request),
        model.now,
        queue=request.queue,
        meta=request.meta,
        expires_at=expires_at,
    )
    model.chains[job.chain] = [job]
    if request.dedup:
        take_keys(model, job, keys_of(request), request.dedup)
    _enter(model, job, request)
    return job.chain


def _enter(model: Model, job: Job, request: NewJob | Successor) -> None:
    """Enter a new job: it is blocked, or due, or fails at once."""
    begin_to_wait(model, job, blockers=request.blockers, until=request.until, on_failure=request.on_failure)
    model.move("create", job, None, job.status(model.now))
    decide(model, job)


def _due(model: Model, request: NewJob | Successor) -> datetime:
    if request.at is not None:
        return max(request.at, model.now)
    return model.after(max(request.delay or 0, 0))


def lease(model: Model, job: Job, *, token: int, worker: str, seconds: float, timeout: float | None) -> None:
    job.attempt += 1
    job.token, job.worker, job.claimed_at = token, worker, model.now
    job.deadline = None if timeout is None else model.after(timeout)
    hold(model, job, seconds)
    model.move("claim", job, "ready", "running")


def hold(model: Model, job: Job, seconds: float) -> None:
    """Extend a lease from now, never past the deadline."""
    until = model.after(seconds)
    job.leased_until = until if job.deadline is None else min(until, job.deadline)


def settle(model: Model, job: Job, outcome: Outcome) -> None:
    """Apply an outcome to the job that is held; ``follow`` comes after the batch."""
    match outcome:
        case Completes(output):
            close(model, job, verb="complete", status="completed", output=output)
        case Fails(failure):
            close(model, job, verb="fail", status="failed", failure=failure.type)
        case Continues(successor):
            go_on(model, job, verb="continue", successor=successor)
        case Retries(delay, failure):
            put_back(model, job, verb="retry", delay=delay, failure=failure.type)
        case Snoozes(delay, failure):
            put_back(
                model, job, verb="snooze", delay=delay, failure=None if failure is None else failure.type, given_back=1
            )
        case Releases():
            put_back(model, job, verb="release", given_back=1)
        case Blocks():
            block(model, job, outcome)


def go_on(model: Model, job: Job, *, verb: str, successor: Successor) -> Job:
    """Continue a chain into its next job."""
    check_blockers(model, job.chain, successor.blockers)
    model.move(verb, job, job.status(model.now), "continued")
    end(model, job, verb=verb, status="continued")
    following = Job(
        job.chain,
        job.position + 1,
        successor.type,
        successor.input,
        job.priority if successor.priority is None else successor.priority,
        _due(model, successor),
        model.now,
        queue=successor.queue,
        meta=successor.meta,
    )
    model.chains[job.chain].append(following)
    _enter(model, following, successor)
    return following


def block(model: Model, job: Job, outcome: Blocks) -> None:
    """Let a running job wait; if nothing is left to wait for, it is unblocked or fails at once."""
    check_blockers(model, job.chain, outcome.blockers)
    begin_to_wait(model, job, blockers=outcome.blockers, until=outcome.until, on_failure=outcome.on_failure)
    job.end_attempt("block", model.now)
    job.unlease()
    model.move("block", job, "running", "blocked")
    job.attempt -= 1
    job.run_at = model.now
    if job.wait is None:
        unblock(model, job)
    decide(model, job)


def put_back(
    model: Model,
    job: Job,
    *,
    verb: str,
    delay: float = 0.0,
    failure: str | None = None,
    given_back: int = 0,
    crash: int = 0,
    on_record: bool = True,
) -> None:
    """Let a running job wait for its next attempt."""
    if on_record:
        job.end_attempt(verb, model.now, failure=failure)
    job.unlease()
    job.run_at = model.after(delay)
    model.move(verb, job, "running", job.status(model.now))
    job.attempt -= given_back
    job.crashes += crash


def release_claim(model: Model, token: int) -> None:
    """Give back what a claim leased; no attempt began, so there is none on record."""
    for job in model.open():
        if job.token == token:
            put_back(model, job, verb="release", given_back=1, on_record=False)


def reap(
    model: Model,
    *,
    type: str,
    max_attempts: int | None,
    max_crashes: int,
    delay: float,
    except_tokens: Sequence[int] = (),
) -> None:
    """Take back the jobs whose lease ran out."""
    for job in model.open():
        lost = job.type == type and job.leased_until is not None and job.leased_until <= model.now
        if lost and job.token not in except_tokens:
            lose(model, job, hopeless=_is_spent(job, max_attempts, max_crashes), delay=delay)
    follow(model)


def lose(model: Model, job: Job, *, hopeless: bool, delay: float) -> None:
    if hopeless:
        close(model, job, verb="reap", status="failed", failure=LEASE_LOST)
        job.crashes += 1
    else:
        put_back(model, job, verb="reap", delay=delay, failure=LEASE_LOST, crash=1)


def _is_spent(job: Job, max_attempts: int | None, max_crashes: int) -> bool:
    return (max_attempts is not None and job.attempt >= max_attempts) or job.crashes + 1 >= max_crashes
