"""Claims that take the wrong jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from otelq.model import (
    Claimed,
    ClaimRequest,
    NewJob,
)
from tests.conformance.specimen import claiming, starting
from tests.conformance.specimen.state import MemoryState
from tests.conformance.specimen.statement import Statement
from tests.conformance.specimen.store import Line, OpenJob, Store

from .planting import instead_of, real


@instead_of(Line, "first")
def claims_early(self: Any, rows: Any, *, now: datetime, suspects: bool) -> Any:
    return real("Line.first", self, rows, now=datetime.max.replace(tzinfo=UTC), suspects=suspects)


@instead_of(Line, "first")
def claims_by_id_alone(self: Any, rows: Any, *, now: datetime, suspects: bool) -> Any:
    due = [row for row in rows._rows.values() if row.type == self._type and row.waits_in_line and row.run_at <= now]
    return min(due, key=lambda row: row.chain_id, default=None)


@instead_of(Line, "first")
def looks_at_the_best_priority_alone(self: Any, rows: Any, *, now: datetime, suspects: bool) -> Any:
    row = min(self._tops(rows, now=now, suspects=suspects), key=lambda row: row.order, default=None)
    return row if row and row.run_at <= now else None


@instead_of(starting, "insert")
def claims_what_is_blocked(db: Any, job: NewJob) -> None:
    real("starting.insert", db, job)
    row = db.store.open.get(job.chain_id)
    if row and row.awaits:
        db.store.open.put(job.chain_id, replace(row, awaits=0))


@instead_of(claiming, "lease")
def leases_without_writing(db: Any, row: OpenJob, **call: Any) -> Claimed:
    claimed: Claimed = real("claiming.lease", db, row, **call)
    now = db.now
    db.store.open.put(row.chain_id, replace(row, run_at=now + timedelta(microseconds=1)))
    return claimed


@instead_of(claiming, "lease")
def leases_without_a_deadline(db: Any, row: OpenJob, *, wanted: Any, **call: Any) -> Claimed:
    claimed: Claimed = real("claiming.lease", db, row, wanted=replace(wanted, timeout=None), **call)
    return claimed


@instead_of(claiming, "claim")
def claims_without_a_limit(db: Any, wanted: ClaimRequest, **call: Any) -> Any:
    return real("claiming.claim", db, replace(wanted, limit=10**6), **call)


@instead_of(claiming, "claim")
def claims_one_at_most(db: Any, wanted: ClaimRequest, **call: Any) -> Any:
    return real("claiming.claim", db, replace(wanted, limit=min(wanted.limit, 1)), **call)


@instead_of(claiming, "claim")
def claims_every_suspect(db: Any, wanted: ClaimRequest, *, suspects: bool, **call: Any) -> Any:
    claimed: list[Claimed] = []
    while len(claimed) < wanted.limit:
        more = real("claiming.claim", db, replace(wanted, limit=1), suspects=True, **call)
        if not more:
            break
        claimed += more
    return claimed


@instead_of(claiming, "claim")
def claims_a_suspect_beyond_the_limit(db: Any, wanted: ClaimRequest, *, suspects: bool, **call: Any) -> Any:
    claimed = real("claiming.claim", db, wanted, suspects=False, **call)
    if suspects:
        claimed += real("claiming.claim", db, replace(wanted, limit=1), suspects=True, **call)
    return claimed


@instead_of(MemoryState, "claim")
async def shares_one_limit_among_arms(self: Any, wanted: Sequence[ClaimRequest], **call: Any) -> Any:
    least = min((arm.limit for arm in wanted), default=0)
    return await real("MemoryState.claim", self, [replace(arm, limit=least) for arm in wanted], **call)


@instead_of(MemoryState, "claim")
async def claims_beside_open_transactions(
    self: Any, wanted: Sequence[ClaimRequest], *, now: datetime, **call: Any
) -> Any:
    suspect = call.pop("suspect", True)
    before = [table._before for table in self._store.tables()]
    for table in self._store.tables():
        table._rows |= {key: row for key, row in table._before.items() if row is not None}
    statement = Statement(self._store, now)
    claimed = [job for arm in wanted for job in claiming.claim(statement, arm, suspects=suspect, **call)]
    assert before is not None
    return claimed, statement.made


@instead_of(MemoryState, "claim")
async def tells_more_than_it_claimed(self: Any, wanted: Sequence[ClaimRequest], **call: Any) -> Any:
    claimed, made = await real("MemoryState.claim", self, wanted, **call)
    return claimed, [*made, *made]


@instead_of(claiming, "claimed_job")
def forgets_what_a_job_was_given(db: Any, row: OpenJob, *, token: int) -> Claimed:
    claimed: Claimed = real("claiming.claimed_job", db, row, token=token)
    return replace(claimed, trace=None, last_trace=None, queue="default", blockers=0, chain_type=claimed.type)


@instead_of(claiming, "claimed_job")
def counts_time_from_creation(db: Any, row: OpenJob, *, token: int) -> Claimed:
    claimed: Claimed = real("claiming.claimed_job", db, row, token=token)
    return replace(claimed, due_at=claimed.created_at)


@instead_of(claiming, "release_claim")
def disowns_nothing(db: Any, *, token: int) -> None:
    return None


@instead_of(claiming, "release_claim")
def disowns_everything(db: Any, *, token: int) -> None:
    for row in claiming.running(db):
        claiming.give_back(db, row)


@instead_of(claiming, "give_back")
def keeps_the_attempt_of_a_disowned_job(db: Any, row: OpenJob) -> None:
    real("claiming.give_back", db, replace(row, attempt=row.attempt + 1))


@instead_of(Store, "earliest")
def foresees_nothing(self: Any, type: str, *, now: datetime) -> None:
    return None


@instead_of(Store, "earliest")
def foresees_what_does_not_wait(self: Any, type: str, *, now: datetime) -> datetime | None:
    rows = (self.open[chain_id] for chain_id in self.open)
    return min((row.run_at for row in rows if row.type == type), default=None)
