"""Keys that are free or held at the wrong time."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from otelq.memory import keys, settling, starting
from otelq.memory.store import OpenJob
from otelq.model import (
    Created,
    NewJob,
)

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
