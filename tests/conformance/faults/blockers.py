"""Dependents that go too early, too often or never."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from otelq.errors import NotFound
from otelq.memory.queries import Reader
from otelq.memory.statement import Statement
from otelq.memory.store import OpenJob
from otelq.model import (
    Status,
    Verb,
)

from .planting import instead_of, real


@instead_of(Statement, "_standing")
def takes_a_missing_blocker_for_done(self: Any, blocker: str) -> Any:
    try:
        return real("Statement._standing", self, blocker)
    except NotFound:
        return Status.COMPLETED


@instead_of(Statement, "_standing")
def waits_for_what_closed_before(self: Any, blocker: str) -> Any:
    real("Statement._standing", self, blocker)
    return Status.READY


@instead_of(Statement, "_standing")
def takes_a_failed_blocker_for_done(self: Any, blocker: str) -> Any:
    real("Statement._standing", self, blocker)
    return Status.READY if blocker in self._store.open else Status.COMPLETED


@instead_of(Statement, "_let_go")
def counts_two_blockers_of_a_batch_once(self: Any, chain_id: str, blocker: str) -> None:
    seen: set[str] = self.__dict__.setdefault("seen", set())
    if chain_id not in seen:
        real("Statement._let_go", self, chain_id, blocker)
    seen.add(chain_id)


@instead_of(Statement, "_let_go")
def lets_go_with_the_first_blocker(self: Any, chain_id: str, blocker: str) -> None:
    row = self._store.open.get(chain_id)
    if row and row.awaits:
        self._store.open.put(chain_id, replace(row, awaits=1))
    real("Statement._let_go", self, chain_id, blocker)


@instead_of(Statement, "_let_go")
def lets_go_where_a_blocker_failed(self: Any, chain_id: str, blocker: str) -> None:
    row = self._store.open.get(chain_id)
    if row and row.awaits:
        self._unblock(row)


@instead_of(Statement, "_let_go")
def leaves_the_dependents_of_failures(self: Any, chain_id: str, blocker: str) -> None:
    if self._last_outcome(blocker).status is Status.COMPLETED:
        real("Statement._let_go", self, chain_id, blocker)


@instead_of(Statement, "_fail_by")
def fails_one_level_alone(self: Any, blocker: str, row: OpenJob) -> None:
    real("Statement._fail_by", self, blocker, row)
    self._closed.clear()


@instead_of(Statement, "_fail_by")
def fails_without_a_reason(self: Any, blocker: str, row: OpenJob) -> None:
    self._close(Verb.FAIL_BY_BLOCKER, row, Status.FAILED)


@instead_of(Statement, "_unblock")
def lets_go_twice(self: Any, row: OpenJob) -> None:
    real("Statement._unblock", self, row)
    self.made.append(self.made[-1])


@instead_of(Statement, "_unblock")
def forgets_the_plan_of_a_blocked_job(self: Any, row: OpenJob) -> None:
    real("Statement._unblock", self, replace(row, run_at=self._now))


@instead_of(Statement, "_unblock")
def lets_go_in_the_past(self: Any, row: OpenJob) -> None:
    real("Statement._unblock", self, row)
    self._store.open.put(row.chain_id, replace(row, awaits=0))


@instead_of(Statement, "_unblock")
def lets_go_without_telling(self: Any, row: OpenJob) -> None:
    real("Statement._unblock", self, row)
    self.made.pop()


@instead_of(Statement, "_continue")
def lets_go_with_a_continuation(self: Any, verb: Verb, row: OpenJob, *args: Any, **call: Any) -> Any:
    following = real("Statement._continue", self, verb, row, *args, **call)
    for dependent in self._store.dependents(row.chain_id):
        waiting = self._store.open.get(dependent)
        if waiting and waiting.awaits:
            self._unblock(waiting)
    return following


@instead_of(Statement, "_continue")
def hands_the_wait_on(self: Any, verb: Verb, row: OpenJob, *args: Any, **call: Any) -> Any:
    following = real("Statement._continue", self, verb, row, *args, **call)
    self._store.open.put(row.chain_id, replace(following, awaits=row.awaits))
    return following


@instead_of(Statement, "mop_up")
def mops_up_nothing(self: Any, *, limit: int) -> None:
    return None


@instead_of(Statement, "mop_up")
def mops_up_without_a_limit(self: Any, *, limit: int) -> None:
    real("Statement.mop_up", self, limit=10**6)


@instead_of(Reader, "blocker_outputs")
def sorts_outputs_by_id(self: Any, chain_id: str) -> Any:
    return sorted(real("Reader.blocker_outputs", self, chain_id), key=lambda one: one.chain_id)


@instead_of(Reader, "blocker_outputs")
def tells_completed_blockers_alone(self: Any, chain_id: str) -> Any:
    found = real("Reader.blocker_outputs", self, chain_id)
    return [one for one in found if one.status is Status.COMPLETED]
