"""The registry of workers, and the leaders of tasks that one worker does for all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from msgspec import MsgspecError
from msgspec.json import Decoder, encode

from ..model import Leadership, WorkerBeat, WorkerRecord
from .database import PostgresSession
from .rows import Row

_NAMES: Final = Decoder(tuple[str, ...])
_REASONS: Final = Decoder(dict[str, str])


async def beat(session: PostgresSession, beats: Sequence[WorkerBeat], *, live_for: float) -> None:
    """Store that workers are alive, and remove those that no longer are."""
    await session.rows(
        "beat",
        [each.id for each in beats],
        [each.name for each in beats],
        [each.host for each in beats],
        [each.pid for each in beats],
        [each.version for each in beats],
        [encode(each.queues).decode() for each in beats],
        [encode(each.types).decode() for each in beats],
        [encode(each.refused).decode() for each in beats],
        [each.slots for each in beats],
        [each.running for each in beats],
        [each.age for each in beats],
        live_for,
    )


async def workers(session: PostgresSession, *, live_for: float) -> list[WorkerRecord]:
    """Return the live workers. A row that was changed by hand must not hide the others."""
    found = list[WorkerRecord]()
    for row in await session.rows("read_workers", live_for):
        with suppress(MsgspecError):
            found.append(_worker(row))
    return found


def _worker(row: Row) -> WorkerRecord:
    return WorkerRecord(
        id=row["id"],
        name=row["name"],
        host=row["host"],
        pid=row["pid"],
        version=row["version"],
        queues=_NAMES.decode(row["queues"]),
        types=_NAMES.decode(row["types"]),
        refused=_REASONS.decode(row["refused"]),
        slots=row["slots"],
        running=row["running"],
        started_at=row["started_at"],
        seen_at=row["seen_at"],
    )


async def lead(session: PostgresSession, name: str, *, holder: str, seconds: float) -> Leadership | None:
    """Take or extend a leadership; return None while another holds it."""
    for row in await session.rows("lead", name, holder, seconds):
        return Leadership(name, holder, row["token"], row["leased_until"])
    return None


async def resign(session: PostgresSession, leadership: Leadership) -> None:
    """End a leadership, unless another holds it by now."""
    await session.rows("resign", leadership.name, leadership.holder, leadership.token)
