"""Chains that wait for chains: their blockers, and the effect of a blocker's end."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from otelq.model import BLOCKER_FAILED, OnFailure, Until

from .keys import give_back_keys
from .rows import Job, Model, WaitRow

BAD = ("failed", "cancelled")


class Impossible(Exception):
    """Raised for a request that must be refused; ``kind`` is the name of an error of the port."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def wait_for(
    model: Model,
    *,
    chains: Sequence[str],
    until: Until,
    on_failure: OnFailure,
    open_again: Collection[str] = (),
) -> WaitRow | None:
    """Return the wait that is left: every chain is looked at once, those of ``open_again`` as if they were open."""
    wait = WaitRow(tuple(chains), until, on_failure)
    for chain in chains:
        end = None if chain in open_again else model.tail(chain).closed
        if end:
            wait.note_end(chain, end)
    return None if wait.is_met() else wait


def check_blockers(model: Model, chain: str | None, blockers: Sequence[str]) -> None:
    """Refuse blockers that do not exist, or that wait for the chain that is to wait for them."""
    for blocker in blockers:
        if blocker not in model.chains:
            raise Impossible("NotFound")
    if chain is not None and any(reaches(model, blocker, goal=chain) for blocker in blockers):
        raise Impossible("cycle")


def reaches(model: Model, start: str, *, goal: str) -> bool:
    """Return True if a chain is, or waits for, another, itself or through others."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        chain = ahead.pop()
        if chain == goal:
            return True
        if chain not in seen:
            seen.add(chain)
            ahead += _awaited(model, chain)
    return False


def _awaited(model: Model, chain: str) -> set[str]:
    wait = model.tail(chain).wait
    return wait.pending() if wait else set()


def begin_to_wait(model: Model, job: Job, *, blockers: Sequence[str], until: Until, on_failure: OnFailure) -> None:
    """Let a job wait for these chains as well, and store the rule."""
    job.blockers += [blocker for blocker in blockers if blocker not in job.blockers]
    job.until, job.on_failure = until, on_failure
    job.wait = wait_for(model, chains=blockers, until=until, on_failure=on_failure)


def decide(model: Model, job: Job) -> None:
    """Unblock a blocked job, or fail it, if its condition says so."""
    if job.wait and job.wait.is_hopeless():
        close(model, job, verb="fail_by_blocker", status="failed", failure=BLOCKER_FAILED)
    elif job.wait and job.wait.is_met():
        unblock(model, job)


def unblock(model: Model, job: Job) -> None:
    job.wait = None
    job.run_at = max(job.run_at, model.now)
    model.move("unblock", job, "blocked", job.status(model.now))


def close(
    model: Model, job: Job, *, verb: str, status: str, output: str | None = None, failure: str | None = None
) -> None:
    """End a chain at its tail, and free its key; ``follow`` informs its dependents."""
    model.move(verb, job, job.status(model.now), status)
    end(model, job, verb=verb, status=status, failure=failure)
    job.output = output
    give_back_keys(model, job.chain)
    model.ended.append(job)


def end(model: Model, job: Job, *, verb: str, status: str, failure: str | None = None) -> None:
    """End a job that closes or continues: no lease and no wait outlives it."""
    if job.token is not None:
        job.end_attempt(verb, model.now, failure=failure)
    job.unlease()
    job.wait = None
    job.closed, job.closed_by, job.closed_at, job.failure = status, verb, model.now, failure


def follow(model: Model) -> None:
    """Inform the dependents of the ended chains, and their dependents in turn."""
    while model.ended:
        ended = model.ended.pop(0)
        for job in model.open():
            if job.wait and ended.closed and ended.chain in job.wait.pending():
                job.wait.note_end(ended.chain, ended.closed)
                decide(model, job)
