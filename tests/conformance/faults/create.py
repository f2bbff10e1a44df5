"""Starts that forget or repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from otelq.errors import InvalidArgument
from otelq.model import Created, NewJob

from .adapter import SqliteState, StartBatch, rows, start
from .planting import Faults

faults = Faults()
faults.statements(
    loses_the_meta=("create_jobs", "value ->> 6, x''", "NULL, x''"),
)


@faults.instead_of(start.due_at)
def runs_everything_now(real: Any, job: object, at: int) -> int:
    return at


@faults.instead_of(start.due_at)
def keeps_start_times_in_the_past(real: Any, job: Any, at: int) -> Any:
    return rows.to_micros(job.at) if job.at else real(job, at)


@faults.instead_of(StartBatch._repeat)
def takes_any_chain_for_its_own(real: Any, self: object, before: Any, job: NewJob, *, resent: bool) -> Any:
    return real(self, before, replace(job, type=before.type, input=before.input), resent=True)


@faults.instead_of(SqliteState.create)
async def knows_no_call_sent_again(real: Any, self: object, jobs: object, resent: bool = False, **call: Any) -> Any:
    return await real(self, jobs, **call)


@faults.instead_of(SqliteState.create)
async def gives_up_when_sent_again(
    real: Any, self: object, jobs: Sequence[NewJob], resent: bool = False, **call: Any
) -> Any:
    return ([Created(chain_id=job.chain_id) for job in jobs], []) if resent else await real(self, jobs, **call)


@faults.instead_of(SqliteState.create)
async def starts_in_its_own_order(real: Any, self: object, jobs: Sequence[NewJob], **call: Any) -> Any:
    return await real(self, sorted(jobs, key=lambda job: job.chain_id), **call)


@faults.instead_of(SqliteState.create)
async def starts_no_empty_batch(real: Any, self: object, jobs: Sequence[NewJob], **call: Any) -> Any:
    if not jobs:
        raise InvalidArgument("jobs", "is empty")
    return await real(self, jobs, **call)


@faults.instead_of(SqliteState.create)
async def finds_blockers_anywhere_in_the_batch(real: Any, self: object, jobs: Sequence[NewJob], **call: Any) -> Any:
    batch = {job.chain_id for job in jobs}
    bare = [replace(job, blockers=tuple(set(job.blockers) - batch)) for job in jobs]
    return await real(self, bare, **call)


@faults.instead_of(StartBatch.add)
def forgets_the_ids_of_the_batch(real: Any, self: Any, job: NewJob, *, resent: bool) -> Any:
    self._jobs.pop(job.chain_id, None)
    return real(self, job, resent=resent)
