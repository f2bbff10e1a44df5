"""Leases: claim jobs, renew and release leases, and reap those that ran out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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
from ..transitions.build import Snapshot
from ..transitions.leases import is_spent, lease_lost
from . import dedup_keys, rows
from .closed_jobs import close, in_order, token_columns
from .database import SKIP, PostgresSession


async def claim(
    session: PostgresSession, requests: Sequence[ClaimRequest], *, worker: str, token: int, include_suspect: bool
) -> tuple[list[Claimed], list[Transition]]:
    """Claim jobs that are due, and return them with the transitions."""
    found = await session.rows(
        "claim",
        [request.type for request in requests],
        [request.limit for request in requests],
        [request.lease for request in requests],
        [request.timeout for request in requests],
        token,
        worker,
        include_suspect,
    )
    jobs = [rows.claimed(row, token) for row in found]
    return jobs, [build.claimed(job, worker=worker) for job in jobs]


async def release_claim(session: PostgresSession, token: int) -> list[Transition]:
    """Release the leases of a claim whose reply was lost."""
    jobs = [rows.snapshot(row) for row in await session.rows("release_claim", token)]
    return [build.moved(job, Verb.RELEASE, Status.READY) for job in jobs]


async def renew(session: PostgresSession, renewals: Sequence[Renewal]) -> list[SettleResult]:
    """Extend leases, and return the result for each."""
    # Ascending, as all locks; rows that others have locked are skipped, so that one open transaction of a user cannot
    # stop the renewal of the other leases.
    order = sorted(range(len(renewals)), key=lambda n: renewals[n].lease.chain_id)
    written = await session.row(
        "renew", *rows.lease_columns([renewals[n].lease for n in order]), [renewals[n].seconds for n in order]
    )
    results = dict.fromkeys((order[n] for n in rows.indexes(written)), SettleResult.DONE)
    rest = [n for n in range(len(renewals)) if n not in results]
    # The rare case: a second statement, with a newer snapshot, finds the reasons.
    if rest:
        checked = await session.rows("check_conflicts", *rows.lease_columns([renewals[n].lease for n in rest]))
        results |= {rest[rows.index(row)]: _result(row) for row in checked}
    return [results[n] for n in range(len(renewals))]


def _result(row: rows.Row) -> SettleResult:
    match row["result"]:
        # Another transaction has the row locked: the lease is neither renewed nor lost, unless its deadline is over.
        case "leased":
            return SettleResult.LOST if row["too_late"] else SettleResult.BUSY
        case "cancelled":
            return SettleResult.CANCELLED
        case _:
            return SettleResult.LOST


async def reap(
    session: PostgresSession, rules: Sequence[ReapRule], *, except_tokens: Collection[int], limit: int
) -> list[Transition]:
    """Take back jobs whose lease ran out; fail those that have no attempt left."""
    by_type = {rule.type: rule for rule in rules}
    found = await session.rows("lock_expired_leases", [*by_type], [*except_tokens], limit)
    jobs = [rows.snapshot(row) for row in found]
    if not jobs:
        return []
    spent = [job for job in jobs if is_spent(by_type[job.type], attempt=job.attempt, crashes=job.crashes)]
    # A start may be taking over the key of a spent job. The reaper does not wait for it: the next round reaps the job.
    if busy := await dedup_keys.locked_by_others(session, [job.chain_id for job in spent]):
        jobs, spent = ([job for job in some if job.chain_id not in busy] for some in (jobs, spent))
    transitions = await close(
        session, spent, verb=Verb.REAP, failures={job.chain_id: _lease_lost(job) for job in spent}
    )
    transitions |= await _put_back(session, [job for job in jobs if job.chain_id not in transitions], by_type)
    return in_order([job.chain_id for job in jobs], transitions)


async def _put_back(
    session: PostgresSession, jobs: Sequence[Snapshot], rules: Mapping[str, ReapRule]
) -> dict[str, list[Transition]]:
    if not jobs:
        return {}
    found = await session.rows(
        "put_back",
        *token_columns(jobs),
        None,
        [Verb.REAP] * len(jobs),
        [LEASE_LOST] * len(jobs),
        [_lease_lost(job).text for job in jobs],
        [max(rules[job.type].delay, 0.0) for job in jobs],
        lock=SKIP,
    )
    return {jobs[rows.index(row)].chain_id: [_reaped(jobs[rows.index(row)], row)] for row in found}


def _reaped(job: Snapshot, row: rows.Row) -> Transition:
    return build.put_back(job, Verb.REAP, at=row["at"], run_at=row["run_at"], error_type=LEASE_LOST)


def _lease_lost(job: Snapshot) -> Failure:
    return lease_lost(leased_by=job.leased_by, attempt=job.attempt)
