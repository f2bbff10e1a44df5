"""Filters that let too much pass or too little, and pages that end in the wrong place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from otelq.model import Count, JobQuery, Match, Page
from tests.conformance.specimen import asking, filters
from tests.conformance.specimen.asking import Reader

from .planting import FAULTS, Fault, instead_of, real


def _blind_to(name: str, **empty: Any) -> None:
    """A query's filter that is not looked at."""

    def replacement(query: JobQuery, subject: Any) -> Any:
        return real("filters.passes", replace(query, **empty), subject)

    replacement.__name__ = name
    FAULTS.append(Fault(filters, "passes", replacement))


_blind_to("filters_no_chain_type", chain_types=())
_blind_to("filters_no_tag", tags=())
_blind_to("filters_no_tenant", tenant=None)
_blind_to("filters_no_payload", matches=())
_blind_to("filters_no_text", text=None)


def _listing_without(name: str, **empty: Any) -> None:
    def of_jobs(self: Any, query: JobQuery) -> Any:
        return real("Reader.jobs", self, replace(query, **empty))

    def of_chains(self: Any, query: JobQuery) -> Any:
        return real("Reader.chains", self, replace(query, **empty))

    for method, replacement in (("jobs", of_jobs), ("chains", of_chains)):
        replacement.__name__ = f"{name}_of_{method}"
        FAULTS.append(Fault(Reader, method, replacement))


_listing_without("forgets_the_blocker", blocked_by=None)
_listing_without("forgets_since", since=None)
_listing_without("forgets_until", until=None)
_listing_without("takes_blockers_for_roots", roots=False)
_listing_without("forgets_the_ids", chain_ids=())
_listing_without("looks_at_everything", look=10**6)


@instead_of(filters, "is_marked")
def takes_any_tag_for_all(query: JobQuery, subject: Any) -> Any:
    each = [real("filters.is_marked", replace(query, tags=(tag,)), subject) for tag in query.tags]
    return any(each) if each else real("filters.is_marked", query, subject)


@instead_of(filters, "is_marked")
def finds_tags_in_the_text_of_meta(query: JobQuery, subject: Any) -> Any:
    meta = subject.meta or ""
    has_tags = all(f'"{name}":"{value}"' in meta for name, value in query.tags)
    return has_tags and (query.tenant is None or f'"tenant":"{query.tenant}"' in meta)


@instead_of(filters, "is_marked")
def finds_tags_of_first_jobs_alone(query: JobQuery, subject: Any) -> Any:
    if subject.type != subject.chain_type and (query.tags or query.tenant):
        return False
    return real("filters.is_marked", query, subject)


@instead_of(filters, "has_text")
def finds_text_in_any_case(query: JobQuery, subject: Any) -> Any:
    folded = replace(subject, input=subject.input.lower(), output=subject.output and subject.output.lower())
    return real("filters.has_text", replace(query, text=query.text and query.text.lower()), folded)


@instead_of(filters, "has_text")
def finds_patterns(query: JobQuery, subject: Any) -> Any:
    parts = (query.text or "").replace("_", "%").split("%")
    return all(part in subject.input + (subject.output or "") for part in parts)


@instead_of(filters, "has_text")
def finds_text_in_inputs_alone(query: JobQuery, subject: Any) -> Any:
    return real("filters.has_text", query, replace(subject, output=None))


@instead_of(filters, "_input")
def looks_at_the_first_input(job: Any) -> Any:
    return job.input


@instead_of(filters, "of_chain")
def looks_at_the_payloads_of_the_tail(chain: Any) -> Any:
    return replace(real("filters.of_chain", chain), input=chain.tail.input)


@instead_of(filters, "of_chain")
def looks_at_the_payloads_of_the_head(chain: Any) -> Any:
    return replace(real("filters.of_chain", chain), output=chain.head.output)


@instead_of(filters, "matches")
def matches_inputs_alone(match: Match, subject: Any) -> Any:
    return real("filters.matches", replace(match, part="input"), subject)


@instead_of(filters, "at")
def takes_what_is_not_there_for_null(value: Any, path: Sequence[str | int]) -> Any:
    return real("filters.at", value, path) or [None]


@instead_of(filters, "at")
def takes_names_for_indexes(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        if isinstance(value, list):
            value = value[int(step)] if str(step).isdecimal() and int(step) < len(value) else None
        else:
            value = value.get(str(step)) if isinstance(value, dict) else None
    return [value]


@instead_of(filters, "at")
def splits_names_at_dots(value: Any, path: Sequence[str | int]) -> Any:
    steps = [part for step in path for part in (step.split(".") if isinstance(step, str) else [step])]
    return real("filters.at", value, steps)


@instead_of(filters, "at")
def needs_a_path(value: Any, path: Sequence[str | int]) -> Any:
    return real("filters.at", value, path) if path else []


@instead_of(filters, "same")
def takes_one_kind_for_another(one: Any, other: Any) -> bool:
    return str(one).lower() == str(other).lower()


@instead_of(filters, "same")
def takes_a_part_for_the_whole(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return other.items() <= one.items()
    if isinstance(one, list) and isinstance(other, list):
        return all(each in one for each in other)
    return bool(real("filters.same", one, other))


@instead_of(filters, "bounds")
def leaves_the_bounds_out(query: JobQuery) -> Any:
    millisecond = timedelta(milliseconds=1)
    since = query.since and query.since + millisecond
    return real("filters.bounds", replace(query, since=since, until=query.until and query.until - millisecond))


@instead_of(Reader, "_candidates")
def finds_a_few_ids_alone(self: Any, query: JobQuery) -> Any:
    return real("Reader._candidates", self, replace(query, chain_ids=query.chain_ids[:3]))


@instead_of(Reader, "_dependents")
def knows_those_that_still_wait(self: Any, blocker: str | None) -> Any:
    return [] if blocker is None else self._store.awaiting(blocker)


@instead_of(Reader, "_dependents")
def knows_the_dependents_by_their_first_jobs(self: Any, blocker: str | None) -> Any:
    return [job for job in real("Reader._dependents", self, blocker) if job[1] == 0]


@instead_of(asking, "page")
def ends_for_good_where_it_looked_enough(query: JobQuery, rows: Any, **call: Callable[..., Any]) -> Any:
    page = real("asking.page", query, rows, **call)
    return page if len(page.items) == query.limit else Page(page.items)


@instead_of(asking, "page")
def goes_on_behind_the_first_it_did_not_look_at(query: JobQuery, rows: Any, **call: Any) -> Any:
    page = real("asking.page", query, rows, **call)
    if page.next is None or len(page.items) == query.limit:
        return page
    skipped = next(iter(rows), None)
    return Page(page.items, call["key"](skipped) if skipped else None)


@instead_of(asking, "page")
def goes_on_by_number(query: JobQuery, rows: Any, **call: Any) -> Any:
    page = real("asking.page", query, rows, **call)
    if len(page.items) < 2 or page.next is None:
        return page
    return Page(page.items, call["key"](page.items[-2]))


@instead_of(Reader, "count")
def counts_one_page(self: Any, query: JobQuery, *, of: str) -> Any:
    return Count(real("Reader.count", self, query, of=of).number, exact=True)


@instead_of(Reader, "count")
def counts_on_and_on(self: Any, query: JobQuery, *, of: str) -> Any:
    return real("Reader.count", self, replace(query, limit=10**6, look=10**6), of=of)


@instead_of(Reader, "count")
def counts_jobs_for_chains(self: Any, query: JobQuery, *, of: str) -> Any:
    return real("Reader.count", self, replace(query, statuses=frozenset()), of=of)
