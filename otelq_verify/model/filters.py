"""The filters of a query: every row is looked at, one filter after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from otelq.model import JobQuery, Match, read_meta

from .records import LAG
from .rows import Job, Model

Filter = Callable[[Model, JobQuery, str, list[Job]], bool]
_NOTHING = object()


def jobs_of(model: Model, query: JobQuery) -> list[tuple[str, int]]:
    """Return the keys of the jobs that a query finds, newest chain first, within a chain first to last."""
    return [
        (chain, job.position)
        for chain in sorted(model.chains, reverse=True)
        for job in model.chains[chain]
        if _of_chain(model, query, chain)
        and _has(query.types, job.type)
        and _has(query.queues, job.queue)
        and _has(query.chain_types, model.chains[chain][0].type)
        and _has(query.statuses, job.status(model.now + LAG))
        and (query.blocked_by is None or query.blocked_by in job.blockers)
        and _has_payloads(query, job, job)
    ]


def chains_of(model: Model, query: JobQuery) -> list[str]:
    """Return the chains that a query finds, newest first: by the type of the first job and the status of the last."""
    return [
        chain
        for chain in sorted(model.chains, reverse=True)
        if _of_chain(model, query, chain)
        and _has(query.types, model.chains[chain][0].type)
        and _has(query.queues, model.chains[chain][0].queue)
        and _has(query.statuses, model.tail(chain).status(model.now + LAG))
        and (query.blocked_by is None or any(query.blocked_by in job.blockers for job in model.chains[chain]))
        and _has_payloads(query, model.chains[chain][0], model.tail(chain))
    ]


def _of_chain(model: Model, query: JobQuery, chain: str) -> bool:
    meta = read_meta(model.chains[chain][0].meta)
    made = _created_at(chain)
    return (
        _has(query.chain_ids, chain)
        and all(meta.tags.get(tag) == value for tag, value in query.tags)
        and (query.tenant is None or meta.tenant == query.tenant)
        and (query.since is None or made >= query.since)
        and (query.until is None or made <= query.until)
        and not (query.roots and any(chain in job.blockers for job in model.jobs()))
    )


def _has(wanted: Iterable[str], found: str) -> bool:
    wanted = list(wanted)
    return not wanted or found in wanted


def _has_payloads(query: JobQuery, first: Job, last: Job) -> bool:
    """Return True if the input of the one job and the output of the other match."""
    given = first.input if first.amended is None else first.amended
    texts = [text for text in (given, last.output) if text is not None]
    return (query.text is None or any(query.text in text for text in texts)) and all(
        _matches(match, given if match.part == "input" else last.output) for match in query.matches
    )


def _matches(match: Match, text: str | None) -> bool:
    value = _NOTHING if text is None else json.loads(text)
    for step in match.path:
        value = _step(value, step)
    return value is not _NOTHING and _same(value, json.loads(match.value))


def _step(value: object, step: str | int) -> object:
    if isinstance(value, dict) and isinstance(step, str):
        return cast("dict[str, object]", value).get(step, _NOTHING)
    if isinstance(value, list) and isinstance(step, int) and step >= 0:
        return dict(enumerate(cast("list[object]", value))).get(step, _NOTHING)
    return _NOTHING


def _same(found: object, wanted: object) -> bool:
    """Compare as JSON: true is not 1, and 1 is 1.0."""
    return _distinct(found) == _distinct(wanted)


def _distinct(value: object) -> object:
    """Return a value in which no boolean can be taken for a number."""
    match value:
        case bool():
            return "true" if value else "false", None
        case list():
            return [_distinct(one) for one in cast("list[object]", value)]
        case dict():
            return {name: _distinct(one) for name, one in cast("dict[str, object]", value).items()}
        case _:
            return value


def _created_at(chain: str) -> datetime:
    return datetime.fromtimestamp((UUID(chain).int >> 80) / 1000, UTC)
