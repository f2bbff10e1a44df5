"""Leases that hold too much or too little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otelq.errors import InvalidArgument, Unavailable
from otelq.model import Settled, Settlement, SettleResult

from .adapter import SettlePlan, SqliteState, rows, settle
from .planting import Faults

faults = Faults()
faults.statements(
    checks_no_token=("find_current_leases", "AND open.token = item.value ->> 2", "AND open.token IS NOT NULL"),
    checks_no_position=("find_current_leases", "AND open.position = item.value ->> 1", ""),
    checks_no_token_of_a_renewal=("read_deadlines", "AND open.token = item.value ->> 2", ""),
    renews_past_the_deadline=("read_deadlines", "open.deadline", "NULL"),
    renews_without_writing=("renew", "item.value ->> 1", "open.leased_until"),
    reports_no_cancel_of_a_renewed_job=("find_cancelled", "= 'cancelled'", "= ''"),
    remembers_a_cancel_that_was_redriven=("read_past_settlements", "AND last.generation = 0", ""),
    reports_no_cancel_of_a_settled_job=("read_past_settlements", "status = 'cancelled'", "0"),
    knows_no_lost_reply_that_closed=("read_past_settlements", "coalesce(outcome.verb, attempt.verb)", "attempt.verb"),
    knows_no_lost_reply_that_put_back=("read_past_settlements", "coalesce(outcome.verb, attempt.verb)", "outcome.verb"),
)  # fmt: skip


@faults.instead_of(SettlePlan.repeat)
def calls_every_lost_lease_done(real: Any, self: object, *item: object) -> SettleResult:
    return SettleResult.DONE


@faults.instead_of(SqliteState.settle)
async def calls_lost_what_is_busy(real: Any, self: Any, settlements: Sequence[Any], tx: Any = None, **call: Any) -> Any:
    if tx is None and self._database.transactions.has_open:
        return Settled(results=(SettleResult.LOST,) * len(settlements), transitions=(), claimed_successors={})
    return await real(self, settlements, tx=tx, **call)


@faults.instead_of(SqliteState.renew)
async def renews_nothing_beside_a_transaction(real: Any, self: Any, renewals: object, **call: Any) -> Any:
    if self._database.transactions.has_open:
        raise Unavailable("the database is locked")
    return await real(self, renewals, **call)


@faults.instead_of(SqliteState.renew)
async def renews_no_empty_batch(real: Any, self: object, renewals: Sequence[object], **call: Any) -> Any:
    if not renewals:
        raise InvalidArgument("renewals", "is empty")
    return await real(self, renewals, **call)


@faults.instead_of(settle.settle)
async def settles_nothing_that_ran_out(real: Any, db: object, at: int, *, settlements: Sequence[Settlement]) -> Any:
    if any(item.job.leased_until <= rows.to_datetime(at) for item in settlements):
        return Settled(results=(SettleResult.LOST,) * len(settlements), transitions=(), claimed_successors={})
    return await real(db, at, settlements=settlements)
