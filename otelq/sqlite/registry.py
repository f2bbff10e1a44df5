"""The registry of workers, and the leaders of tasks that one worker does for all."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder, encode

from ..model import Leadership, WorkerBeat, WorkerRecord
from .rows import seconds_to_micros, to_datetime
from .session import SqliteSession, batch

_NAMES: Final = Decoder(tuple[str, ...])
_REASONS: Final = Decoder(dict[str, str])


class _WorkerRow(Struct, frozen=True, array_like=True):
    id: str
    name: str
    host: str
    pid: int
    version: str
    queues: str
    types: str
    refused: str
    slots: int
    running: int
    started_at: int
    seen_at: int

    def record(self) -> WorkerRecord:
        return WorkerRecord(
            id=self.id,
            name=self.name,
            host=self.host,
            pid=self.pid,
            version=self.version,
            queues=_NAMES.decode(self.queues),
            types=_NAMES.decode(self.types),
            refused=_REASONS.decode(self.refused),
            slots=self.slots,
            running=self.running,
            started_at=to_datetime(self.started_at),
            seen_at=to_datetime(self.seen_at),
        )


_WORKERS: Final = Decoder(list[_WorkerRow])
_LEADERS: Final = Decoder(list[tuple[int, int]])


async def beat(db: SqliteSession, at: int, *, beats: Sequence[WorkerBeat], live_for: float) -> None:
    """Store that workers are alive, and remove those that no longer are."""
    await db.write("beat", beats=batch([_columns(each) for each in beats]), now=at)
    oldest, newest = _life(at, live_for)
    await db.write("remove_old_workers", oldest=oldest, newest=newest)


def _columns(beat: WorkerBeat) -> tuple[object, ...]:
    # Lists as text within the batch: SQLite would else store its own form of them.
    lists = [encode(each).decode() for each in (beat.queues, beat.types, beat.refused)]
    about = (beat.id, beat.name, beat.host, beat.pid, beat.version)
    return (*about, *lists, beat.slots, beat.running, seconds_to_micros(beat.age))


def _life(at: int, live_for: float) -> tuple[int, int]:
    """Return the bounds between which a live worker was seen; a time from the future is of another clock."""
    return at - seconds_to_micros(live_for), at + seconds_to_micros(live_for)


async def remove_workers(db: SqliteSession, at: int, *, ids: Sequence[str]) -> None:
    """Remove workers that have stopped."""
    await db.write("remove_workers", ids=batch(ids))


async def workers(db: SqliteSession, at: int, *, live_for: float) -> list[WorkerRecord]:
    """Return the live workers. A row that was changed by hand must not hide the others."""
    found = list[WorkerRecord]()
    oldest, newest = _life(at, live_for)
    for row in await db.read("read_workers", _WORKERS, oldest=oldest, newest=newest):
        with suppress(MsgspecError):
            found.append(row.record())
    return [worker for worker in found if not _has_ended(worker)]


def _has_ended(worker: WorkerRecord) -> bool:
    """Return whether a worker of this machine has certainly ended; beats are rare, and killed workers send none."""
    if worker.host != socket.gethostname() or os.name != "posix":  # elsewhere `os.kill` with 0 is no question
        return False
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it belongs to another user, or the row was changed by hand
        return False
    return False


async def lead(db: SqliteSession, at: int, *, name: str, holder: str, seconds: float) -> Leadership | None:
    """Take or extend a leadership; return None while another holds it."""
    await db.write("lead", task=name, holder=holder, until=at + seconds_to_micros(seconds), now=at)
    for token, until in await db.read("read_leader", _LEADERS, task=name, holder=holder):
        return Leadership(name, holder, token, to_datetime(until))
    return None


async def resign(db: SqliteSession, at: int, *, leadership: Leadership) -> None:
    """End a leadership, unless another holds it by now."""
    await db.write("resign", task=leadership.name, holder=leadership.holder, token=leadership.token, now=at)
