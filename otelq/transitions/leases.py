"""The rules for leases that ran out."""

from __future__ import annotations

from ..model import LEASE_LOST, Failure, ReapRule


def is_spent(rule: ReapRule, *, attempt: int, crashes: int) -> bool:
    """Return whether a job whose lease ran out fails, with this attempt and this number of earlier crashes."""
    out_of_attempts = rule.max_attempts is not None and attempt >= rule.max_attempts
    return out_of_attempts or crashes + 1 >= rule.max_crashes


def lease_lost(*, leased_by: str | None, attempt: int) -> Failure:
    """Return the failure of an attempt whose lease ran out."""
    return Failure(LEASE_LOST, f"the lease of {leased_by} ran out in attempt {attempt}")
