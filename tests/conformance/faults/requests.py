"""Finish, trigger, cancel and delete, done by halves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec.structs import replace

from otelq.errors import InvalidArgument, JobTypeMismatch, NotFound
from otelq.memory.statement import Statement
from otelq.memory.store import OpenJob, Store
from otelq.model import (
    Status,
    Verb,
)

from .planting import instead_of, real


@instead_of(Statement, "finish")
def finishes_nothing(self: Any, closure: object) -> None:
    return None


@instead_of(Statement, "finish")
def finishes_what_waits_in_line_alone(self: Any, closure: Any) -> None:
    row = self._open_job(closure.chain_id)
    if row.status(self._now) is not Status.READY:
        raise JobTypeMismatch("not ready")
    real("Statement.finish", self, closure)


@instead_of(Statement, "finish")
def finishes_any_step(self: Any, closure: Any) -> None:
    row = self._open_job(closure.chain_id)
    real("Statement.finish", self, replace(closure, step=row.type))


@instead_of(Statement, "_not_the_step")
def knows_no_past_step(self: Any, row: OpenJob, step: str) -> Exception:
    return JobTypeMismatch("another")


@instead_of(Statement, "_open_job")
def calls_closed_chains_missing(self: Any, chain_id: str) -> Any:
    row: OpenJob | None = self._store.open.get(chain_id)
    if row is None:
        raise NotFound("no such chain")
    return row


@instead_of(Statement, "_open_job")
def takes_no_missing_chain_ill(self: Any, chain_id: str) -> Any:
    if chain_id not in self._store.chains:
        return self._store.open[next(iter(self._store.open))]
    return real("Statement._open_job", self, chain_id)


@instead_of(Statement, "trigger")
def triggers_silently(self: Any, chain_id: str) -> None:
    real("Statement.trigger", self, chain_id)
    self.made.clear()


@instead_of(Statement, "trigger")
def triggers_without_writing(self: Any, chain_id: str) -> None:
    row = self._open_job(chain_id)
    real("Statement.trigger", self, chain_id)
    self._store.open.put(chain_id, row)


@instead_of(Statement, "trigger")
def triggers_anything(self: Any, chain_id: str) -> None:
    row = self._open_job(chain_id)
    self._store.open.put(chain_id, replace(row, run_at=self._now))
    self._note(Verb.TRIGGER, row, source=Status.SCHEDULED, target=Status.READY)


@instead_of(Statement, "cancel")
def cancels_waiting_jobs_alone(self: Any, chain_id: str) -> None:
    if self._open_job(chain_id).token is None:
        real("Statement.cancel", self, chain_id)


@instead_of(Statement, "cancel")
def cancels_one_after_the_other(self: Any, chain_id: str) -> None:
    if chain_id in self._store.open or chain_id not in self._store.chains or len(self.made) == 0:
        real("Statement.cancel", self, chain_id)
    self.follow()


@instead_of(Statement, "cancel")
def cancels_what_does_not_run(self: Any, chain_id: str) -> None:
    row = self._open_job(chain_id)
    if row.awaits or row.run_at > self._now:
        raise InvalidArgument("chain", "is not ready")
    real("Statement.cancel", self, chain_id)


@instead_of(Statement, "_check_unreferenced")
def deletes_what_others_wait_for(self: Any, chain_id: str, chain_ids: object) -> None:
    if chain_id not in self._store.chains:
        raise NotFound("no such chain")


@instead_of(Statement, "_check_unreferenced")
def deletes_what_is_not_there(self: Any, chain_id: str, chain_ids: object) -> None:
    if chain_id in self._store.chains:
        real("Statement._check_unreferenced", self, chain_id, chain_ids)


@instead_of(Statement, "delete")
def ignores_what_is_not_there(self: Any, chain_ids: Collection[str]) -> None:
    real("Statement.delete", self, [chain_id for chain_id in chain_ids if chain_id in self._store.chains])


@instead_of(Statement, "_check_unreferenced")
def deletes_no_blocker_with_its_dependents(self: Any, chain_id: str, chain_ids: object) -> None:
    real("Statement._check_unreferenced", self, chain_id, ())


@instead_of(Statement, "_delete")
def deletes_nothing(self: Any, chain_id: str) -> None:
    for position in range(self._store.lengths[chain_id]):
        status = getattr(self._store.outcomes.get((chain_id, position)), "status", None)
        source = status or self._store.open[chain_id].status(self._now)
        self._transition(Verb.DELETE, (chain_id, position), source=source, target=None, attempt=0)


@instead_of(Statement, "_delete")
def reports_one_deleted_job_alone(self: Any, chain_id: str) -> None:
    mark = len(self.made)
    real("Statement._delete", self, chain_id)
    del self.made[mark + 1 :]


@instead_of(Statement, "_delete")
def leaves_the_key_of_a_deleted_chain(self: Any, chain_id: str) -> None:
    chain = self._store.chains[chain_id]
    real("Statement._delete", self, chain_id)
    if chain.dedup:
        self._store.holders.put((chain.type, chain.dedup), chain_id)


@instead_of(Store, "rollback")
def keeps_the_half_of_a_refused_batch(self: Any) -> None:
    self.commit()
