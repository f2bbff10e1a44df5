"""Leases: given, and given back unused."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from otelq.model import Claimed, ClaimRequest, ClaimSuccessor, Lease, Status, Verb

from .ending import unleased
from .statement import Statement
from .store import OpenJob


def claim(db: Statement, wanted: ClaimRequest, *, worker: str, token: int, suspects: bool) -> list[Claimed]:
    """Lease the jobs of one arm whose turn it is, at most one suspect among them."""
    claimed: list[Claimed] = []
    while len(claimed) < wanted.limit:
        row = db.store.first_due(wanted.type, now=db.now, suspects=suspects)
        if row is None:
            break
        suspects = suspects and not row.crashes
        claimed.append(lease(db, row, wanted=wanted, worker=worker, token=token))
    return claimed


def keep(db: Statement, row: OpenJob, *, wanted: ClaimSuccessor, worker: str) -> Claimed | None:
    """Lease a successor to the worker that continued the chain, if it waits for nothing and it is its turn."""
    first = db.store.first_due(row.type, now=db.now, suspects=True)
    if first is None or first.chain_id != row.chain_id or (row.chain_id, row.position) in db.store.blockers:
        return None
    return lease(db, row, wanted=wanted, worker=worker, token=wanted.token)


def lease(db: Statement, row: OpenJob, *, wanted: ClaimRequest | ClaimSuccessor, worker: str, token: int) -> Claimed:
    """Lease one job."""
    deadline = None if wanted.timeout is None else db.after(wanted.timeout)
    leased = replace(
        row,
        attempt=row.attempt + 1,
        token=token,
        leased_by=worker,
        claimed_at=db.now,
        leased_until=_earlier(db.after(wanted.lease), deadline),
        deadline=deadline,
    )
    db.store.open.put(row.chain_id, leased)
    db.note(Verb.CLAIM, leased, source=Status.READY, target=Status.RUNNING, due_at=row.run_at, worker=worker)
    return claimed_job(db, leased, token=token)


def claimed_job(db: Statement, row: OpenJob, *, token: int) -> Claimed:
    """All that an attempt needs of a job under lease."""
    chain = db.store.chains[row.chain_id]
    request = db.store.requests[row.chain_id, row.position]
    assert row.claimed_at is not None
    assert row.leased_until is not None
    return Claimed(
        lease=Lease(row.chain_id, row.position, token),
        type=row.type,
        queue=request.queue,
        chain_type=chain.type,
        input=request.input if request.amended is None else request.amended,
        attempt=row.attempt,
        crashes=row.crashes,
        priority=row.priority,
        due_at=row.run_at,
        created_at=request.created_at,
        chain_created_at=chain.created_at,
        claimed_at=row.claimed_at,
        leased_until=row.leased_until,
        blockers=len(db.store.blockers.get((row.chain_id, row.position)) or ()),
        trace=request.trace,
        last_trace=row.last_trace,
        meta=request.meta,
    )


def release_claim(db: Statement, *, token: int) -> None:
    """Give back the jobs of one claim, with their attempts."""
    for row in running(db):
        if row.token == token:
            give_back(db, row)


def give_back(db: Statement, row: OpenJob) -> None:
    """Give back a lease, with its attempt."""
    waiting = replace(unleased(row), attempt=row.attempt - 1, run_at=db.now)
    db.store.open.put(row.chain_id, waiting)
    db.note(Verb.RELEASE, row, source=Status.RUNNING, target=Status.READY, worker=row.leased_by)


def running(db: Statement) -> list[OpenJob]:
    """The jobs under lease, by chain."""
    return [db.store.open[chain_id] for chain_id in sorted(db.store.running)]


def _earlier(moment: datetime, other: datetime | None) -> datetime:
    return moment if other is None else min(moment, other)
