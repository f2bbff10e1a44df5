"""Answers that are not what is stored."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from otelq.model import ChainOutcome, JobQuery, JobRecord, Page, Status

from .adapter import SqliteState, job_records, pages
from .planting import Faults

faults = Faults()
faults.statements(
    returns_the_status_of_the_first_job=("read_outcomes", "ORDER BY last.position DESC", "ORDER BY last.position"),
    mixes_the_attempts_of_a_chain=("read_attempts", "chain_id = :chain AND position = :position", "chain_id = :chain"),
    forgets_ends_without_an_attempt=("read_attempts", "generation > 0", "false"),
    takes_waiting_jobs_for_ready=("open_status", "open.run_at > :now", "false"),
)


@faults.instead_of(SqliteState.outcomes)
async def invents_missing_chains(real: Any, self: object, chain_ids: Any, **call: Any) -> Any:
    invented = {chain_id: ChainOutcome(chain_id=chain_id, type="work", status=Status.READY) for chain_id in chain_ids}
    return invented | await real(self, chain_ids, **call)


@faults.instead_of(SqliteState.jobs)
async def lists_the_oldest_first(real: Any, self: object, query: JobQuery, **call: Any) -> Page[Any]:
    page: Page[Any] = await real(self, query, **call)
    return Page(sorted(page.items, key=lambda job: (job.chain_id, job.position)), page.next)


@faults.instead_of(SqliteState.chains)
async def finds_chains_by_their_tail(real: Any, self: object, query: JobQuery, **call: Any) -> Page[Any]:
    page: Page[Any] = await real(self, replace(query, types=()), **call)
    return Page([one for one in page.items if not query.types or one.tail.type in query.types], page.next)


@faults.instead_of(pages._chain)
def takes_the_head_for_the_tail(real: Any, head: object, tail: object) -> Any:
    return real(head, head)


@faults.instead_of(job_records._record)
def records_nothing_but_names(real: Any, row: object) -> JobRecord:
    job: JobRecord = real(row)
    return replace(job, leased_by=None, leased_until=None, closed_at=None, run_at=None, trace=None, blocked_by=0)
