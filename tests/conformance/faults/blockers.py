"""Dependents that go too early, too often or never."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from otelq.errors import NotFound
from otelq.model import (
    JobKey,
    Status,
    Verb,
)
from tests.conformance.specimen import ending, settling, unblocking
from tests.conformance.specimen.asking import Reader
from tests.conformance.specimen.store import OpenJob

from .planting import instead_of, real


@instead_of(unblocking, "standing")
def takes_a_missing_blocker_for_done(db: Any, blocker: str) -> Any:
    try:
        return real("unblocking.standing", db, blocker)
    except NotFound:
        return Status.COMPLETED


@instead_of(unblocking, "standing")
def waits_for_what_closed_before(db: Any, blocker: str) -> Any:
    real("unblocking.standing", db, blocker)
    return Status.READY


@instead_of(unblocking, "standing")
def takes_a_failed_blocker_for_done(db: Any, blocker: str) -> Any:
    real("unblocking.standing", db, blocker)
    return Status.READY if blocker in db.store.open else Status.COMPLETED


@instead_of(unblocking, "tell")
def counts_two_blockers_of_a_batch_once(db: Any, job: JobKey, *, blocker: str) -> None:
    seen: set[JobKey] = db.__dict__.setdefault("seen", set())
    if job not in seen:
        real("unblocking.tell", db, job, blocker=blocker)
    seen.add(job)


@instead_of(unblocking, "tell")
def lets_go_with_the_first_blocker(db: Any, job: JobKey, *, blocker: str) -> None:
    if row := unblocking.waiting_row(db, job):
        db.store.open.put(row.chain_id, replace(row, awaits=1))
    real("unblocking.tell", db, job, blocker=blocker)


@instead_of(unblocking, "tell")
def lets_go_where_a_blocker_failed(db: Any, job: JobKey, *, blocker: str) -> None:
    if row := unblocking.waiting_row(db, job):
        unblocking.unblock(db, row)


@instead_of(unblocking, "tell")
def leaves_the_dependents_of_failures(db: Any, job: JobKey, *, blocker: str) -> None:
    if ending.last_outcome(db, blocker).status is Status.COMPLETED:
        real("unblocking.tell", db, job, blocker=blocker)


@instead_of(unblocking, "fail_by")
def fails_one_level_alone(db: Any, row: OpenJob, *, blocker: str) -> None:
    real("unblocking.fail_by", db, row, blocker=blocker)
    db.closed.clear()


@instead_of(unblocking, "fail_by")
def fails_without_a_reason(db: Any, row: OpenJob, *, blocker: str) -> None:
    ending.close(db, row, verb=Verb.FAIL_BY_BLOCKER, status=Status.FAILED)


@instead_of(unblocking, "unblock")
def lets_go_twice(db: Any, row: OpenJob) -> None:
    real("unblocking.unblock", db, row)
    db.made.append(db.made[-1])


@instead_of(unblocking, "unblock")
def forgets_the_plan_of_a_blocked_job(db: Any, row: OpenJob) -> None:
    real("unblocking.unblock", db, replace(row, run_at=db.now))


@instead_of(unblocking, "unblock")
def lets_go_in_the_past(db: Any, row: OpenJob) -> None:
    real("unblocking.unblock", db, row)
    db.store.open.put(row.chain_id, replace(row, awaits=0))


@instead_of(unblocking, "unblock")
def lets_go_without_telling(db: Any, row: OpenJob) -> None:
    real("unblocking.unblock", db, row)
    db.made.pop()


@instead_of(settling, "go_on")
def lets_go_with_a_continuation(db: Any, row: OpenJob, **call: Any) -> Any:
    following = real("settling.go_on", db, row, **call)
    for dependent in db.store.dependents(row.chain_id):
        if waiting := unblocking.waiting_row(db, dependent):
            unblocking.unblock(db, waiting)
    return following


@instead_of(settling, "go_on")
def hands_the_wait_on(db: Any, row: OpenJob, **call: Any) -> Any:
    following = real("settling.go_on", db, row, **call)
    db.store.open.put(row.chain_id, replace(following, awaits=row.awaits))
    return following


@instead_of(unblocking, "unblock_pending")
def mops_up_nothing(db: Any, *, limit: int) -> None:
    return None


@instead_of(unblocking, "unblock_pending")
def mops_up_without_a_limit(db: Any, *, limit: int) -> None:
    real("unblocking.unblock_pending", db, limit=10**6)


@instead_of(Reader, "blocker_outputs")
def sorts_outputs_by_id(self: Any, job: JobKey) -> Any:
    return sorted(real("Reader.blocker_outputs", self, job), key=lambda one: one.chain_id)


@instead_of(Reader, "blocker_outputs")
def tells_completed_blockers_alone(self: Any, job: JobKey) -> Any:
    found = real("Reader.blocker_outputs", self, job)
    return [one for one in found if one.status is Status.COMPLETED]
