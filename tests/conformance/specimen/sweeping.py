"""What time alone brings about: leases that ran out, and jobs that nobody started in time."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from otelq.model import LEASE_LOST, Failure, ReapRule, Status, Verb

from . import claiming, ending, unblocking
from .statement import Statement
from .store import OpenJob


def reap(db: Statement, rules: Sequence[ReapRule], *, spare: Collection[int], limit: int) -> None:
    """Take back jobs whose lease ran out, the longest first."""
    by_type = {rule.type: rule for rule in rules}
    lapsed = [
        row
        for row in claiming.running(db)
        if row.type in by_type and row.token not in spare and row.leased_until and row.leased_until <= db.now
    ]
    lapsed.sort(key=lambda row: (row.leased_until, row.chain_id))
    for row in lapsed[:limit]:
        reap_one(db, row, rule=by_type[row.type])
    unblocking.follow(db)


def reap_one(db: Statement, row: OpenJob, *, rule: ReapRule) -> None:
    """Take back one job, which fails if its attempts or crashes are spent."""
    crashed = replace(row, crashes=row.crashes + 1)
    failure = Failure(LEASE_LOST, f"the lease of {row.leased_by} ran out in attempt {row.attempt}")
    if _spent(row.attempt, rule.max_attempts) or crashed.crashes >= rule.max_crashes:
        ending.close(db, crashed, verb=Verb.REAP, status=Status.FAILED, failure=failure, worker=row.leased_by)
    else:
        waiting = replace(ending.unleased(crashed), run_at=db.after(rule.delay))
        db.store.open.put(row.chain_id, waiting)
        db.note(
            Verb.REAP,
            row,
            source=Status.RUNNING,
            target=waiting.status(db.now),
            due_at=waiting.run_at,
            error_type=failure.type,
            worker=row.leased_by,
        )
    ending.end_attempt(db, row, ending=db.made[-1], failure=failure)


def expire(db: Statement, *, limit: int) -> None:
    """Cancel jobs whose time to start has passed, the longest first."""
    for row in expired(db)[:limit]:
        ending.close(db, row, verb=Verb.EXPIRE, status=Status.CANCELLED)
    unblocking.follow(db)


def expired(db: Statement) -> list[OpenJob]:
    """The jobs whose time to start has passed, in the order of that time."""
    rows = (db.store.open[chain_id] for chain_id in db.store.expiring)
    return sorted((row for row in rows if row.has_expired(db.now)), key=lambda row: (row.expires_at, row.chain_id))


def _spent(attempt: int, most: int | None) -> bool:
    return most is not None and attempt >= most
