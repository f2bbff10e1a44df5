"""Reapers that take too much or too little."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from otelq.model import ReapRule, Status, Verb
from tests.conformance.specimen import claiming, ending, settling, starting, sweeping
from tests.conformance.specimen.store import OpenJob

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


@instead_of(sweeping, "expire")
def expires_nothing(db: Any, *, limit: int) -> None:
    return None


@instead_of(sweeping, "expire")
def expires_without_a_limit(db: Any, *, limit: int) -> None:
    real("sweeping.expire", db, limit=10**6)


@instead_of(sweeping, "expire")
def expires_too_early(db: Any, *, limit: int) -> None:
    db.now += timedelta(milliseconds=2)
    real("sweeping.expire", db, limit=limit)


@instead_of(sweeping, "expire")
def leaves_the_dependents_of_what_expired(db: Any, *, limit: int) -> None:
    for row in sweeping.expired(db)[:limit]:
        ending.close(db, row, verb=Verb.EXPIRE, status=Status.CANCELLED)


@instead_of(sweeping, "expired")
def expires_ready_jobs_alone(db: Any) -> Any:
    return [row for row in real("sweeping.expired", db) if row.status(db.now) is Status.READY]


@instead_of(sweeping, "expired")
def expires_what_was_tried(db: Any) -> Any:
    rows = (db.store.open[chain_id] for chain_id in db.store.open)
    return [row for row in rows if row.expires_at and row.expires_at <= db.now]


@instead_of(OpenJob, "has_expired")
def lets_the_expired_be_claimed(self: Any, now: object) -> bool:
    return False


@instead_of(settling, "put_back")
def takes_what_was_put_back_for_tried(db: Any, row: OpenJob, **call: Any) -> None:
    real("settling.put_back", db, row, **call)
    db.store.open.put(row.chain_id, replace(db.store.open[row.chain_id], expires_at=None))


@instead_of(starting, "append")
def lets_no_time_expire(db: Any, job: Any, **call: Any) -> Any:
    row = real("starting.append", db, job, **call)
    waiting = db.store.open.get(row.chain_id)
    if waiting:
        db.store.open.put(row.chain_id, replace(waiting, expires_at=None))
    return row


@instead_of(settling, "go_on")
def hands_the_time_to_expire_on(db: Any, row: OpenJob, **call: Any) -> Any:
    following = real("settling.go_on", db, row, **call)
    if following.chain_id in db.store.open:
        db.store.open.put(row.chain_id, replace(following, expires_at=row.expires_at))
    return following
