"""Reapers that take too much or too little."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from otelq.memory.statement import Statement
from otelq.memory.store import OpenJob
from otelq.model import (
    ReapRule,
)

from .planting import instead_of, real


@instead_of(Statement, "reap")
def reaps_nothing(self: Any, rules: object, **call: Any) -> None:
    return None


@instead_of(Statement, "reap")
def reaps_what_lives(self: Any, rules: Sequence[ReapRule], *, spare: Collection[int], limit: int) -> None:
    self._now += timedelta(seconds=25)
    real("Statement.reap", self, rules, spare=spare, limit=limit)


@instead_of(Statement, "reap")
def spares_nobody(self: Any, rules: Sequence[ReapRule], *, spare: Collection[int], limit: int) -> None:
    real("Statement.reap", self, rules, spare=(), limit=limit)


@instead_of(Statement, "reap")
def reaps_without_a_limit(self: Any, rules: Sequence[ReapRule], *, spare: Collection[int], limit: int) -> None:
    real("Statement.reap", self, rules, spare=spare, limit=10**6)


@instead_of(Statement, "reap")
def reaps_every_type(self: Any, rules: Sequence[ReapRule], *, spare: Collection[int], limit: int) -> None:
    everywhere = [replace(rules[0], type=row.type) for row in self._running()]
    real("Statement.reap", self, everywhere, spare=spare, limit=limit)


@instead_of(Statement, "_reap")
def reaps_without_delay(self: Any, row: OpenJob, rule: ReapRule) -> None:
    real("Statement._reap", self, row, replace(rule, delay=0))


@instead_of(Statement, "_reap")
def counts_no_crash(self: Any, row: OpenJob, rule: ReapRule) -> None:
    real("Statement._reap", self, replace(row, crashes=row.crashes - 1), replace(rule, max_crashes=99))


@instead_of(Statement, "_reap")
def forgives_spent_attempts(self: Any, row: OpenJob, rule: ReapRule) -> None:
    real("Statement._reap", self, row, replace(rule, max_attempts=None))


@instead_of(Statement, "_reap")
def fails_every_crash(self: Any, row: OpenJob, rule: ReapRule) -> None:
    real("Statement._reap", self, row, replace(rule, max_crashes=1))


@instead_of(Statement, "_reap")
def reaps_on_and_on(self: Any, row: OpenJob, rule: ReapRule) -> None:
    real("Statement._reap", self, row, rule)
    if row.chain_id in self._store.open:
        self._store.open.put(row.chain_id, row)
