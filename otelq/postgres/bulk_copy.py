"""Large batches of starts, written with COPY, which logs a page of rows at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from ..model import NewJob, Status, Transition
from ..transitions import build
from .database import PostgresSession

_NULL: Final = "\\N"
_SPECIAL: Final = re.compile(r"[\\\t\n\r]")
_ESCAPED: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_JOB: Final = (
    "chain_id", "position", "priority", "created_at", "run_at", "type", "queue", "input", "trace", "meta",
)  # fmt: skip
_OPEN_JOB: Final = ("chain_id", "position", "priority", "run_at", "type")


async def copy_in(session: PostgresSession, jobs: Sequence[NewJob]) -> list[Transition]:
    """
    Start plain chains whose ids are new, within a transaction.

    The rows go as text, so that type codecs that the owner of a pool may have set for its connections do not matter.
    """
    # The server's clock, as everywhere: COPY takes values only, so the time is read first.
    at: datetime = (await session.row("read_clock"))["at"]
    due = [_due(job, at) for job in jobs]
    # Most jobs are due at once: the same object, whose time is formatted once.
    stamp = at.isoformat()
    times = [stamp if moment is at else moment.isoformat() for moment in due]
    await _copy(session, "job", _JOB, _requests(jobs, times, stamp))
    await _copy(session, "open_job", _OPEN_JOB, _hot_rows(jobs, times))
    return [
        build.created(job, Status.READY if moment is at else build.due_status(moment, at), at=at, run_at=moment)
        for job, moment in zip(jobs, due, strict=True)
    ]


def _due(job: NewJob, at: datetime) -> datetime:
    if job.at is not None:
        return max(job.at, at)
    return at + timedelta(seconds=job.delay) if job.delay and job.delay > 0 else at


def _requests(jobs: Sequence[NewJob], times: Sequence[str], stamp: str) -> Iterator[str]:
    for job, run_at in zip(jobs, times, strict=True):
        fields = (job.type, job.queue, job.input, job.trace, job.meta)
        yield f"{_text(job.chain_id)}\t0\t{job.priority}\t{stamp}\t{run_at}\t" + "\t".join(map(_text, fields)) + "\n"


def _hot_rows(jobs: Sequence[NewJob], times: Sequence[str]) -> Iterator[str]:
    for job, run_at in zip(jobs, times, strict=True):
        yield f"{_text(job.chain_id)}\t0\t{job.priority}\t{run_at}\t{_text(job.type)}\n"


def _text(value: str | None) -> str:
    if value is None:
        return _NULL
    return _SPECIAL.sub(lambda found: _ESCAPED[found[0]], value) if _SPECIAL.search(value) else value


async def _copy(session: PostgresSession, table: str, columns: Sequence[str], lines: Iterator[str]) -> None:
    await session.copy(table, columns, "".join(lines).encode())
