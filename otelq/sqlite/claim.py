"""Leases: taken, renewed, given back unused, and taken away when they ran out."""

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
from .rows import NUMBERS, OPEN_JOBS, PICKS, ClaimCandidate, OpenJob, claimed, span, when
from .session import SqliteSession, batch
from .unblock import follow

_DEADLINES = Decoder(list[tuple[int, int | None]])


async def claim(
    db: SqliteSession, at: int, *, requests: Sequence[ClaimRequest], worker: str, token: int, include_suspect: bool
) -> tuple[Sequence[Claimed], Sequence[Transition]]:
    """Lease what is due, arm by arm, and at most one suspect in its turn."""
    rows = batch([(arm.type, arm.limit) for arm in requests])
    picks = await db.read(
        "claim_ready", PICKS, requests=rows, now=at, most=max((arm.limit for arm in requests), default=0)
    )
    if include_suspect:
        picks = _with_suspect(picks, await db.read("claim_suspect", PICKS, requests=rows, now=at), requests)
    if not picks:
        return [], []
    taken = [_taken(pick, requests[pick.arm], at) for pick in picks]
    await db.write("claim_lease", taken=batch(taken), token=token, worker=worker, now=at)
    jobs = [
        claimed(pick, token=token, at=at, leased_until=until) for pick, (_, until, _) in zip(picks, taken, strict=True)
    ]
    return jobs, [build.claimed(job, worker=worker) for job in jobs]


def _with_suspect(
    picks: list[ClaimCandidate], suspects: Sequence[ClaimCandidate], requests: Sequence[ClaimRequest]
) -> list[ClaimCandidate]:
    """The picks with the suspect in its place, which may push the last of its arm out."""
    for suspect in suspects:
        rivals = sorted((pick for pick in (*picks, suspect) if pick.arm == suspect.arm), key=lambda pick: pick.order)
        others = [pick for pick in picks if pick.arm != suspect.arm]
        return others + rivals[: requests[suspect.arm].limit]
    return picks


def _taken(pick: ClaimCandidate, arm: ClaimRequest, at: int) -> tuple[str, int, int | None]:
    """Which job is leased until when, and the deadline that no renewal passes."""
    until = at + span(arm.lease)
    if arm.timeout is None:
        return pick.chain_id, until, None
    deadline = at + span(arm.timeout)
    return pick.chain_id, min(until, deadline), deadline


async def release_claim(db: SqliteSession, at: int, *, token: int) -> list[Transition]:
    """Give the jobs of a claim back whose reply was lost."""
    jobs = await db.read("leased_look", OPEN_JOBS, token=token)
    if not jobs:
        return []
    await db.write("open_put_back", back=batch([(job.chain_id, at, 1, 0, job.last_trace) for job in jobs]))
    return [build.moved(job.snapshot(at), Verb.RELEASE, Status.READY) for job in jobs]


async def renew(db: SqliteSession, at: int, *, renewals: Sequence[Renewal]) -> list[SettleResult]:
    """Extend the leases that are current and not at their deadline."""
    leases = [(renewal.lease.chain_id, renewal.lease.position, renewal.lease.token) for renewal in renewals]
    deadlines = dict(await db.read("renew_look", _DEADLINES, leases=batch(leases)))
    renewed: list[tuple[str, int]] = []
    results: list[SettleResult] = []
    for nr, renewal in enumerate(renewals):
        deadline = deadlines.get(nr, at)
        if deadline is not None and deadline <= at:
            results.append(SettleResult.LOST)
            continue
        until = at + span(renewal.seconds)
        renewed.append((renewal.lease.chain_id, until if deadline is None else min(until, deadline)))
        results.append(SettleResult.DONE)
    if renewed:
        await db.write("renew", renewed=batch(renewed))
    return await _explain(db, leases, deadlines.keys(), results)


async def _explain(
    db: SqliteSession, leases: Sequence[tuple[str, int, int]], held: Collection[int], results: list[SettleResult]
) -> list[SettleResult]:
    """Tell the leases that were lost to a cancel from those lost otherwise."""
    gone = [nr for nr in range(len(leases)) if nr not in held]
    if gone:
        chains = batch([leases[nr][0] for nr in gone])
        for nr in await db.read("chain_cancelled", NUMBERS, chains=chains):
            results[gone[nr]] = SettleResult.CANCELLED
    return results


async def reap(
    db: SqliteSession, at: int, *, rules: Sequence[ReapRule], except_tokens: Collection[int], limit: int
) -> list[Transition]:
    """
    Take back jobs whose lease ran out.

    A round that had to wait for the write lock is skipped: the same lock kept the keepers from renewing, and they
    go first.
    """
    if db.waited:
        return []
    by_type = {rule.type: rule for rule in rules}
    jobs = await db.read(
        "reap_expired",
        OPEN_JOBS,
        types=batch(list(by_type)),
        except_tokens=batch(list(except_tokens)),
        now=at,
        most=limit,
    )
    if not jobs:
        return []
    spent = [job for job in jobs if is_spent(by_type[job.type], attempt=job.attempt, crashes=job.crashes)]
    is_over = {job.chain_id for job in spent}
    back = [job for job in jobs if job.chain_id not in is_over]
    failures = {job.chain_id: _ran_out(job) for job in jobs}
    ended = [(job.chain_id, Verb.REAP, failures[job.chain_id].type, failures[job.chain_id].text, None) for job in jobs]
    await db.write("attempt_end", ended=batch(ended), now=at)
    made = await _put_back(db, at, back, by_type) + await _fail(db, at, spent, failures)
    return made + await follow(db, at, [job.chain_id for job in spent if job.waited_on])


async def _put_back(
    db: SqliteSession, at: int, jobs: Sequence[OpenJob], rules: Mapping[str, ReapRule]
) -> list[Transition]:
    due = {job.chain_id: at + span(max(rules[job.type].delay, 0.0)) for job in jobs}
    if jobs:
        back = [(job.chain_id, due[job.chain_id], 0, 1, job.last_trace) for job in jobs]
        await db.write("open_put_back", back=batch(back))
    return [
        build.put_back(job.snapshot(at), Verb.REAP, at=when(at), run_at=when(due[job.chain_id]), error_type=LEASE_LOST)
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
    await db.write("crash_count", chains=batch([job.chain_id for job in jobs]))
    await close(db, at, ended, with_dedup=any(job.has_dedup for job in jobs))
    return [build.moved(job.snapshot(at), Verb.REAP, Status.FAILED, error_type=LEASE_LOST) for job in jobs]


def _ran_out(job: OpenJob) -> Failure:
    return lease_lost(leased_by=job.leased_by, attempt=job.attempt)
