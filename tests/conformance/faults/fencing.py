"""Leases that hold too much or too little."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from otelq.errors import InvalidArgument, NotFound
from otelq.model import (
    Claimed,
    Completes,
    Lease,
    Renewal,
    Settlement,
    SettleResult,
)
from tests.conformance.specimen import claiming, settling
from tests.conformance.specimen.state import MemoryState

from .planting import instead_of, real


@instead_of(settling, "held")
def checks_no_token(db: Any, lease: Lease) -> Any:
    return db.store.open.get(lease.chain_id)


@instead_of(settling, "held")
def checks_no_position(db: Any, lease: Lease) -> Any:
    row = db.store.open.get(lease.chain_id)
    return row if row and row.token == lease.token else None


@instead_of(settling, "lost")
def calls_every_lost_lease_done(db: Any, lease: Lease) -> Any:
    return SettleResult.DONE


@instead_of(settling, "lost")
def tells_nobody_of_a_cancel(db: Any, lease: Lease) -> Any:
    return SettleResult.LOST


@instead_of(settling, "lost")
def calls_a_lost_batch_unavailable(db: Any, lease: Lease) -> Any:
    raise NotFound("no such lease")


@instead_of(settling, "repeat")
def knows_no_lost_reply(db: Any, lease: Lease, *, kept: object) -> Any:
    return settling.lost(db, lease)


@instead_of(settling, "repeat")
def repeats_without_transitions(db: Any, lease: Lease, *, kept: object) -> Any:
    mark = len(db.made)
    verdict = real("settling.repeat", db, lease, kept={})
    del db.made[mark:]
    return verdict


@instead_of(settling, "repeat")
def repeats_its_own_transition_alone(db: Any, lease: Lease, *, kept: dict[str, Claimed]) -> Any:
    mark = len(db.made)
    verdict = real("settling.repeat", db, lease, kept=kept)
    del db.made[mark + 1 :]
    return verdict


@instead_of(settling, "repeat")
def settles_a_repeat_once_more(db: Any, lease: Lease, *, kept: dict[str, Claimed]) -> Any:
    verdict = real("settling.repeat", db, lease, kept=kept)
    row = db.store.open.get(lease.chain_id)
    if verdict is SettleResult.DONE and row and row.token is not None:
        claiming.give_back(db, row)
    return verdict


@instead_of(settling, "settle")
def writes_the_last_outcome_under_a_token(db: Any, item: Settlement, *, kept: dict[str, Claimed]) -> Any:
    key = item.job.lease.chain_id, item.job.lease.position
    old = db.store.outcomes.get(key)
    if old and isinstance(item.outcome, Completes):
        db.store.outcomes.put(key, replace(old, output=item.outcome.output))
    return real("settling.settle", db, item, kept=kept)


@instead_of(MemoryState, "_renew")
def renews_anything(self: Any, renewal: Renewal, now: datetime) -> Any:
    row = self._store.open.get(renewal.lease.chain_id)
    if row:
        until = now + timedelta(seconds=renewal.seconds)
        self._store.open.put_past(row.chain_id, replace(row, leased_until=until))
    return SettleResult.DONE


@instead_of(MemoryState, "_renew")
def renews_past_the_deadline(self: Any, renewal: Renewal, now: datetime) -> Any:
    row = self._store.open.get(renewal.lease.chain_id)
    if row:
        self._store.open.put_past(row.chain_id, replace(row, deadline=None))
    return real("MemoryState._renew", self, renewal, now)


@instead_of(MemoryState, "_renew")
def renews_without_writing(self: Any, renewal: Renewal, now: datetime) -> Any:
    row = self._store.open.get(renewal.lease.chain_id)
    verdict = real("MemoryState._renew", self, renewal, now)
    if row and verdict is SettleResult.DONE:
        self._store.open.put_past(row.chain_id, row)
    return verdict


@instead_of(MemoryState, "_renew")
def renews_nothing_that_ran_out(self: Any, renewal: Renewal, now: datetime) -> Any:
    row = self._store.open.get(renewal.lease.chain_id)
    if row and row.leased_until and row.leased_until < now:
        return SettleResult.LOST
    return real("MemoryState._renew", self, renewal, now)


@instead_of(MemoryState, "renew")
async def waits_with_renewals(self: Any, renewals: Sequence[Renewal], *, now: datetime) -> Any:
    async with self._alone():
        return await real("MemoryState.renew", self, renewals, now=now)


@instead_of(MemoryState, "renew")
async def answers_renewals_backwards(self: Any, renewals: Sequence[Renewal], *, now: datetime) -> Any:
    return (await real("MemoryState.renew", self, renewals, now=now))[::-1]


@instead_of(MemoryState, "renew")
async def answers_no_empty_batch(self: Any, renewals: Sequence[Renewal], *, now: datetime) -> Any:
    if not renewals:
        raise InvalidArgument("renewals", "is empty")
    return await real("MemoryState.renew", self, renewals, now=now)
