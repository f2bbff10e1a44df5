"""The statements that a query sends: along which keys each walks, from where to where, and what it looks for."""

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
"""Which job of a chain the filters ask about, and which may be the one that waits."""

Path: TypeAlias = tuple[str | int, ...]

_is_plain = re.compile(r'\."[^"\\]+"|\[[0-9]+\]').fullmatch
"""A step that SQLite takes as it is meant; names with quotes or escapes it compares as they are written."""


class PageStatement(Struct, frozen=True):
    """One statement: its walk, the statuses that are met on it and those that are wanted, and what only it is told."""

    name: str
    scanned: frozenset[Status]
    wanted: frozenset[Status]
    values: dict[str, Value] = {}


def page_statements(query: JobQuery, of: RecordKind) -> Iterator[PageStatement]:
    """
    What to walk.

    Each family of statuses has a walk of its own: the open ones, those that ended badly, and all that are closed.
    Certain chains are walked whole, and so are those that wait for one.
    """
    every = frozenset(Status) if of == "jobs" else OPEN | ENDED
    asked = statuses_of(query, of)
    if query.chain_ids:
        named = sorted(set(query.chain_ids), reverse=True)
        yield PageStatement(f"scan_named_{of}", every, asked, {"chains": batch(named)})
    elif query.blocked_by is not None:
        yield PageStatement(f"scan_dependent_{of}", every, asked)
    else:
        yield from _families(asked, of)


def _families(wanted: frozenset[Status], of: RecordKind) -> Iterator[PageStatement]:
    opened, closed = wanted & OPEN, wanted & CLOSED
    if opened:
        yield PageStatement("scan_open", OPEN, opened)
    if closed <= _BAD_ENDS:
        for status in closed:
            yield PageStatement("scan_failed", frozenset({status}), frozenset({status}), {"status": status})
    else:
        # Of a chain an earlier job may be what is closed: its tail can have any status.
        yield PageStatement(f"scan_closed_{of}", CLOSED if of == "jobs" else frozenset(Status), closed)


def tokens(query: JobQuery, statement: PageStatement, of: RecordKind) -> dict[str, str]:
    """What the tokens of the statement stand for; a filter that is not asked for leaves nothing behind."""
    filters = list(_filters(query, statement))
    return {
        "scan": f"{{{statement.name}}}",
        "filters": " AND ".join(f"{{filter_{name}}}" for name in filters) or "true",
        # Whoever filters may well look to the end, and needs the rows twice then; who does not fills the page at once.
        "materialized": "MATERIALIZED" if {*filters} - {"status"} else "NOT MATERIALIZED",
        **_POSITIONS[of],
    }


def _filters(query: JobQuery, statement: PageStatement) -> Iterator[str]:
    """The filters of a walk, those first that cost little."""
    asked = {
        "status": not statement.scanned <= statement.wanted,
        "root": query.roots,
        "blocker": query.blocked_by is not None and query.chain_ids,
        "type": query.types,
        "chain_type": query.chain_types,
        "match": query.matches or query.tags or query.tenant is not None,
        "text": query.text is not None,
    }
    return (name for name, is_asked in asked.items() if is_asked)


def values(query: JobQuery, statement: PageStatement, of: RecordKind) -> dict[str, Value]:
    """The parameters of a walk's statement."""
    return {
        **_bounds(query, of),
        "limit": query.limit + 1,
        "scan_limit": query.scan_limit,
        "statuses": batch(list(statement.wanted)),
        "blocked_by": query.blocked_by,
        "types": batch(query.types),
        "chain_types": batch(query.chain_types),
        "matches": batch([*_matches(query)]),
        "text": query.text,
        **statement.values,
    }


def _matches(query: JobQuery) -> Iterator[tuple[str, Path, str | None, str]]:
    """What JSON must hold, of payloads and of what was noted of a chain."""
    for match in query.matches:
        # Lists and objects are equal in many ways of writing, and not only in that of the value.
        is_atom = not match.value.lstrip().startswith(("[", "{"))
        yield match.part, match.path, _path(match.path) if is_atom else None, match.value
    for name, value in query.tags:
        yield "meta", ("tags", name), _path(("tags", name)), batch(value)
    if query.tenant is not None:
        yield "meta", ("tenant",), _path(("tenant",)), batch(query.tenant)


def _path(path: Path) -> str | None:
    """A path as SQLite has it; none where it could not say the same."""
    steps = [f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in path]
    return "$" + "".join(steps) if all(map(_is_plain, steps)) else None


def _bounds(query: JobQuery, of: RecordKind) -> dict[str, Value]:
    """Between which keys to look."""
    high, position = start_key(query, of, latest=query.last_id or _HIGHEST, beyond=_LAST_POSITION)
    return {"low": query.first_id or "", "high": high, "position": position}
