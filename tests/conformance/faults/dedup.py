"""Keys that are free or held at the wrong time."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from otelq.model import (
    Created,
    Dedup,
    NewJob,
)
from tests.conformance.specimen import keys, settling, starting
from tests.conformance.specimen.store import Chain, Holder, OpenJob

from .planting import instead_of, real


@instead_of(starting, "create")
def knows_no_key(db: Any, job: NewJob, *, again: bool) -> Any:
    return real("starting.create", db, replace(job, dedup=None), again=again)


@instead_of(starting, "create")
def looks_for_the_key_first(db: Any, job: NewJob, *, again: bool) -> Any:
    if job.dedup and (holder := db.store.holders.get((job.type, job.dedup.key))):
        return Created(chain_id=holder.chain_id, deduplicated=True)
    return real("starting.create", db, job, again=again)


@instead_of(starting, "create")
def shares_keys_among_types(db: Any, job: NewJob, *, again: bool) -> Any:
    for type, key in db.store.holders:
        if job.dedup and key == job.dedup.key:
            return Created(chain_id=db.store.holders[type, key].chain_id, deduplicated=True)
    return real("starting.create", db, job, again=again)


@instead_of(starting, "create")
def frees_no_key(db: Any, job: NewJob, *, again: bool) -> Any:
    taken: dict[tuple[str, str], str] = db.store.__dict__.setdefault("taken", {})
    key = (job.type, job.dedup.key) if job.dedup else None
    if key in taken and not again:
        return Created(chain_id=taken[key], deduplicated=True)
    created: Created = real("starting.create", db, job, again=again)
    if key:
        taken[key] = created.chain_id
    return created


@instead_of(keys, "drop")
def frees_a_key_that_others_hold(db: Any, chain_id: str) -> None:
    chain = db.store.chains[chain_id]
    if chain.dedup:
        db.store.holders.pop((chain.type, chain.dedup.key))


@instead_of(settling, "go_on")
def frees_the_key_with_the_first_job(db: Any, row: OpenJob, **call: Any) -> Any:
    keys.free(db, row.chain_id)
    return real("settling.go_on", db, row, **call)


@instead_of(keys, "take")
def keeps_no_key_after_the_end(db: Any, chain: Chain) -> None:
    real("keys.take", db, replace(chain, dedup=chain.dedup and replace(chain.dedup, scope="open")))


@instead_of(keys, "take")
def keeps_every_key_after_the_end(db: Any, chain: Chain) -> None:
    real("keys.take", db, replace(chain, dedup=chain.dedup and replace(chain.dedup, scope="any")))


@instead_of(keys, "take")
def counts_the_window_from_the_first_holder(db: Any, chain: Chain) -> None:
    before = db.store.holders.get((chain.type, chain.dedup.key)) if chain.dedup else None
    real("keys.take", db, replace(chain, created_at=before.taken_at) if before else chain)


@instead_of(keys, "take")
def takes_only_free_keys(db: Any, chain: Chain) -> None:
    if chain.dedup and (chain.type, chain.dedup.key) not in db.store.holders:
        real("keys.take", db, chain)


@instead_of(keys, "matches")
def gives_closed_holders_to_all(db: Any, holder: Holder, dedup: Dedup) -> Any:
    return real("keys.matches", db, holder, replace(dedup, scope="any"))


@instead_of(keys, "matches")
def gives_closed_holders_to_nobody(db: Any, holder: Holder, dedup: Dedup) -> Any:
    return real("keys.matches", db, holder, replace(dedup, scope="open"))


@instead_of(keys, "matches")
def gives_lasting_holders_to_nobody_else(db: Any, holder: Holder, dedup: Dedup) -> Any:
    return holder.lasting is (dedup.scope == "any") and real("keys.matches", db, holder, dedup)


@instead_of(keys, "matches")
def knows_no_window(db: Any, holder: Holder, dedup: Dedup) -> Any:
    return real("keys.matches", db, holder, replace(dedup, window=None))


@instead_of(keys, "matches")
def ends_the_window_early(db: Any, holder: Holder, dedup: Dedup) -> Any:
    return real("keys.matches", db, holder, replace(dedup, window=dedup.window and dedup.window - 1))


@instead_of(keys, "matches")
def looks_at_the_window_of_closed_holders_alone(db: Any, holder: Holder, dedup: Dedup) -> Any:
    window = None if holder.chain_id in db.store.open else dedup.window
    return real("keys.matches", db, holder, replace(dedup, window=window))


@instead_of(keys, "matches")
def knows_no_exclusion(db: Any, holder: Holder, dedup: Dedup) -> Any:
    return real("keys.matches", db, holder, replace(dedup, exclude=()))


@instead_of(keys, "matches")
def excludes_everybody(db: Any, holder: Holder, dedup: Dedup) -> Any:
    return not dedup.exclude and real("keys.matches", db, holder, dedup)


@instead_of(keys, "free")
def frees_a_key_that_others_took(db: Any, chain_id: str) -> None:
    chain = db.store.chains[chain_id]
    if chain.dedup:
        db.store.holders.pop((chain.type, chain.dedup.key))


@instead_of(keys, "drop")
def gives_the_key_back_to_the_loser(db: Any, chain_id: str) -> None:
    real("keys.drop", db, chain_id)
    chain = db.store.chains[chain_id]
    for other in db.store.open:
        if chain.dedup and db.store.chains[other].dedup:
            keys.take(db, db.store.chains[other])


@instead_of(keys, "given")
def lets_each_start_of_a_batch_decide(db: Any, job: NewJob) -> Any:
    db.given.clear()
    return real("keys.given", db, job)


@instead_of(starting, "create")
def looks_at_the_blockers_of_a_duplicate(db: Any, job: NewJob, *, again: bool) -> Any:
    starting.look(db, job)
    return real("starting.create", db, job, again=again)


@instead_of(starting, "create")
def cuts_long_keys(db: Any, job: NewJob, *, again: bool) -> Any:
    cut = job.dedup and replace(job.dedup, key=job.dedup.key[:255])
    return real("starting.create", db, replace(job, dedup=cut), again=again)
