"""Leases: claimed, renewed, released unused, and reaped."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.json import Decoder

from ..model import (
    LEASE_LOST,
    Claimed,
    ClaimRequest,
    Failure,
    ReapRule,
    Renewal,
    SettleResult,
    Status,
    Transition,
    Verb,
)
from ..transitions import build
from ..transitions.leases import is_spent, lease_lost
from .closed_jobs import ClosedJob, close
from .rows import CANDIDATES, NUMBERS, OPEN_JOBS, ClaimCandidate, OpenJob, claimed, seconds_to_micros, to_datetime
from .session import SqliteSession, batch
from .unblock import unblock_dependents

_DEADLINES = Decoder(list[tuple[int, int | None]])


async def claim(
    db: SqliteSession, at: int, *, requests: Sequence[ClaimRequest], worker: str, token: int, include_suspect: bool
) -> tuple[Sequence[Claimed], Sequence[Transition]]:
    """Claim the jobs that are due, up to the limit of each request, and at most one suspect."""
    rows = batch([(request.type, request.limit) for request in requests])
    candidates = await db.read(
        "find_ready", CANDIDATES, requests=rows, now=at, limit=max((request.limit for request in requests), default=0)
    )
    if include_suspect:
        candidates = _with_suspect(
            candidates, await db.read("find_suspect", CANDIDATES, requests=rows, now=at), requests
        )
    if not candidates:
        return [], []
    leased = [_lease_row(candidate, requests[candidate.request_index], at) for candidate in candidates]
    # Found and leased under one write lock, so that no other worker can take them in between.
    await db.write("lease_jobs", leased=batch(leased), token=token, worker=worker, now=at)
    jobs = [
        claimed(candidate, token=token, at=at, leased_until=until)
        for candidate, (_, until, _) in zip(candidates, leased, strict=True)
    ]
    return jobs, [build.claimed(job, worker=worker) for job in jobs]


def _with_suspect(
    candidates: list[ClaimCandidate], suspects: Sequence[ClaimCandidate], requests: Sequence[ClaimRequest]
) -> list[ClaimCandidate]:
    """Return the candidates with the suspect in its place. It may push out the last one of its request."""
    for suspect in suspects:  # one at most
        rivals = sorted(
            (candidate for candidate in (*candidates, suspect) if candidate.request_index == suspect.request_index),
            key=lambda candidate: candidate.order,
        )
        others = [candidate for candidate in candidates if candidate.request_index != suspect.request_index]
        return others + rivals[: requests[suspect.request_index].limit]
    return candidates


def _lease_row(candidate: ClaimCandidate, request: ClaimRequest, at: int) -> tuple[str, int, int | None]:
    """Return the lease of a job: its chain, its end, and the deadline that no renewal passes."""
    until = at + seconds_to_micros(request.lease)
    if request.timeout is None:
        return candidate.chain_id, until, None
    deadline = at + seconds_to_micros(request.timeout)
    return candidate.chain_id, min(until, deadline), deadline


async def release_claim(db: SqliteSession, at: int, *, token: int) -> list[Transition]:
    """Release the jobs of a claim whose reply was lost; their attempts are given back."""
    jobs = await db.read("find_leased", OPEN_JOBS, token=token)
    if not jobs:
        return []
    await db.write("put_back", back=batch([(job.chain_id, at, 1, 0, job.last_trace) for job in jobs]))
    return [build.moved(job.snapshot(at), Verb.RELEASE, Status.READY) for job in jobs]


async def renew(db: SqliteSession, at: int, *, renewals: Sequence[Renewal]) -> list[SettleResult]:
    """Extend the leases that are current and not at their deadline."""
    leases = [(renewal.lease.chain_id, renewal.lease.position, renewal.lease.token) for renewal in renewals]
    deadlines = dict(await db.read("read_deadlines", _DEADLINES, leases=batch(leases)))
    renewed: list[tuple[str, int]] = []
    results: list[SettleResult] = []
    for index, renewal in enumerate(renewals):
        deadline = deadlines.get(index, at)  # not current: as if the deadline had passed
        if deadline is not None and deadline <= at:
            results.append(SettleResult.LOST)
            continue
        until = at + seconds_to_micros(renewal.seconds)
        renewed.append((renewal.lease.chain_id, until if deadline is None else min(until, deadline)))
        results.append(SettleResult.DONE)
    if renewed:
        await db.write("renew", renewed=batch(renewed))
    return await _mark_cancelled(db, leases, deadlines.keys(), results)


async def _mark_cancelled(
    db: SqliteSession, leases: Sequence[tuple[str, int, int]], current: Collection[int], results: list[SettleResult]
) -> list[SettleResult]:
    """Mark the lost leases whose chains were cancelled."""
    lost = [index for index in range(len(leases)) if index not in current]
    if lost:
        chains = batch([leases[index][0] for index in lost])
        for index in await db.read("find_cancelled", NUMBERS, chains=chains):
            results[lost[index]] = SettleResult.CANCELLED
    return results


async def reap(
    db: SqliteSession, at: int, *, rules: Sequence[ReapRule], except_tokens: Collection[int], limit: int
) -> list[Transition]:
    """
    Take back jobs whose lease ran out.

    A round that had to wait for the write lock is skipped: the same lock kept workers from renewing, and they go first.
    """
    if db.waited_for_lock:
        return []
    # Read under the write lock: a lease that was renewed meanwhile is not found any more.
    by_type = {rule.type: rule for rule in rules}
    jobs = await db.read(
        "find_lost_leases",
        OPEN_JOBS,
        types=batch(list(by_type)),
        except_tokens=batch(list(except_tokens)),
        now=at,
        limit=limit,
    )
    if not jobs:
        return []
    spent = [job for job in jobs if is_spent(by_type[job.type], attempt=job.attempt, crashes=job.crashes)]
    is_over = {job.chain_id for job in spent}
    back = [job for job in jobs if job.chain_id not in is_over]
    failures = {job.chain_id: _lease_lost(job) for job in jobs}
    ended = [(job.chain_id, Verb.REAP, failures[job.chain_id].type, failures[job.chain_id].text, None) for job in jobs]
    # Before the leases are cleared: the record copies token, worker and times from the open row.
    await db.write("record_attempts", ended=batch(ended), now=at)
    transitions = await _put_back(db, at, back, by_type) + await _fail(db, at, spent, failures)
    return transitions + await unblock_dependents(db, at, [job.chain_id for job in spent if job.waited_on])


async def _put_back(
    db: SqliteSession, at: int, jobs: Sequence[OpenJob], rules: Mapping[str, ReapRule]
) -> list[Transition]:
    due = {job.chain_id: at + seconds_to_micros(max(rules[job.type].delay, 0.0)) for job in jobs}
    if jobs:
        back = [(job.chain_id, due[job.chain_id], 0, 1, job.last_trace) for job in jobs]
        await db.write("put_back", back=batch(back))
    return [
        build.put_back(
            job.snapshot(at),
            Verb.REAP,
            at=to_datetime(at),
            run_at=to_datetime(due[job.chain_id]),
            error_type=LEASE_LOST,
        )
        for job in jobs
    ]


async def _fail(
    db: SqliteSession, at: int, jobs: Sequence[OpenJob], failures: Mapping[str, Failure]
) -> list[Transition]:
    if not jobs:
        return []
    ended = [
        ClosedJob(job.chain_id, Status.FAILED, Verb.REAP, None, LEASE_LOST, failures[job.chain_id].text) for job in jobs
    ]
    await db.write("count_crash", chains=batch([job.chain_id for job in jobs]))
    await close(db, at, ended, with_dedup=any(job.has_dedup for job in jobs))
    return [build.moved(job.snapshot(at), Verb.REAP, Status.FAILED, error_type=LEASE_LOST) for job in jobs]


def _lease_lost(job: OpenJob) -> Failure:
    return lease_lost(leased_by=job.leased_by, attempt=job.attempt)
