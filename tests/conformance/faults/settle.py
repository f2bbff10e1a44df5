"""Outcomes that are written wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from otelq.errors import Refused
from otelq.model import Completes, Fails, Failure, Settlement
from otelq.transitions import build, outcomes

from .adapter import SettlePlan, SqliteState, settle
from .planting import Faults

faults = Faults()
faults.statements(
    keeps_no_successor_before_an_expired_job=(
        "find_queue_heads",
        "AND (ready.expires_at IS NULL OR ready.expires_at > :now OR ready.attempt > 0)",
        "",
    ),
    gives_no_attempt_back=("put_back", "open.attempt - (item.value ->> 2)", "open.attempt"),
    puts_back_without_a_delay=("put_back", "run_at = item.value ->> 1", "run_at = open.run_at"),
    counts_whatever_is_put_back_for_a_crash=("put_back", "+ (item.value ->> 3)", "+ 1"),
    forgives_crashes=("put_back", "open.crashes + (item.value ->> 3)", "item.value ->> 3"),
    loses_the_trace_of_the_attempt=("put_back", "last_trace = item.value ->> 4", "last_trace = NULL"),
    records_no_attempt=("record_attempts", "WHERE open.token IS NOT NULL", "WHERE false"),
    writes_no_output=("record_outcomes", "json_valid(item.value ->> 3), item.value ->> 3, x''", "true, NULL, NULL"),
    writes_no_failure=("record_outcomes", "item.value ->> 4, item.value ->> 5", "NULL, NULL"),
    hands_no_priority_on=("advance_chains", "item.value ->> 3, open.priority", "item.value ->> 3, 0"),
    hands_crashes_on=("advance_chains", "crashes = 0", "crashes = open.crashes"),
    hands_attempts_on=("advance_chains", "(item.value ->> 5) IS NOT NULL", "open.attempt"),
    hands_the_time_to_expire_on=("advance_chains", "expires_at = NULL", "expires_at = open.expires_at"),
    hands_the_wait_on=("advance_chains", "blocked_by_count = 0", "blocked_by_count = open.blocked_by_count"),
    grants_a_successor_without_a_deadline=("advance_chains", "deadline = item.value ->> 9", "deadline = NULL"),
)


@faults.instead_of(outcomes.transitions_of)
def reports_a_settlement_twice(real: Any, item: object, **call: Any) -> Any:
    return real(item, **call) * 2


@faults.instead_of(build._successor_created)
def creates_a_successor_silently(real: Any, *call: object, **more: Any) -> Sequence[object]:
    return []


@faults.instead_of(SettlePlan._put_back)
def forgets_why_a_job_was_snoozed(real: Any, self: object, item: Settlement, delay: float, **call: Any) -> None:
    real(self, item, delay, **(call | {"failure": None} if call.get("given_back") else call))


@faults.instead_of(SettlePlan._claim_successor)
def grants_no_successor(real: Any, *call: object) -> None:
    return None


@faults.instead_of(SettlePlan._claim_successor)
def grants_every_successor(real: Any, self: Any, item: Settlement, successor: Any, claim: Any) -> Any:
    granted = settle.claimed_successor_of(item, successor, claim, self._at)
    self.claimed_successors[item.job.lease.chain_id] = granted
    return granted


@faults.instead_of(SqliteState.settle)
async def settles_one_at_a_time(real: Any, self: object, settlements: Sequence[Settlement], **call: Any) -> Any:
    if len(settlements) > 1:
        raise Refused("one at a time")
    return await real(self, settlements, **call)


@faults.instead_of(SqliteState.settle)
async def settles_the_good_part_of_a_refused_batch(
    real: Any, self: object, settlements: Sequence[Settlement], **call: Any
) -> Any:
    try:
        return await real(self, settlements, **call)
    except Refused:
        await real(self, settlements[:1], **call)
        raise


@faults.instead_of(SqliteState.settle)
async def mangles_what_is_not_ascii(real: Any, self: object, settlements: Sequence[Settlement], **call: Any) -> Any:
    return await real(self, [_mangled(item) for item in settlements], **call)


def _mangled(item: Settlement) -> Settlement:
    match item.outcome:
        case Completes(output):
            return replace(item, outcome=Completes(_tame(output)))
        case Fails(Failure(type, text)):
            return replace(item, outcome=Fails(Failure(_tame(type), _tame(text))))
        case _:
            return item


def _tame(text: str) -> str:
    return "".join(character for character in text[:30] if character.isalnum() and character.isascii())
