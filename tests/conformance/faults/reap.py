"""Reapers that take too much or too little, and times to start that mean nothing."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from otelq.model import ReapRule
from otelq.transitions.leases import is_spent

from .planting import Faults

faults = Faults()
faults.statements(
    reaps_what_lives=("find_lost_leases", "leased_until <= :now", "true"),
    spares_nobody=("find_lost_leases", "AND token NOT IN (SELECT value FROM json_each(:except_tokens))", ""),
    reaps_without_a_limit=("find_lost_leases", "LIMIT :limit", ""),
    reaps_every_type=("find_lost_leases", "AND type IN (SELECT value FROM json_each(:types))", ""),
    expires_ready_jobs_alone=("find_expired", "expires_at <= :now", "expires_at <= :now AND blocked_by_count = 0"),
    sees_nothing_expire=("find_any_expired", "expires_at <= :now", "false"),
    foresees_leases_of_every_type=("next_maintenance", "AND type IN (SELECT value FROM json_each(:types))", ""),
    foresees_no_expiry=("next_maintenance", "SELECT min(expires_at)", "SELECT min(expires_at) + NULL"),
    foresees_no_pending_dependents=("next_maintenance", "SELECT :now WHERE", "SELECT NULL WHERE"),
)


@faults.instead_of(is_spent)
def forgives_spent_attempts(real: Any, rule: ReapRule, **counts: int) -> Any:
    return real(replace(rule, max_attempts=None), **counts)
