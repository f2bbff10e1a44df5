"""Starts that forget or repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from otelq.errors import InvalidArgument, NotFound
from otelq.model import (
    Created,
    JobKey,
    NewJob,
)
from tests.conformance.specimen import closing, starting
from tests.conformance.specimen.state import MemoryState
from tests.conformance.specimen.store import Chain

from .planting import instead_of, real


@instead_of(starting, "due")
def runs_everything_now(db: Any, job: object) -> Any:
    return db.now


@instead_of(starting, "due")
def takes_the_past_for_the_past(db: Any, job: Any) -> Any:
    return job.at or real("starting.due", db, job)


@instead_of(starting, "found")
def starts_a_taken_id_afresh(db: Any, job: NewJob, *, chain: Chain, again: bool) -> Any:
    closing.remove(db, chain.chain_id)
    starting.insert(db, job)
    return Created(chain_id=job.chain_id)


@instead_of(starting, "found")
def refuses_a_batch_for_a_taken_id(db: Any, job: NewJob, *, chain: Chain, again: bool) -> Any:
    raise NotFound("taken")


@instead_of(starting, "found")
def knows_no_call_sent_again(db: Any, job: NewJob, *, chain: Chain, again: bool) -> Any:
    return Created(chain_id=job.chain_id, exists=True)


@instead_of(starting, "found")
def takes_any_chain_for_its_own(db: Any, job: NewJob, *, chain: Chain, again: bool) -> Any:
    db.made += chain.made
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


@instead_of(starting, "append")
def forgets_what_it_was_given(db: Any, job: Any, **fields: Any) -> Any:
    bare = replace(job, queue="default", trace=None, meta=None)
    return real("starting.append", db, bare, **{**fields, "priority": 0})


@instead_of(starting, "append")
def gives_every_job_the_first_position(db: Any, job: Any, *, key: JobKey, **fields: Any) -> Any:
    return real("starting.append", db, job, key=(key[0], key[1] + (key[1] > 0)), **fields)
