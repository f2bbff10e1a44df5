"""What the judge makes of a history, and how a finding reads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from otelq.model import Status, Transition, Verb
from otelq_verify.interleave import Finding, Schedule, run_schedule
from otelq_verify.interleave.end_checks import unexplained
from otelq_verify.interleave.schedule_kit import ScheduleKit
from otelq_verify.interleave.stage import opened

from .factories import factory

NOW = datetime(2026, 1, 1, tzinfo=UTC)
READY, RUNNING, COMPLETED = Status.READY, Status.RUNNING, Status.COMPLETED
CREATE = (Verb.CREATE, None, READY)
CLAIM = (Verb.CLAIM, READY, RUNNING)
COMPLETE = (Verb.COMPLETE, RUNNING, COMPLETED)
RETRY = (Verb.RETRY, RUNNING, Status.SCHEDULED)
DELETE = (Verb.DELETE, COMPLETED, None)
Move = tuple[Verb, Status | None, Status | None]


def made(*moves: Move) -> list[Transition]:
    same = {"chain_id": "c", "position": 0, "type": "t", "queue": "q", "chain_type": "t", "attempt": 1}
    times = {"at": NOW, "created_at": NOW, "chain_created_at": NOW}
    return [Transition(verb=verb, source=source, target=target, **same, **times) for verb, source, target in moves]  # type: ignore[arg-type]  # of two kinds of values


@pytest.mark.parametrize(
    "moves, end",
    [
        ([CREATE], READY),
        ([COMPLETE, CLAIM, CREATE], COMPLETED),
        ([CREATE, CLAIM, RETRY, CLAIM], RUNNING),
        ([CREATE, CLAIM, COMPLETE, DELETE], "deleted"),
    ],
)
def test_moves_that_some_order_explains_are_fine(moves: list[Move], end: Status | str) -> None:
    assert unexplained(made(*moves), end) is None


@pytest.mark.parametrize(
    "moves, end",
    [
        ([], READY),
        ([CREATE], RUNNING),
        ([CREATE, CLAIM, CLAIM], RUNNING),
        ([CREATE, CLAIM, COMPLETE], RUNNING),
        ([CREATE, CLAIM, COMPLETE, COMPLETE], COMPLETED),
        ([CREATE, (Verb.RENEW, RUNNING, RUNNING)], READY),
        ([CREATE, CLAIM, COMPLETE, DELETE], COMPLETED),
    ],
)
def test_moves_that_no_order_explains_are_told(moves: list[Move], end: Status | str) -> None:
    assert "no order explains" in str(unexplained(made(*moves), end))


async def test_a_finding_shows_who_took_which_step(tmp_path: Path) -> None:
    async def check(kit: ScheduleKit) -> None:
        chain = await kit.start()
        first = await kit.stage.enter(kit.finishing(chain), inside=True)
        second = await kit.stage.enter(kit.cancelling(chain))
        await kit.stage.push(first)
        await kit.stage.push(second)
        await kit.stage.end(first, second)
        kit.fine(second)

    async with opened(factory(f"sqlite:///{tmp_path}/jobs.db")) as stage:
        with pytest.raises(Finding) as found:
            await run_schedule(stage, Schedule("planted", "", check))

    lines = str(found.value).splitlines()
    assert [line.partition(": chain")[0] for line in lines[lines.index("The schedule:") + 1 :]] == [
        "  1 enters: in one transaction: complete from outside; commit",
        "  2 enters: cancel",
        "  1 begin",
        "  1 complete from outside",
        "  2 cancel ... waits for a lock",
        "  1 commit -> done",
        "  2 waits no longer -> JobAlreadyClosed",
    ]


async def test_a_worker_that_waits_in_a_callers_transaction_is_not_a_finding(tmp_path: Path) -> None:
    async def check(kit: ScheduleKit) -> None:
        await kit.start()
        (claim,) = await kit.lease()
        await kit.stage.end(await kit.stage.enter(kit.settling(claim), inside=True, commits=False))
        await kit.stage.end(await kit.stage.enter(kit.settling(claim), inside=True))

    async with opened(factory(f"sqlite:///{tmp_path}/jobs.db")) as stage:
        await run_schedule(stage, Schedule("planted", "", check))
