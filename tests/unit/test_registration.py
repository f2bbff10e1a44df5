"""When a worker's beat is due, and what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import otelq
from otelq.worker.context import WorkerContext
from otelq.worker.registration import CENSUS, NEXT_TRY, WITH_RENEWALS, Registration, Verb
from otelq.worker.slots import Slots

jobs = otelq.Jobs()


@jobs.job("part", aliases=["piece"])
async def part(attempt: otelq.Attempt[None]) -> None: ...


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("otelq.worker.registration.time", made)
    return made


@pytest.fixture
async def context() -> AsyncIterator[WorkerContext]:
    async with otelq.connect("memory://") as client:
        worker = otelq.Worker(client, jobs, name="w", concurrency=3)
        yield worker._make_context()  # pyright: ignore[reportPrivateUsage]  # a worker makes it when it starts


def registration(context: WorkerContext, *, interval: float = 600.0) -> Registration:
    async def ask(verb: Verb) -> None:
        await verb(context.engine.state)

    return Registration(context, Slots(3), interval=interval, ask=ask)


def due(entry: Registration) -> tuple[bool, bool]:
    """Whether a beat is due by itself, and with renewals."""
    return entry.is_due(with_renewals=False), entry.is_due(with_renewals=True)


async def test_the_first_beat_is_due_at_once(clock: Clock, context: WorkerContext) -> None:
    entry = registration(context)
    assert (due(entry), entry.is_known) == ((True, True), False)
    entry.beat()
    entry.succeeded()
    assert (due(entry), entry.is_known) == ((False, False), True)


async def test_a_busy_worker_beats_with_its_renewals_and_an_idle_one_rarely(
    clock: Clock, context: WorkerContext
) -> None:
    entry = registration(context)
    entry.beat()
    entry.succeeded()
    clock.now += WITH_RENEWALS
    assert due(entry) == (False, True)
    clock.now += 600 - WITH_RENEWALS
    assert due(entry) == (True, True)


async def test_a_short_interval_counts_for_busy_workers_too(clock: Clock, context: WorkerContext) -> None:
    entry = registration(context, interval=5)
    entry.beat()
    entry.succeeded()
    clock.now += 5
    assert due(entry) == (True, True)


async def test_a_beat_that_failed_is_tried_again_soon(clock: Clock, context: WorkerContext) -> None:
    entry = registration(context)
    entry.beat()
    entry.failed()
    context.refuse(["part"], "no")
    assert due(entry) == (False, False)
    clock.now += NEXT_TRY
    assert due(entry) == (True, True)
    entry.beat()
    entry.failed()
    assert entry.failures == 2
    entry.succeeded()
    assert (entry.failures, due(entry)) == (0, (False, False))


async def test_a_type_that_is_refused_makes_a_beat_due_and_is_in_it_on_one_line(
    clock: Clock, context: WorkerContext
) -> None:
    entry = registration(context)
    entry.beat()
    entry.succeeded()
    context.refuse(["part"], "no\nsession\0")
    assert due(entry) == (True, True)
    assert entry.beat().refused == {"part": r"no\nsession\x00"}
    entry.succeeded()
    assert due(entry) == (False, False)


async def test_a_beat_has_all_names_of_the_types_and_the_age_of_the_worker(
    clock: Clock, context: WorkerContext
) -> None:
    entry = registration(context)
    clock.now += 7.5
    beat = entry.beat()
    assert (sorted(beat.types), beat.age, beat.slots, beat.running) == (["part", "piece"], 7.5, 3, 0)
    assert (beat.id, beat.name) == (context.id, "w")


async def test_the_live_workers_are_counted_after_the_first_beats_and_then_after_one_in_four(
    context: WorkerContext,
) -> None:
    entry, counted = registration(context), list[int]()
    for number in range(1, 3 * CENSUS + 1):
        context.live_workers.count = 0
        await entry._beat_and_count(entry.beat(), context.engine.state)  # pyright: ignore[reportPrivateUsage]  # sent by a task
        if context.live_workers.count:
            counted.append(number)

    assert counted == [1, 2, 3, CENSUS, 2 * CENSUS, 3 * CENSUS]
