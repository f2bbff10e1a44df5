"""Reapers that take too much or too little."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from otelq.memory import claiming, sweeping
from otelq.memory.store import OpenJob
from otelq.model import (
    ReapRule,
)

from .planting import instead_of, real


@instead_of(sweeping, "reap")
def reaps_nothing(db: Any, rules: object, **call: Any) -> None:
    return None


@instead_of(sweeping, "reap")
def reaps_what_lives(db: Any, rules: Sequence[ReapRule], *, spare: Collection[int], limit: int) -> None:
    db.now += timedelta(seconds=25)
    real("sweeping.reap", db, rules, spare=spare, limit=limit)


@instead_of(sweeping, "reap")
def spares_nobody(db: Any, rules: Sequence[ReapRule], *, spare: Collection[int], limit: int) -> None:
    real("sweeping.reap", db, rules, spare=(), limit=limit)


@instead_of(sweeping, "reap")
def reaps_without_a_limit(db: Any, rules: Sequence[ReapRule], *, spare: Collection[int], limit: int) -> None:
    real("sweeping.reap", db, rules, spare=spare, limit=10**6)


@instead_of(sweeping, "reap")
def reaps_every_type(db: Any, rules: Sequence[ReapRule], *, spare: Collection[int], limit: int) -> None:
    everywhere = [replace(rules[0], type=row.type) for row in claiming.running(db)]
    real("sweeping.reap", db, everywhere, spare=spare, limit=limit)


@instead_of(sweeping, "reap_one")
def reaps_without_delay(db: Any, row: OpenJob, *, rule: ReapRule) -> None:
    real("sweeping.reap_one", db, row, rule=replace(rule, delay=0))


@instead_of(sweeping, "reap_one")
def counts_no_crash(db: Any, row: OpenJob, *, rule: ReapRule) -> None:
    real("sweeping.reap_one", db, replace(row, crashes=row.crashes - 1), rule=replace(rule, max_crashes=99))


@instead_of(sweeping, "reap_one")
def forgives_spent_attempts(db: Any, row: OpenJob, *, rule: ReapRule) -> None:
    real("sweeping.reap_one", db, row, rule=replace(rule, max_attempts=None))


@instead_of(sweeping, "reap_one")
def fails_every_crash(db: Any, row: OpenJob, *, rule: ReapRule) -> None:
    real("sweeping.reap_one", db, row, rule=replace(rule, max_crashes=1))


@instead_of(sweeping, "reap_one")
def reaps_on_and_on(db: Any, row: OpenJob, *, rule: ReapRule) -> None:
    real("sweeping.reap_one", db, row, rule=rule)
    if row.chain_id in db.store.open:
        db.store.open.put(row.chain_id, row)
