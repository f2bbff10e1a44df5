"""The log of a chain, by the changes of its rows: as much as it takes to understand a violation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ..audit import Change
from ..invariants import Violation

MOST: Final = 12
"""The most chains that get a log."""

_DULL: Final = frozenset({"chain_id", "input", "trace", "last_trace", "meta", "error_text", "created_at", "queue"})


def chain_logs(violations: Sequence[Violation], changes: Sequence[Change]) -> dict[str, list[str]]:
    """Return the changes of the chains of the first violations, a line for each."""
    chains = list(dict.fromkeys(violation.chain_id for violation in violations))[:MOST]
    lines: dict[str, list[str]] = {chain: [] for chain in chains}
    for change in changes:
        if str(change.chain_id) in lines:
            lines[str(change.chain_id)].append(_line(change))
    return lines


def _line(change: Change) -> str:
    lines = " ".join(f"{name}={_short(value)}" for name, value in _news(change.old or {}, change.new or {}))
    return f"{change.seq} {change.at:%H:%M:%S.%f} tx {change.tx} {change.op} {change.table}: {lines}"


def _news(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the columns that changed, without those that explain nothing."""
    for name in new or old:
        if name not in _DULL and old.get(name) != new.get(name):
            yield name, new.get(name) if new else old[name]


def _short(value: object) -> str:
    return f"{value:%H:%M:%S.%f}" if isinstance(value, datetime) else str(value)
