"""Claims that take the wrong jobs, and leases that are handed out by halves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from otelq.model import Claimed, ClaimRequest

from .adapter import SqliteState, Writer, claim, rows
from .planting import Faults

faults = Faults()
faults.statements(
    claims_before_the_due_time=("find_ready", "open.run_at <= :now", "true"),
    claims_by_id_within_a_priority=("find_ready", "ORDER BY open.run_at, open.chain_id", "ORDER BY open.chain_id"),
    knows_no_priority=("find_ready", "ORDER BY level.priority, probe.key", "ORDER BY level.priority DESC, probe.key"),
    claims_what_is_blocked=("is_ready", "open.blocked_by_count = 0", "true"),
    claims_what_runs=("is_ready", "open.token IS NULL", "true"),
    takes_suspects_for_sound=("is_ready", "open.crashes = 0", "true"),
    claims_without_a_limit=("find_ready", "candidate.rank <= candidate.quota", "true"),
    claims_the_first_input=("find_ready", "coalesce(job.amended_input, job.input)", "job.input"),
    releases_every_claim=("find_leased", "open.token = :token", "open.token IS NOT NULL"),
    foresees_nothing=("next_due", "WHERE run_at IS NOT NULL", "WHERE false"),
    foresees_what_expired=("next_due", "open.expires_at > :now", "true"),
    claims_expired_jobs=("find_ready", "open.expires_at > :now", "true"),
    claims_nothing_that_expires_soon=("find_ready", "open.expires_at > :now", "open.expires_at > :now + 2000000"),
    claims_no_expired_job_again=("find_ready", "OR open.attempt > 0", ""),
)


@faults.instead_of(claim._lease_row)
def leases_without_a_deadline(real: Any, pick: object, arm: ClaimRequest, at: int) -> Any:
    return real(pick, replace(arm, timeout=None), at)


@faults.instead_of(claim._with_suspect)
def claims_a_suspect_beyond_the_limit(real: Any, picks: list[Any], suspects: Sequence[Any], wanted: object) -> Any:
    return [*picks, *suspects]


@faults.instead_of(SqliteState.claim)
async def claims_suspects_unasked(real: Any, self: object, requests: object, **call: Any) -> Any:
    return await real(self, requests, **call | {"include_suspect": True})


@faults.instead_of(rows.claimed)
def forgets_fields_of_a_claimed_job(real: Any, pick: object, **call: Any) -> Claimed:
    claimed: Claimed = real(pick, **call)
    return replace(claimed, trace=None, last_trace=None, queue="default", chain_type=claimed.type)


@faults.instead_of(SqliteState.release_claim)
async def releases_no_claim(real: Any, self: object, token: int, **call: Any) -> Sequence[object]:
    return []


@faults.instead_of(Writer._acquire)
async def gives_up_while_others_write(real: Any, self: Any) -> bool:
    return not self.lock.locked() and await real(self)
