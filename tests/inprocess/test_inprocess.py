"""How hints are passed within one process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

import pytest

from otelq.errors import InvalidArgument
from otelq.inprocess import notifier
from otelq.ports.notify import Hint, HintKind, NotifyAdapter


async def one_turn_of_the_loop() -> None:
    await asyncio.sleep(0)


HINT = Hint(HintKind.DUE, "work", 1.5)


@pytest.fixture
async def hints() -> AsyncGenerator[NotifyAdapter]:
    passing = notifier()
    await passing.open()
    yield passing
    await passing.close()


async def test_a_hint_comes_soon_to_every_receiver_and_never_at_once(hints: NotifyAdapter) -> None:
    first, second = list[Hint](), list[Hint]()
    hints.subscribe(first.append)
    hints.subscribe(second.append)

    hints.publish([HINT, HINT])
    assert first == []
    await one_turn_of_the_loop()

    assert first == second == [HINT, HINT]


async def test_a_receiver_that_raises_harms_no_other(hints: NotifyAdapter, caplog: pytest.LogCaptureFixture) -> None:
    received: list[Hint] = []

    def fails(hint: Hint) -> None:
        raise RuntimeError("broken receiver")

    hints.subscribe(fails)
    hints.subscribe(received.append)
    with caplog.at_level(logging.ERROR):
        hints.publish([HINT])
        await one_turn_of_the_loop()

    assert received == [HINT]
    assert "a receiver of hints failed on due work" in caplog.text


async def test_a_subscription_can_be_ended_once_and_again(hints: NotifyAdapter) -> None:
    received: list[Hint] = []
    end = hints.subscribe(received.append)

    hints.publish([HINT])
    end()
    end()
    await one_turn_of_the_loop()

    assert received == []


async def test_nothing_is_delivered_when_closed(hints: NotifyAdapter) -> None:
    received: list[Hint] = []
    hints.subscribe(received.append)

    hints.publish([HINT])
    await hints.close()
    await hints.close()
    hints.publish([HINT])
    await one_turn_of_the_loop()

    assert received == []


async def test_an_option_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="channel"):
        notifier(channel="x")
