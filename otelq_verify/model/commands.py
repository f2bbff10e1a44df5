"""Changes of jobs by request: from outside, without a lease."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from otelq.model import Amendment, Closure, Completes

from .blockers import Impossible, close, follow, reaches, wait_for
from .keys import give_back_keys, take_back_keys
from .leases import go_on, put_back
from .rows import Job, Model, ModelAttempt


def open_tail(model: Model, chain: str) -> Job:
    if chain not in model.chains:
        raise Impossible("NotFound")
    job = model.tail(chain)
    if job.closed:
        raise Impossible("JobAlreadyClosed")
    return job


def check_step(model: Model, job: Job, steps: Sequence[str]) -> None:
    if not steps or job.type in steps:
        return
    earlier = any(job.type in steps for job in model.chains[job.chain][:-1])
    raise Impossible("JobAlreadyClosed" if earlier else "JobTypeMismatch")


def complete_externally(model: Model, closure: Closure) -> None:
    job = open_tail(model, closure.chain_id)
    check_step(model, job, closure.steps)
    if isinstance(closure.outcome, Completes):
        close(model, job, verb="complete_externally", status="completed", output=closure.outcome.output)
    else:
        go_on(model, job, verb="complete_externally", successor=closure.outcome.successor)
    follow(model)


def cancel(model: Model, chains: Sequence[str], *, verb: str = "cancel") -> None:
    for job in [open_tail(model, chain) for chain in chains]:
        close(model, job, verb=verb, status="cancelled")
    follow(model)


def expire(model: Model) -> None:
    cancel(model, [job.chain for job in model.open() if job.has_expired(model.now)], verb="expire")


def trigger(model: Model, chains: Sequence[str]) -> None:
    for job in [open_tail(model, chain) for chain in chains]:
        match job.status(model.now):
            case "scheduled":
                job.run_at = model.now
                model.move("trigger", job, "scheduled", "ready")
            case "ready":
                pass
            case _:
                raise Impossible("InvalidArgument")


def amend(model: Model, amendment: Amendment) -> None:
    job = open_tail(model, amendment.chain_id)
    check_step(model, job, amendment.steps)
    if job.token is not None:
        raise Impossible("InvalidArgument")
    source = job.status(model.now)
    if amendment.priority is not None:
        job.priority = amendment.priority
    if amendment.input is not None:
        job.amended = amendment.input
    if amendment.at is not None:
        job.run_at = max(amendment.at, model.now)
    if amendment.delay is not None:
        job.run_at = model.after(max(amendment.delay, 0))
    model.move("amend", job, source, job.status(model.now))


def take_over(model: Model, chains: Sequence[str]) -> None:
    for job in [open_tail(model, chain) for chain in chains]:
        if job.token is None:
            raise Impossible("InvalidArgument")
        put_back(model, job, verb="take_over")


def redrive(model: Model, chains: Sequence[str]) -> None:
    """Open chains again, together: those of the call count as open for each other."""
    for chain in chains:
        if chain not in model.chains:
            raise Impossible("NotFound")
        if model.tail(chain).closed not in ("failed", "cancelled"):
            raise Impossible("InvalidArgument")
        if not take_back_keys(model, chain):
            raise Impossible("AlreadyExists")
    for job in [model.tail(chain) for chain in chains]:
        _open_again(model, job, chains)
    for chain in chains:
        wait = model.tail(chain).wait
        if wait and any(reaches(model, blocker, goal=chain) for blocker in wait.pending()):
            raise Impossible("InvalidArgument")


def _open_again(model: Model, job: Job, together: Collection[str]) -> None:
    assert job.closed
    assert job.closed_by
    assert job.closed_at
    job.wait = wait_for(model, chains=job.blockers, until=job.until, on_failure=job.on_failure, open_again=together)
    if job.wait and job.wait.is_hopeless():
        raise Impossible("InvalidArgument")
    _file_away(job)
    source, job.closed = job.closed, None
    job.closed_by = job.closed_at = job.failure = job.output = job.expires_at = None
    job.attempt = job.crashes = 0
    job.run_at = model.now
    model.move("redrive", job, source, job.status(model.now))


def _file_away(job: Job) -> None:
    """Give the ended generation its number; an end without an attempt adds one to the record."""
    assert job.closed_by
    assert job.closed_at
    current = [attempt for attempt in job.attempts if not attempt.generation]
    if not current or current[-1].verb != job.closed_by:
        current.append(ModelAttempt(job.attempt, None, job.closed_by, None, None, job.closed_at, job.failure))
        job.attempts.append(current[-1])
    number = 1 + max((attempt.generation for attempt in job.attempts), default=0)
    for attempt in current:
        attempt.generation = number


def delete(model: Model, chains: Sequence[str], *, cascade: bool) -> None:
    doomed = list(chains)
    if any(chain not in model.chains for chain in doomed):
        raise Impossible("NotFound")
    for chain in doomed:
        if cascade:  # the list grows while it is walked
            named = (blocker for job in model.chains[chain] for blocker in job.blockers)
            doomed += [blocker for blocker in dict.fromkeys(named) if blocker not in doomed]
    if any(set(job.blockers) & set(doomed) for job in model.jobs() if job.chain not in doomed):
        raise Impossible("StillReferenced")
    for chain in doomed:
        for job in model.chains[chain]:
            model.move("delete", job, job.status(model.now), None)
        give_back_keys(model, chain, always=True)
        model.keys.pop(chain, None)
        del model.chains[chain]
