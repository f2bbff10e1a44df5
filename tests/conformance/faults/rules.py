"""Rules of waiting that are mistaken for each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from otelq.model import JobKey, OnFailure, Status, Until, Verb
from tests.conformance.specimen import ending, unblocking

from .planting import instead_of, real


@instead_of(unblocking, "judge")
def waits_for_all_that_are_open(standings: Mapping[str, Status], *, until: Until, **rule: Any) -> Any:
    return real("unblocking.judge", standings, until=Until.ALL, **rule)


@instead_of(unblocking, "judge")
def waits_for_any_that_is_open(standings: Mapping[str, Status], *, until: Until, **rule: Any) -> Any:
    return real("unblocking.judge", standings, until=Until.ANY, **rule)


@instead_of(unblocking, "judge")
def starts_no_job_with_a_bad_blocker(standings: Mapping[str, Status], *, on_failure: OnFailure, **rule: Any) -> Any:
    return real("unblocking.judge", standings, on_failure=OnFailure.FAIL, **rule)


@instead_of(unblocking, "judge")
def ignores_how_blockers_ended(standings: Mapping[str, Status], *, on_failure: OnFailure, **rule: Any) -> Any:
    return real("unblocking.judge", standings, on_failure=OnFailure.IGNORE, **rule)


@instead_of(unblocking, "judge")
def waits_for_bad_ends_to_be_mended(standings: Mapping[str, Status], *, on_failure: OnFailure, **rule: Any) -> Any:
    return real("unblocking.judge", standings, on_failure=OnFailure.WAIT, **rule)


@instead_of(unblocking, "judge")
def blocks_what_has_no_blockers(standings: Mapping[str, Status], **rule: Any) -> Any:
    if not standings:
        return unblocking.Wait(frozenset({"nobody"}))
    return real("unblocking.judge", standings, **rule)


def _tell(db: Any, job: JobKey, *, blocker: str, rule: Mapping[str, Any]) -> None:
    if row := unblocking.waiting_row(db, job):
        db.store.open.put(row.chain_id, replace(row, **rule))
    real("unblocking.tell", db, job, blocker=blocker)


@instead_of(unblocking, "tell")
def waits_for_the_last_blocker(db: Any, job: JobKey, *, blocker: str) -> None:
    _tell(db, job, blocker=blocker, rule={"until": Until.ALL})


@instead_of(unblocking, "tell")
def goes_with_the_first_blocker(db: Any, job: JobKey, *, blocker: str) -> None:
    _tell(db, job, blocker=blocker, rule={"until": Until.ANY})


@instead_of(unblocking, "tell")
def fails_with_every_bad_blocker(db: Any, job: JobKey, *, blocker: str) -> None:
    _tell(db, job, blocker=blocker, rule={"on_failure": OnFailure.FAIL})


@instead_of(unblocking, "tell")
def ignores_every_bad_end(db: Any, job: JobKey, *, blocker: str) -> None:
    _tell(db, job, blocker=blocker, rule={"on_failure": OnFailure.IGNORE})


@instead_of(unblocking, "_waits_on")
def tells_those_that_wait_on(row: object) -> bool:
    return False


@instead_of(unblocking, "_waits_on")
def tells_nobody_of_a_bad_end(row: object) -> bool:
    return True


@instead_of(unblocking, "unblock")
def goes_on_waiting_for_the_others(db: Any, row: Any) -> None:
    free = replace(row, awaits=0, run_at=max(row.run_at, db.now))
    db.store.open.put(row.chain_id, free)
    db.note(Verb.UNBLOCK, free, source=Status.BLOCKED, target=free.status(db.now), due_at=free.run_at)


@instead_of(unblocking, "follow")
def tells_nobody_of_any_end(db: Any) -> None:
    db.closed.clear()


@instead_of(unblocking, "follow")
def tells_too_many_at_once_and_forgets_them(db: Any) -> None:
    real("unblocking.follow", db)
    for blocker in db.store.pending:
        db.store.pending.pop(blocker)


@instead_of(unblocking, "unblock_pending")
def mops_up_again_and_again(db: Any, *, limit: int) -> None:
    real("unblocking.unblock_pending", db, limit=limit)
    for chain_id in db.store.chains:
        if chain_id not in db.store.open and ending.last_outcome(db, chain_id).status in unblocking.BAD_ENDS:
            for job in db.store.awaiting(chain_id)[:limit]:
                unblocking.tell(db, job, blocker=chain_id)
                db.store.edges.put((*job, chain_id), True)
