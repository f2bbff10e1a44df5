"""Finish, trigger, cancel and delete, done by halves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec.structs import replace

from otelq.errors import InvalidArgument, JobTypeMismatch, NotFound
from otelq.model import (
    Status,
    Verb,
)
from tests.conformance.specimen import closing, keys, moving, unblocking
from tests.conformance.specimen.state import MemoryState
from tests.conformance.specimen.store import OpenJob, Store

from .planting import instead_of, real


@instead_of(closing, "complete_externally")
def finishes_nothing(db: Any, closure: object) -> None:
    return None


@instead_of(closing, "complete_externally")
def finishes_what_waits_in_line_alone(db: Any, closure: Any) -> None:
    row = moving.open_job(db, closure.chain_id)
    if row.status(db.now) is not Status.READY:
        raise JobTypeMismatch("not ready")
    real("closing.complete_externally", db, closure)


@instead_of(closing, "complete_externally")
def finishes_any_step(db: Any, closure: Any) -> None:
    row = moving.open_job(db, closure.chain_id)
    real("closing.complete_externally", db, replace(closure, step=row.type))


@instead_of(moving, "not_the_step")
def knows_no_past_step(db: Any, row: OpenJob, *, step: str) -> Exception:
    return JobTypeMismatch("another")


@instead_of(moving, "open_job")
def calls_closed_chains_missing(db: Any, chain_id: str) -> Any:
    row: OpenJob | None = db.store.open.get(chain_id)
    if row is None:
        raise NotFound("no such chain")
    return row


@instead_of(moving, "open_job")
def takes_no_missing_chain_ill(db: Any, chain_id: str) -> Any:
    if chain_id not in db.store.chains:
        return db.store.open[next(iter(db.store.open))]
    return real("moving.open_job", db, chain_id)


@instead_of(moving, "trigger")
def triggers_silently(db: Any, chain_id: str) -> None:
    real("moving.trigger", db, chain_id)
    db.made.clear()


@instead_of(moving, "trigger")
def triggers_without_writing(db: Any, chain_id: str) -> None:
    row = moving.open_job(db, chain_id)
    real("moving.trigger", db, chain_id)
    db.store.open.put(chain_id, row)


@instead_of(moving, "trigger")
def triggers_anything(db: Any, chain_id: str) -> None:
    row = moving.open_job(db, chain_id)
    db.store.open.put(chain_id, replace(row, run_at=db.now))
    db.note(Verb.TRIGGER, row, source=Status.SCHEDULED, target=Status.READY)


@instead_of(closing, "cancel")
def cancels_waiting_jobs_alone(db: Any, chain_id: str) -> None:
    if moving.open_job(db, chain_id).token is None:
        real("closing.cancel", db, chain_id)


@instead_of(closing, "cancel")
def cancels_one_after_the_other(db: Any, chain_id: str) -> None:
    if chain_id in db.store.open or chain_id not in db.store.chains or len(db.made) == 0:
        real("closing.cancel", db, chain_id)
    unblocking.follow(db)


@instead_of(closing, "cancel")
def cancels_what_does_not_run(db: Any, chain_id: str) -> None:
    row = moving.open_job(db, chain_id)
    if row.awaits or row.run_at > db.now:
        raise InvalidArgument("chain", "is not ready")
    real("closing.cancel", db, chain_id)


@instead_of(closing, "check_unreferenced")
def deletes_what_others_wait_for(db: Any, chain_id: str, *, chain_ids: object) -> None:
    if chain_id not in db.store.chains:
        raise NotFound("no such chain")


@instead_of(closing, "check_unreferenced")
def deletes_what_is_not_there(db: Any, chain_id: str, *, chain_ids: object) -> None:
    if chain_id in db.store.chains:
        real("closing.check_unreferenced", db, chain_id, chain_ids=chain_ids)


@instead_of(closing, "delete")
def ignores_what_is_not_there(db: Any, chain_ids: Collection[str]) -> None:
    real("closing.delete", db, [chain_id for chain_id in chain_ids if chain_id in db.store.chains])


@instead_of(closing, "check_unreferenced")
def deletes_no_blocker_with_its_dependents(db: Any, chain_id: str, *, chain_ids: object) -> None:
    real("closing.check_unreferenced", db, chain_id, chain_ids=())


@instead_of(closing, "remove")
def deletes_nothing(db: Any, chain_id: str) -> None:
    for position in range(db.store.lengths[chain_id]):
        status = getattr(db.store.outcomes.get((chain_id, position)), "status", None)
        source = status or db.store.open[chain_id].status(db.now)
        db.transition(Verb.DELETE, (chain_id, position), source=source, target=None, attempt=0)


@instead_of(closing, "remove")
def reports_one_deleted_job_alone(db: Any, chain_id: str) -> None:
    mark = len(db.made)
    real("closing.remove", db, chain_id)
    del db.made[mark + 1 :]


@instead_of(closing, "remove")
def leaves_the_key_of_a_deleted_chain(db: Any, chain_id: str) -> None:
    chain = db.store.chains[chain_id]
    real("closing.remove", db, chain_id)
    if chain.dedup:
        keys.take(db, chain)


@instead_of(Store, "rollback")
def keeps_the_half_of_a_refused_batch(self: Any) -> None:
    self.commit()


@instead_of(closing, "with_blockers")
def cascades_nowhere(db: Any, chain_ids: Collection[str]) -> Any:
    return chain_ids


@instead_of(closing, "with_blockers")
def cascades_one_step(db: Any, chain_ids: Collection[str]) -> Any:
    blockers = [blocker for chain_id in chain_ids for blocker in closing.blockers_of(db, chain_id)]
    return dict.fromkeys([*chain_ids, *blockers]).keys()


@instead_of(closing, "with_blockers")
def cascades_a_hundred_steps(db: Any, chain_ids: Collection[str]) -> Any:
    found = dict.fromkeys(chain_ids)
    for _ in range(100):
        found |= dict.fromkeys(blocker for chain_id in found for blocker in closing.blockers_of(db, chain_id))
    return found.keys()


@instead_of(closing, "blockers_of")
def cascades_through_first_jobs_alone(db: Any, chain_id: str) -> Any:
    return db.store.blockers.get((chain_id, 0)) or ()


@instead_of(closing, "blockers_of")
def cascades_through_last_jobs_alone(db: Any, chain_id: str) -> Any:
    return db.store.blockers.get((chain_id, (db.store.lengths.get(chain_id) or 1) - 1)) or ()


@instead_of(closing, "with_blockers")
def cascades_to_dependents(db: Any, chain_ids: Collection[str]) -> Any:
    found = dict.fromkeys(real("closing.with_blockers", db, chain_ids))
    for chain_id in list(found):
        found |= {dependent: None for dependent, _ in db.store.dependents(chain_id)}
    return found.keys()


@instead_of(closing, "with_blockers")
def cascades_to_everything(db: Any, chain_ids: Collection[str]) -> Any:
    return dict.fromkeys([*chain_ids, *db.store.chains]).keys()


@instead_of(MemoryState, "delete")
async def cascades_always(self: Any, chain_ids: Sequence[str], *, cascade: bool = False, **call: Any) -> Any:
    return await real("MemoryState.delete", self, chain_ids, cascade=True, **call)
