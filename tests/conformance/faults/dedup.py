"""Keys that are free or held at the wrong time."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from otelq.memory.statement import Statement
from otelq.memory.store import OpenJob
from otelq.model import (
    Created,
    NewJob,
    Verb,
)

from .planting import instead_of, real


@instead_of(Statement, "create")
def knows_no_key(self: Any, job: NewJob, *, again: bool) -> Any:
    return real("Statement.create", self, replace(job, dedup=None), again=again)


@instead_of(Statement, "create")
def looks_for_the_key_first(self: Any, job: NewJob, *, again: bool) -> Any:
    if job.dedup and (holder := self._store.holders.get((job.type, job.dedup.key))):
        return Created(chain_id=holder, deduplicated=True)
    return real("Statement.create", self, job, again=again)


@instead_of(Statement, "create")
def shares_keys_among_types(self: Any, job: NewJob, *, again: bool) -> Any:
    for type, key in self._store.holders:
        if job.dedup and key == job.dedup.key:
            return Created(chain_id=self._store.holders[type, key], deduplicated=True)
    return real("Statement.create", self, job, again=again)


@instead_of(Statement, "_free_key")
def frees_no_key(self: Any, chain_id: str) -> None:
    return None


@instead_of(Statement, "_free_key")
def frees_a_key_that_others_hold(self: Any, chain_id: str) -> None:
    chain = self._store.chains[chain_id]
    self._store.holders.pop((chain.type, chain.dedup))


@instead_of(Statement, "_continue")
def frees_the_key_with_the_first_job(self: Any, verb: Verb, row: OpenJob, *args: Any, **call: Any) -> Any:
    self._free_key(row.chain_id)
    return real("Statement._continue", self, verb, row, *args, **call)
