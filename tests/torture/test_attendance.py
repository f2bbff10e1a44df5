"""Times in which no worker was there are noted, and told as spans that do not overlap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from otelq_verify.torture.attendance import Attendance, merged
from otelq_verify.torture.fleet import Fleet

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
COMES_UP = "import sys, time; open(sys.argv[1], 'a').write(f'up {sys.argv[2]}\\n'); time.sleep(60)"


def span(begun: float, ended: float) -> tuple[datetime, datetime]:
    return NOON + timedelta(seconds=begun), NOON + timedelta(seconds=ended)


def test_spans_that_meet_become_one() -> None:
    assert merged([span(5, 6), span(0, 2), span(1, 3), span(3, 4)]) == [span(0, 4), span(5, 6)]


@asynccontextmanager
async def kept(attendance: Attendance) -> AsyncGenerator[None]:
    keeping = asyncio.create_task(attendance.keep())
    try:
        yield
    finally:
        keeping.cancel()


async def test_a_time_without_workers_is_noted(tmp_path: Path) -> None:
    def command(name: str) -> Sequence[str]:
        return ("-c", COMES_UP, str(tmp_path / "notes"), name)

    with Fleet(command, tmp_path) as fleet:
        attendance = Attendance(fleet)
        async with kept(attendance):
            first = fleet.start()
            await attendance.wait_for_worker()
            fleet.start()
            await asyncio.to_thread(fleet.wait_until_up)
            fleet.kill(first)
            assert attendance.is_there
            assert len(attendance.absences) == 1
