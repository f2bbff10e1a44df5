"""The statements of a query for jobs or chains: the index that each walks, and the range of keys."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from ..model import CLOSED, OPEN, JobQuery, Match, Status
from ..transitions.pages import RecordKind, start_key, statuses_of
from .statements import PostgresStatements, read

_ENDED_BADLY: Final = frozenset({Status.FAILED, Status.CANCELLED})
_FIRST_CHAIN: Final = "00000000-0000-0000-0000-000000000000"
_LAST_CHAIN: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_LAST_POSITION: Final = 2**31 - 1
_BOUNDS: Final = (10_000, 1_000_000, 100_000_000)
"""Constant limits of walks. A statement names one, as the planner does not know the value of a parameter."""

FILTERS: Final = read("sql/parts/filters.sql").rstrip()
PAGE: Final = read("sql/parts/page.sql").rstrip()
STATUS: Final = read("sql/parts/status.sql").rstrip()

JOB: Final = {"position": "w.position"}
CHAIN: Final = {"position": "0"}
ORDER: Final = {"jobs": "", "chains": "DESC"}
DEPENDENT_JOB: Final = {
    "distinct": "",
    "open_one": "o.position = b.position",
    "closed_one": "c.position = b.position",
}
DEPENDENT_CHAIN: Final = {
    "distinct": "DISTINCT ON (b.chain_id)",
    "open_one": "true",
    "closed_one": "c.status <> 'continued'",
}
RUNNING: Final = "AND o.token IS NOT NULL"
OF_TYPE: Final = "AND c.type = family.type"


class IndexWalk(Struct, frozen=True):
    """One statement of a query: its name, its statuses, and its own arguments and tokens."""

    statement: str
    statuses: frozenset[Status]
    arguments: tuple[Any, ...] = ()
    tokens: Mapping[str, str] = {}


def walks(query: JobQuery, of: RecordKind) -> Iterator[IndexWalk]:
    """Yield the walks of a query, those of open jobs first."""
    statuses = statuses_of(query, of)
    if query.blocked_by is not None:
        kind = DEPENDENT_JOB if of == "jobs" else DEPENDENT_CHAIN
        yield IndexWalk("walk_dependents", statuses, (query.blocked_by, query.chain_ids), kind)
    elif query.chain_ids:
        yield IndexWalk("walk_chains", statuses, (sorted(set(query.chain_ids), reverse=True),))
    else:
        yield from _families(query, statuses, of)


def _families(query: JobQuery, statuses: frozenset[Status], of: RecordKind) -> Iterator[IndexWalk]:
    if is_open := statuses & OPEN:
        yield IndexWalk(
            "walk_open", is_open, (), {"condition": RUNNING if is_open == frozenset({Status.RUNNING}) else ""}
        )
    closed = statuses & CLOSED
    if closed and closed <= _ENDED_BADLY:
        # One walk for each pair of status and type reads an index in order; a list of types would need a sort.
        types = query.types if of == "jobs" else ()
        families = [(str(status), type) for status in sorted(closed) for type in (types or (None,))]
        columns = [status for status, _ in families], [type for _, type in families]
        yield IndexWalk("walk_failed", closed, columns, {"condition": OF_TYPE if types else ""})
    elif closed:
        yield IndexWalk("walk_closed", closed)


def tokens(queries: PostgresStatements, query: JobQuery, walk: IndexWalk, of: RecordKind) -> dict[str, str]:
    """Return the texts for the tokens of a walk's statement."""
    most = next((bound for bound in _BOUNDS if bound > query.scan_limit), query.scan_limit + 1)
    filters = queries.fill(FILTERS, **(JOB if of == "jobs" else CHAIN))
    page = queries.fill(PAGE, filters=filters)
    return {**walk.tokens, "order": ORDER[of], "status": STATUS, "page": page, "most": str(most)}


def arguments(query: JobQuery, walk: IndexWalk, of: RecordKind) -> tuple[Any, ...]:
    """Return the parameters of a walk's statement."""
    newest, position = start_key(query, of, latest=query.last_id or _LAST_CHAIN, beyond=_LAST_POSITION)
    own_types, chain_types = _types(query, of)
    return (
        newest,
        position,
        query.first_id or _FIRST_CHAIN,
        query.scan_limit,
        query.limit + 1,
        own_types,
        chain_types,
        sorted(walk.statuses),
        _meta(query),
        query.roots,
        [match.part for match in query.matches],
        [_path(match) for match in query.matches],
        [match.value for match in query.matches],
        query.text,
        query.queues,
        *walk.arguments,
    )


def _types(query: JobQuery, of: RecordKind) -> tuple[Collection[str], Collection[str]]:
    """Return the types for the job itself, and those for the first job of its chain."""
    if of == "jobs":
        return query.types, query.chain_types
    # An empty list would mean all types. No job has an empty type, so that one matches nothing.
    if query.types and query.chain_types:
        return (), sorted({*query.types} & {*query.chain_types}) or [""]
    return (), query.types or query.chain_types


def _meta(query: JobQuery) -> str | None:
    """Return the tags and the tenant that a chain must have, as JSON."""
    tags = {"tags": dict(query.tags)} if query.tags else {}
    tenant = {"tenant": query.tenant} if query.tenant is not None else {}
    return json.dumps(tags | tenant) if tags or tenant else None


def _path(match: Match) -> str:
    """Return a strict jsonpath: a key is then no list index, and lists are not searched."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{json.dumps(step)}" for step in match.path)
    return "strict $" + "".join(steps)
