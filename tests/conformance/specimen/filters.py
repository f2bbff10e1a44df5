"""Which jobs and chains a query wants, judged by what is stored of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from otelq.model import ChainRecord, JobQuery, JobRecord, Match, Status, read_meta

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Subject(Struct, frozen=True, kw_only=True):
    """What the filters look at: of a job its own, of a chain its first job's and its tail's."""

    type: str
    chain_type: str
    status: Status
    meta: str | None
    input: str
    output: str | None


def of_job(job: JobRecord, *, chain_type: str) -> Subject:
    """A job as the filters see it."""
    return Subject(
        type=job.type,
        chain_type=chain_type,
        status=job.status,
        meta=job.meta,
        input=_input(job),
        output=job.output,
    )


def of_chain(chain: ChainRecord) -> Subject:
    """A chain as the filters see it."""
    return Subject(
        type=chain.type,
        chain_type=chain.type,
        status=chain.tail.status,
        meta=chain.head.meta,
        input=_input(chain.head),
        output=chain.tail.output,
    )


def _input(job: JobRecord) -> str:
    return job.input if job.amended_input is None else job.amended_input


def passes(query: JobQuery, subject: Subject) -> bool:
    """Whether all filters hold that can be judged by the subject alone."""
    return (
        _among(subject.type, query.types)
        and _among(subject.chain_type, query.chain_types)
        and (not query.statuses or subject.status in query.statuses)
        and is_marked(query, subject)
        and has_text(query, subject)
        and all(matches(match, subject) for match in query.matches)
    )


def _among(type: str, types: Sequence[str]) -> bool:
    return not types or type in types


def is_marked(query: JobQuery, subject: Subject) -> bool:
    """Whether the tags and the tenant are those wanted."""
    if not query.tags and query.tenant is None:
        return True
    meta = read_meta(subject.meta)
    has_tags = all(meta.tags.get(name) == value for name, value in query.tags)
    return has_tags and query.tenant in (None, meta.tenant)


def has_text(query: JobQuery, subject: Subject) -> bool:
    """Whether the text occurs, letter for letter."""
    return query.text is None or query.text in subject.input or query.text in (subject.output or "")


def matches(match: Match, subject: Subject) -> bool:
    """Whether the value stands at the path."""
    text = subject.input if match.part == "input" else subject.output
    if text is None:
        return False
    return any(same(found, json.loads(match.value)) for found in at(json.loads(text), match.path))


def at(value: Json, path: Sequence[str | int]) -> list[Json]:
    """What stands at a path: one value or none."""
    found = [value]
    for step in path:
        found = [inner for outer in found for inner in _part(outer, step)]
    return found


def _part(value: Json, step: str | int) -> list[Json]:
    if isinstance(value, dict) and isinstance(step, str):
        return [value[step]] if step in value else []
    if isinstance(value, list) and isinstance(step, int):
        return value[step : step + 1] if step >= 0 else []
    return []


def same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON; true is not 1, and 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    return one == other


def bounds(query: JobQuery) -> tuple[str, str]:
    """The ids between which, the both included, a chain was made in the time wanted."""
    return query.first_id or "", query.last_id or "\U0010ffff"
