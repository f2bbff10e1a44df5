"""The recorded changes, as values that are alike on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from msgspec.json import Decoder

from otelq.client import Client

from .triggers import TABLES, check_names, is_sqlite
from .values import Change

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TIMES: Final = frozenset(
    {"awaited_at", "chain_created_at", "claimed_at", "closed_at", "created_at", "deadline", "due_at", "ended_at"}
    | {"expires_at", "leased_until", "redriven_at", "released_at", "run_at", "since", "taken_at"}
)
_NAMES: Final = {"blocked_by_count": "blocked_by", "waits": "patient", "dedup_lasting": "key_lasts"}
"""The names of SQLite, and those of PostgreSQL for the same columns."""

_Recorded: TypeAlias = tuple[int, datetime | int, int, str, Any, str | None, str | None]
_decode: Final = Decoder(dict[str, Any]).decode

_POSTGRES: Final = """
SELECT seq, at, tx, name, op, old::text AS old, new::text AS new
FROM "{schema}".audit WHERE seq > $1 ORDER BY seq LIMIT $2
"""
_SQLITE: Final = """
SELECT seq, at, 0, name, op, old, new FROM "{schema}_audit" WHERE seq > ? ORDER BY seq LIMIT coalesce(?, -1)
"""


async def changes(client: Client, schema: str = "otelq", *, after: int = 0, limit: int | None = None) -> list[Change]:
    """
    Return the changes recorded beyond ``after``, in ascending order: at most ``limit``, or all.

    While others write, a change may appear later than one with a higher ``seq``, because it was committed later.
    """
    check_names(schema)
    async with client.transaction() as connection:
        if is_sqlite(connection):
            rows = await connection.execute_fetchall(_SQLITE.format(schema=schema), (after, limit))
        else:
            rows = await connection.fetch(_POSTGRES.format(schema=schema), after, limit)
    return [_change(tuple(row)) for row in rows]


def _change(recorded: _Recorded) -> Change:
    seq, at, tx, table, op, old, new = recorded
    before, now = _row(table, old), _row(table, new)
    known = now or before or {}
    return Change(
        seq=seq,
        at=_time(at),
        tx=tx,
        table=table,
        op=op,
        chain_id=known.get("chain_id"),
        position=known.get("position"),
        old=before,
        new=now,
    )


def _row(table: str, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    row = _decode(text)
    return _alike(row) if table in TABLES else row


def _alike(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _NAMES.get(name, name): _time(value) if name in _TIMES and value is not None else value
        for name, value in row.items()
    }


def _time(value: datetime | int | str) -> datetime:
    match value:
        case int():
            return _EPOCH + value * _MICROSECOND
        case str():
            return datetime.fromisoformat(value).astimezone(UTC)
        case datetime():
            return value
