"""Blockers that are given later and got lost, and circles that are closed or imagined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from otelq.errors import InvalidArgument
from otelq.model import JobKey, Until
from tests.conformance.specimen import settling, starting, unblocking
from tests.conformance.specimen.asking import Reader
from tests.conformance.specimen.store import OpenJob

from .planting import instead_of, real


@instead_of(settling, "go_on")
def continues_without_blockers(db: Any, row: OpenJob, *, successor: Any, **call: Any) -> Any:
    return real("settling.go_on", db, row, successor=replace(successor, blockers=()), **call)


@instead_of(settling, "go_on")
def looks_at_the_blockers_too_late(db: Any, row: OpenJob, *, successor: Any, **call: Any) -> Any:
    following = real("settling.go_on", db, row, successor=replace(successor, blockers=()), **call)
    starting.look(db, successor)
    return following


@instead_of(settling, "go_on")
def continues_at_once(db: Any, row: OpenJob, *, successor: Any, **call: Any) -> Any:
    return real("settling.go_on", db, row, successor=replace(successor, delay=None, at=None), **call)


@instead_of(settling, "block")
def waits_for_nothing(db: Any, row: OpenJob, *, blocks: Any, item: Any) -> None:
    real("settling.block", db, row, blocks=replace(blocks, blockers=()), item=item)


@instead_of(settling, "block")
def waits_for_the_first_named(db: Any, row: OpenJob, *, blocks: Any, item: Any) -> None:
    real("settling.block", db, row, blocks=replace(blocks, blockers=blocks.blockers[:1]), item=item)


@instead_of(settling, "block")
def spends_an_attempt_on_waiting(db: Any, row: OpenJob, *, blocks: Any, item: Any) -> None:
    real("settling.block", db, replace(row, attempt=row.attempt + 1), blocks=blocks, item=item)


@instead_of(settling, "block")
def waits_by_the_rule_of_the_start(db: Any, row: OpenJob, *, blocks: Any, item: Any) -> None:
    rule = {"until": row.until, "on_failure": row.on_failure}
    real("settling.block", db, row, blocks=replace(blocks, **rule), item=item)


@instead_of(settling, "block")
def says_nothing_of_waiting(db: Any, row: OpenJob, *, blocks: Any, item: Any) -> None:
    mark = len(db.made)
    real("settling.block", db, row, blocks=blocks, item=replace(item, worker="nobody", trace=None))
    del db.made[mark + 1 :]


@instead_of(unblocking, "give")
def forgets_the_blockers_before(db: Any, key: JobKey, *, blockers: Iterable[str], awaited: frozenset[str]) -> None:
    db.store.blockers.pop(key)
    real("unblocking.give", db, key, blockers=blockers, awaited=awaited)


@instead_of(unblocking, "give")
def waits_for_each_blocker_once(db: Any, key: JobKey, *, blockers: Iterable[str], awaited: frozenset[str]) -> None:
    old = db.store.blockers.get(key) or ()
    real("unblocking.give", db, key, blockers=blockers, awaited=awaited - set(old))


@instead_of(unblocking, "give")
def tells_a_blocker_twice(db: Any, key: JobKey, *, blockers: Iterable[str], awaited: frozenset[str]) -> None:
    old = db.store.blockers.get(key) or ()
    real("unblocking.give", db, key, blockers=blockers, awaited=awaited)
    db.store.blockers.put(key, (*old, *blockers))


@instead_of(unblocking, "give")
def takes_a_thousand_blockers(db: Any, key: JobKey, *, blockers: Iterable[str], awaited: frozenset[str]) -> None:
    real("unblocking.give", db, key, blockers=list(blockers)[:1000], awaited=awaited)


@instead_of(unblocking, "give")
def waits_without_being_told(db: Any, key: JobKey, *, blockers: Iterable[str], awaited: frozenset[str]) -> None:
    real("unblocking.give", db, key, blockers=blockers, awaited=frozenset())


@instead_of(unblocking, "tell")
def lets_go_one_too_early(db: Any, job: JobKey, *, blocker: str) -> None:
    row = unblocking.waiting_row(db, job)
    if row and row.awaits == 2:
        unblocking.unblock(db, row)
    else:
        real("unblocking.tell", db, job, blocker=blocker)


@instead_of(Reader, "blocker_outputs")
def takes_all_jobs_for_the_first(self: Any, job: JobKey) -> Any:
    return real("Reader.blocker_outputs", self, (job[0], 0))


# Circles


@instead_of(unblocking, "refuse_circle")
def closes_any_circle(db: Any, chain_id: str, *, blockers: Iterable[str]) -> None:
    return None


@instead_of(unblocking, "refuse_circle")
def refuses_only_itself(db: Any, chain_id: str, *, blockers: Iterable[str]) -> None:
    if chain_id in blockers:
        raise InvalidArgument("blockers", "is the chain itself")


@instead_of(unblocking, "refuse_circle")
def looks_at_the_next_chain_alone(db: Any, chain_id: str, *, blockers: Iterable[str]) -> None:
    for blocker in blockers:
        if chain_id in (blocker, *unblocking.awaited_by(db, blocker)):
            raise InvalidArgument("blockers", "close a circle")


@instead_of(unblocking, "awaited_by")
def follows_the_first_jobs_alone(db: Any, chain_id: str) -> Any:
    row = db.store.open.get(chain_id)
    return () if row is None or row.position else real("unblocking.awaited_by", db, chain_id)


@instead_of(unblocking, "awaited_by")
def follows_no_waits_for_any(db: Any, chain_id: str) -> Any:
    row = db.store.open.get(chain_id)
    return () if row is None or row.until is Until.ANY else real("unblocking.awaited_by", db, chain_id)


@instead_of(unblocking, "awaited_by")
def follows_waits_that_are_over(db: Any, chain_id: str) -> Any:
    position = (db.store.lengths.get(chain_id) or 1) - 1
    return db.store.blockers.get((chain_id, position)) or ()


@instead_of(unblocking, "refuse_circle")
def takes_two_ways_for_a_circle(db: Any, chain_id: str, *, blockers: Iterable[str]) -> None:
    real("unblocking.refuse_circle", db, chain_id, blockers=blockers)
    further = [one for blocker in blockers for one in unblocking.awaited_by(db, blocker)]
    if len(set(further)) < len(further):
        raise InvalidArgument("blockers", "meet")


@instead_of(unblocking, "refuse_circle")
def sees_no_circle_of_waits(db: Any, chain_id: str, *, blockers: Iterable[str]) -> None:
    known = {blocker for blocker in blockers if not db.store.attempts.get((blocker, 0))}
    real("unblocking.refuse_circle", db, chain_id, blockers=known)
