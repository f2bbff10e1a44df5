"""The shape that all background loops share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar

import pytest

from otelq.errors import Forbidden, OtelqError, Refused, Unavailable
from otelq.loop import MOST_ERRORS, Loop, Outage

inherited: ContextVar[str | None] = ContextVar("inherited", default=None)


class Ticking(Loop):
    """Counts its ticks, and does in each what the test says."""

    def __init__(self, name: str = "ticking", *, outage: Outage | None = None) -> None:
        super().__init__(name, on_fatal=self._note, outage=outage)
        self.ticks = 0
        self.pause = 3600.0
        self.raises: Callable[[], Exception | None] = lambda: None
        self.fatal: Exception | None = None
        self.seen: str | None = None
        self.ticked = asyncio.Event()
        self.gave_up = asyncio.Event()

    async def tick(self) -> float:
        self.ticks += 1
        self.seen = inherited.get()
        self.ticked.set()
        if (error := self.raises()) is not None:
            raise error
        return self.pause

    async def next(self) -> None:
        self.ticked.clear()
        await self.ticked.wait()

    def _note(self, error: Exception) -> None:
        self.fatal = error
        self.gave_up.set()


@pytest.fixture
async def loop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ticking]:
    monkeypatch.setattr("otelq.loop.LONGEST_BACK_OFF", 0.001)
    loop = Ticking()
    yield loop
    await loop.stop()


async def test_it_ticks_at_once_and_again_when_woken(loop: Ticking) -> None:
    loop.start()
    await loop.next()
    loop.wake()
    await loop.next()
    assert loop.ticks == 2


async def test_a_wake_during_a_tick_is_not_lost(loop: Ticking) -> None:
    def wake_once() -> None:
        if loop.ticks == 1:
            loop.wake()

    loop.raises = wake_once
    loop.start()
    while loop.ticks < 2:
        await loop.next()


async def test_it_ticks_again_after_its_pause(loop: Ticking) -> None:
    loop.pause = 0.001
    loop.start()
    for _ in range(3):
        await loop.next()


async def test_nothing_of_the_starters_context_is_in_it(loop: Ticking) -> None:
    inherited.set("the starter")
    loop.start()
    await loop.next()
    assert loop.seen is None


@pytest.mark.parametrize("error", [Unavailable("away"), Refused("a row that somebody has written by hand")])
async def test_it_goes_on_for_ever_while_the_database_does_not_let_it(loop: Ticking, error: Exception) -> None:
    loop.raises = lambda: error
    loop.start()
    while loop.ticks <= 3 * MOST_ERRORS:
        await loop.next()
    assert loop.fatal is None


@pytest.mark.parametrize("error", [KeyError("a bug"), OtelqError("wrong configuration")])
async def test_it_gives_up_after_ten_unexpected_errors_in_a_row(loop: Ticking, error: Exception) -> None:
    loop.raises = lambda: error
    loop.start()
    await loop.gave_up.wait()
    assert loop.fatal is error
    assert loop.ticks == MOST_ERRORS


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelq.loop.FORBIDDEN_PAUSES", (0.001, 0.001))


@pytest.mark.usefixtures("impatient")
async def test_it_gives_up_after_some_tries_if_its_role_lacks_a_right_from_the_start(loop: Ticking) -> None:
    loop.raises = lambda: Forbidden("permission denied")
    loop.start()
    await loop.gave_up.wait()
    assert loop.ticks == 3


@pytest.mark.usefixtures("impatient")
async def test_it_goes_on_for_ever_without_a_right_that_it_had(loop: Ticking) -> None:
    loop.pause = 0
    loop.raises = lambda: Forbidden("permission denied") if loop.ticks > 1 else None
    loop.start()
    while loop.ticks <= 3 * MOST_ERRORS:
        await loop.next()
    assert loop.fatal is None


async def test_a_wake_does_not_end_the_pause_after_a_missing_right(
    loop: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otelq.loop.FORBIDDEN_PAUSES", (3600.0,))
    loop.raises = lambda: Forbidden("permission denied")
    loop.start()
    await loop.next()
    for _ in range(10):
        loop.wake()
        await asyncio.sleep(0)
    assert loop.ticks == 1


async def test_loops_that_share_an_outage_log_one_line_each_way(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="otelq.loop")
    outage, is_away = Outage(), True
    loops = [Ticking(name, outage=outage) for name in ("one", "other")]
    for loop in loops:
        loop.raises = lambda: Unavailable("away") if is_away else None
        loop.start()
    while not all(loop.ticks > 2 for loop in loops):
        await asyncio.sleep(0)
        for loop in loops:
            loop.wake()
    is_away = False
    while not caplog.text.endswith("works again\n"):
        await asyncio.sleep(0)
        for loop in loops:
            loop.wake()
    for loop in loops:
        await loop.stop()
    assert len(caplog.records) == 2


async def test_a_good_tick_forgives_those_before(loop: Ticking) -> None:
    loop.pause = 0
    loop.raises = lambda: KeyError("a bug") if loop.ticks % 3 else None
    loop.start()
    while loop.ticks <= 3 * MOST_ERRORS:
        await loop.next()
    assert loop.fatal is None


async def test_it_can_be_started_again_after_it_gave_up(loop: Ticking) -> None:
    loop.raises = lambda: KeyError("a bug")
    loop.start()
    await loop.gave_up.wait()
    loop.raises = lambda: None
    loop.start()
    await loop.next()
    assert loop.is_running


async def test_stopping_finishes_the_tick_at_hand_and_twice_is_fine(loop: Ticking) -> None:
    loop.start()
    await loop.next()
    await loop.stop()
    await loop.stop()
    assert not loop.is_running
