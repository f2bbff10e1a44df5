"""Filters that let too much pass or too little, and pages that end in the wrong place."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from otelq.model import Count, JobQuery
from otelq.transitions.pages import cut_page

from .adapter import SqliteState, pages
from .planting import Faults

_INPUT = "(SELECT coalesce(filtered.amended_input, filtered.input) FROM {filtered_job})"
_OUTPUT = "(SELECT outcome.output FROM {current_outcome})"
_FIRST_QUEUE = "head.queue FROM {head_job}"
_BLOCKED_BY = "blocker_id = :blocked_by"

faults = Faults()
faults.statements(
    filters_no_status=("filter_status", "IN (SELECT value FROM json_each(:statuses))", "IS NOT NULL"),
    filters_no_type=("filter_type", "IN (SELECT value FROM json_each(:types))", "IS NOT NULL"),
    filters_no_queue=("filter_queue", "IN (SELECT value FROM json_each(:queues))", "IS NOT NULL"),
    takes_the_queue_of_the_first_job=("filter_queue", "filtered.queue FROM {filtered_job}", _FIRST_QUEUE),
    filters_no_payload=("filter_match", "WHERE NOT EXISTS (", "WHERE wanted.part = 'meta' AND NOT EXISTS ("),
    matches_inputs_alone=("filter_match", _OUTPUT, _INPUT),
    takes_one_kind_for_another=("canonical", "iif(type IN ('integer', 'real'), 'number', type)", "''"),
    filters_no_text=("filter_text", f"(instr({_INPUT}, :text)", "(true"),
    finds_patterns=("filter_text", f"instr({_INPUT}, :text)", f"{_INPUT} LIKE '%' || :text || '%'"),
    knows_jobs_that_still_wait=("scan_dependent_jobs", _BLOCKED_BY, f"{_BLOCKED_BY} AND released_at IS NULL"),
    takes_those_that_were_blockers_for_roots=("filter_root", "blocker.blocker_id = scan.chain_id", "false"),
    ends_for_good_where_it_looked_enough=("page", "found.number < :limit", "false"),
    looks_at_everything=("page", "LIMIT :scan_limit\n", "\n"),
)  # fmt: skip


def _asking(name: str, **changed: Any) -> None:
    """Add a fault that changes each query."""

    async def replacement(real: Any, db: object, at: int, query: JobQuery, **call: Any) -> Any:
        return await real(db, at, replace(query, **changed), **call)

    replacement.__name__ = name
    faults.instead_of(pages._scan)(replacement)


_asking("filters_no_tag", tags=())
_asking("filters_no_tenant", tenant=None)
_asking("forgets_since", since=None)
_asking("forgets_the_ids", chain_ids=())


@faults.instead_of(pages._scan)
async def takes_the_first_tag_for_all(real: Any, db: object, at: int, query: JobQuery, **call: Any) -> Any:
    return await real(db, at, replace(query, tags=query.tags[:1]), **call)


@faults.instead_of(cut_page)
def goes_on_by_number(real: Any, found: object, ends: object, **call: Any) -> Any:
    page, end = real(found, ends, **call)
    return (page, page[-2]) if end and len(page) > 1 else (page, end)


@faults.instead_of(SqliteState.count)
async def counts_one_page(real: Any, self: object, query: JobQuery, **call: Any) -> Count:
    return Count((await real(self, query, **call)).number, exact=True)
