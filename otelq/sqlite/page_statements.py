"""The statements of a query: which keys each scans, between which bounds, with which filters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from msgspec import Struct

from ..model import CLOSED, ENDED, OPEN, JobQuery, Status
from ..transitions.pages import RecordKind, start_key, statuses_of
from .parameters import Value
from .session import batch

_BAD_ENDS: Final = frozenset({Status.FAILED, Status.CANCELLED})
_HIGHEST: Final = "\U0010ffff"
_LAST_POSITION: Final = 1 << 62

_POSITIONS: Final[dict[RecordKind, dict[str, str]]] = {
    "jobs": {"filtered_position": "scan.position", "waiting_position": "scan.position"},
    "chains": {"filtered_position": "0", "waiting_position": "blocker.position"},
}
"""The job of a chain that the filters ask about, and the one that may wait for a blocker."""

Path: TypeAlias = tuple[str | int, ...]

_is_plain = re.compile(r'\."[^"\\]+"|\[[0-9]+\]').fullmatch
"""Match a step that SQLite reads as it is meant. Names with quotes or escapes it compares as they are written."""


class PageStatement(Struct, frozen=True):
    """
    One statement: its scan, the statuses that occur in the scan, those that are asked for, and its own parameters.
    """

    name: str
    scanned: frozenset[Status]
    statuses: frozenset[Status]
    values: dict[str, Value] = {}


def page_statements(query: JobQuery, of: RecordKind) -> Iterator[PageStatement]:
    """
    Yield the statements of a query.

    Open, failed or cancelled, and all closed jobs each have a scan of their own. Chains by id, and the dependents of a
    blocker, are scanned whole.
    """
    every = frozenset(Status) if of == "jobs" else OPEN | ENDED
    statuses = statuses_of(query, of)
    if query.chain_ids:
        named = sorted(set(query.chain_ids), reverse=True)
        yield PageStatement(f"scan_named_{of}", every, statuses, {"chains": batch(named)})
    elif query.blocked_by is not None:
        yield PageStatement(f"scan_dependent_{of}", every, statuses)
    else:
        yield from _families(statuses, of)


def _families(statuses: frozenset[Status], of: RecordKind) -> Iterator[PageStatement]:
    opened, closed = statuses & OPEN, statuses & CLOSED
    if opened:
        yield PageStatement("scan_open", OPEN, opened)
    if closed <= _BAD_ENDS:
        for status in closed:
            yield PageStatement("scan_failed", frozenset({status}), frozenset({status}), {"status": status})
    else:
        # A chain is found here by any closed job of it: its last job may have any status.
        yield PageStatement(f"scan_closed_{of}", CLOSED if of == "jobs" else frozenset(Status), closed)


def tokens(query: JobQuery, statement: PageStatement, of: RecordKind) -> dict[str, str]:
    """Return the parts of the statement. A filter that is not asked for leaves nothing behind."""
    filters = list(_filters(query, statement))
    return {
        "scan": f"{{{statement.name}}}",
        "filters": " AND ".join(f"{{filter_{name}}}" for name in filters) or "true",
        # With filters a scan often reads to its limit, and its rows are needed twice: for the page and for its end.
        # Without filters it stops as soon as the page is full.
        "materialized": "MATERIALIZED" if {*filters} - {"status"} else "NOT MATERIALIZED",
        **_POSITIONS[of],
    }


def _filters(query: JobQuery, statement: PageStatement) -> Iterator[str]:
    """Yield the filters of a scan, cheap ones first."""
    statuses = {
        "status": not statement.scanned <= statement.statuses,
        "root": query.roots,
        "blocker": query.blocked_by is not None and query.chain_ids,
        "type": query.types,
        "queue": query.queues,
        "chain_type": query.chain_types,
        "match": query.matches or query.tags or query.tenant is not None,
        "text": query.text is not None,
    }
    return (name for name, is_asked in statuses.items() if is_asked)


def values(query: JobQuery, statement: PageStatement, of: RecordKind) -> dict[str, Value]:
    """Return the parameters of the statement."""
    return {
        **_bounds(query, of),
        "limit": query.limit + 1,
        "scan_limit": query.scan_limit,
        "statuses": batch(list(statement.statuses)),
        "blocked_by": query.blocked_by,
        "types": batch(query.types),
        "queues": batch(query.queues),
        "chain_types": batch(query.chain_types),
        "matches": batch([*_matches(query)]),
        "text": query.text,
        **statement.values,
    }


def _matches(query: JobQuery) -> Iterator[tuple[str, Path, str | None, str]]:
    """Yield the values that JSON must hold: of payloads, and of the chain's metadata."""
    for match in query.matches:
        # Lists and objects can be written in many ways, so only single values are compared by SQLite's path.
        is_atom = not match.value.lstrip().startswith(("[", "{"))
        yield match.part, match.path, _path(match.path) if is_atom else None, match.value
    for name, value in query.tags:
        yield "meta", ("tags", name), _path(("tags", name)), batch(value)
    if query.tenant is not None:
        yield "meta", ("tenant",), _path(("tenant",)), batch(query.tenant)


def _path(path: Path) -> str | None:
    """Return a path in SQLite's form; None if SQLite would read it differently."""
    steps = [f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in path]
    return "$" + "".join(steps) if all(map(_is_plain, steps)) else None


def _bounds(query: JobQuery, of: RecordKind) -> dict[str, Value]:
    """Return the keys between which to scan."""
    high, position = start_key(query, of, latest=query.last_id or _HIGHEST, beyond=_LAST_POSITION)
    return {"low": query.first_id or "", "high": high, "position": position}
