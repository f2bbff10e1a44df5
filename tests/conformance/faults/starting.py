"""Starts that forget or repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from otelq.errors import InvalidArgument, NotFound
from otelq.memory.state import MemoryState
from otelq.memory.statement import Statement
from otelq.memory.store import Chain
from otelq.model import (
    Created,
    NewJob,
    Successor,
)

from .planting import instead_of, real


@instead_of(Statement, "_due")
def runs_everything_now(self: Any, job: NewJob | Successor) -> Any:
    return self._now


@instead_of(Statement, "_due")
def takes_the_past_for_the_past(self: Any, job: NewJob | Successor) -> Any:
    return job.at or real("Statement._due", self, job)


@instead_of(Statement, "_found")
def starts_a_taken_id_afresh(self: Any, chain: Chain, job: NewJob, *, again: bool) -> Any:
    self._delete(chain.chain_id)
    self._insert(job)
    return Created(chain_id=job.chain_id)


@instead_of(Statement, "_found")
def refuses_a_batch_for_a_taken_id(self: Any, chain: Chain, job: NewJob, *, again: bool) -> Any:
    raise NotFound("taken")


@instead_of(Statement, "_found")
def knows_no_call_sent_again(self: Any, chain: Chain, job: NewJob, *, again: bool) -> Any:
    return Created(chain_id=job.chain_id, exists=True)


@instead_of(Statement, "_found")
def takes_any_chain_for_its_own(self: Any, chain: Chain, job: NewJob, *, again: bool) -> Any:
    self.made += chain.made
    return Created(chain_id=job.chain_id)


@instead_of(MemoryState, "create")
async def starts_in_its_own_order(self: Any, jobs: Sequence[NewJob], **call: Any) -> Any:
    created, made = await real("MemoryState.create", self, sorted(jobs, key=lambda job: job.chain_id), **call)
    return created, made


@instead_of(MemoryState, "create")
async def starts_no_empty_batch(self: Any, jobs: Sequence[NewJob], **call: Any) -> Any:
    if not jobs:
        raise InvalidArgument("jobs", "is empty")
    return await real("MemoryState.create", self, jobs, **call)


@instead_of(MemoryState, "create")
async def finds_blockers_anywhere_in_the_batch(self: Any, jobs: Sequence[NewJob], **call: Any) -> Any:
    known = {job.chain_id for job in jobs}
    strange = {blocker for job in jobs for blocker in job.blockers} & known
    bare = [replace(job, blockers=tuple(set(job.blockers) - strange)) for job in jobs]
    return await real("MemoryState.create", self, bare, **call)


@instead_of(MemoryState, "create")
async def gives_up_when_sent_again(self: Any, jobs: Sequence[NewJob], *, again: bool = False, **call: Any) -> Any:
    if again:
        return [Created(chain_id=job.chain_id) for job in jobs], []
    return await real("MemoryState.create", self, jobs, **call)


@instead_of(Statement, "_append")
def forgets_what_it_was_given(self: Any, job: Any, *args: Any, **fields: Any) -> Any:
    bare = replace(job, queue="default", trace=None, meta=None)
    return real("Statement._append", self, bare, *args, **{**fields, "priority": 0})


@instead_of(Statement, "_append")
def gives_every_job_the_first_position(self: Any, job: Any, chain_id: str, position: int, **fields: Any) -> Any:
    return real("Statement._append", self, job, chain_id, position + (position > 0), **fields)
