"""Answers that are not what is stored."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from otelq.model import (
    AttemptRecord,
    ChainOutcome,
    JobQuery,
    JobRecord,
    Page,
    Status,
)
from tests.conformance.specimen.asking import Reader

from .planting import instead_of, real


@instead_of(Reader, "outcome")
def knows_no_failure(self: Any, chain_id: str) -> Any:
    outcome = real("Reader.outcome", self, chain_id)
    return outcome and replace(outcome, failure=None)


@instead_of(Reader, "outcome")
def tells_the_status_of_the_first_job(self: Any, chain_id: str) -> Any:
    outcome = real("Reader.outcome", self, chain_id)
    return outcome and replace(outcome, status=self._job(chain_id, 0).status)


@instead_of(Reader, "outcome")
def invents_missing_chains(self: Any, chain_id: str) -> Any:
    outcome = real("Reader.outcome", self, chain_id)
    return outcome or ChainOutcome(chain_id=chain_id, type="work", status=Status.READY)


@instead_of(Reader, "jobs")
def pages_by_chain(self: Any, query: JobQuery) -> Page[JobRecord]:
    page: Page[JobRecord] = real("Reader.jobs", self, query)
    return Page(page.items, page.next and page.next.split(".")[0] + ".999999")


@instead_of(Reader, "jobs")
def never_says_that_a_page_is_the_last(self: Any, query: JobQuery) -> Page[JobRecord]:
    page: Page[JobRecord] = real("Reader.jobs", self, query)
    last = page.items[-1] if page.items else None
    return Page(page.items, f"{last.chain_id}.{last.position}" if last else None)


@instead_of(Reader, "jobs")
def lists_the_oldest_first(self: Any, query: JobQuery) -> Page[JobRecord]:
    page: Page[JobRecord] = real("Reader.jobs", self, query)
    return Page(sorted(page.items, key=lambda job: (job.chain_id, job.position)), page.next)


@instead_of(Reader, "jobs")
def filters_no_status(self: Any, query: JobQuery) -> Any:
    return real("Reader.jobs", self, replace(query, statuses=frozenset()))


@instead_of(Reader, "jobs")
def filters_no_type(self: Any, query: JobQuery) -> Any:
    return real("Reader.jobs", self, replace(query, types=()))


@instead_of(Reader, "jobs")
def filters_no_chain(self: Any, query: JobQuery) -> Any:
    return real("Reader.jobs", self, replace(query, chain_ids=()))


@instead_of(Reader, "chains")
def finds_chains_by_their_tail(self: Any, query: JobQuery) -> Any:
    page = real("Reader.chains", self, replace(query, types=()))
    items = [one for one in page.items if not query.types or one.tail.type in query.types]
    return Page(items, page.next)


@instead_of(Reader, "chains")
def filters_no_status_of_chains(self: Any, query: JobQuery) -> Any:
    return real("Reader.chains", self, replace(query, statuses=frozenset()))


@instead_of(Reader, "chains")
def repeats_the_last_chain_of_a_page(self: Any, query: JobQuery) -> Any:
    page = real("Reader.chains", self, query)
    return Page(page.items, page.next and page.next[:-1] + "z")


@instead_of(Reader, "chains")
def takes_the_head_for_the_tail(self: Any, query: JobQuery) -> Any:
    page = real("Reader.chains", self, query)
    return Page([replace(one, tail=one.head) for one in page.items], page.next)


@instead_of(Reader, "_job")
def records_nothing_but_names(self: Any, chain_id: str, position: int) -> JobRecord:
    job: JobRecord = real("Reader._job", self, chain_id, position)
    return replace(job, leased_by=None, leased_until=None, closed_at=None, run_at=None, trace=None, blocked_by=0)


@instead_of(Reader, "attempts")
def mixes_the_attempts_of_a_chain(self: Any, chain_id: str, position: int) -> list[AttemptRecord]:
    found: list[AttemptRecord] = []
    for each in range(self._length(chain_id)):
        found += real("Reader.attempts", self, chain_id, each)
    return found
