"""Hints on their way to others: few messages, bounded memory, and nothing that a stranger sends does harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from otelq.hints import AwaitedChains, BroadcastNotify, Channel, Outbox, listener, messages, ping, read
from otelq.hints.awaited import REMEMBERED
from otelq.ports.notify import Hint, HintKind


def due(type: str, delay: float = 0.0) -> Hint:
    return Hint(HintKind.DUE, type, delay)


def contents(texts: Sequence[str]) -> list[Hint]:
    """The hints in messages, without their origins."""
    return [replace(hint, origin="") for text in texts for hint in (read(text) or ())]


class Sent:
    """Takes what an outbox sends, as slowly as the test wants."""

    def __init__(self) -> None:
        self.batches: list[list[Hint]] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.error: Exception | None = None

    async def __call__(self, hints: Sequence[Hint]) -> None:
        self.batches.append(list(hints))
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error


async def until(sent: Sent, batches: int) -> None:
    while len(sent.batches) < batches:  # noqa: ASYNC110  # the list has no event
        await asyncio.sleep(0)


async def test_a_hint_is_sent_at_once() -> None:
    outbox = Outbox(sent := Sent(), window=3600)
    outbox.open()

    outbox.add([due("mail")])
    await until(sent, 1)

    assert sent.batches == [[due("mail")]]


async def test_what_comes_while_a_message_is_sent_goes_into_the_next_one() -> None:
    outbox = Outbox(sent := Sent(), window=0)
    outbox.open()
    sent.may_go_on.clear()
    outbox.add([due("mail")])
    await until(sent, 1)

    closed = [Hint(HintKind.CLOSED, f"chain {n}") for n in range(3)]
    for hint in closed:
        outbox.add([hint])
    sent.may_go_on.set()
    await until(sent, 2)

    assert sent.batches[1] == closed


async def test_one_type_is_named_once_in_a_window_and_the_last_time_is_not_lost() -> None:
    outbox = Outbox(sent := Sent(), window=0.02)
    outbox.open()
    outbox.add([due("mail")])
    await until(sent, 1)

    for _ in range(100):
        outbox.add([due("mail"), due("mail", 7)])
    await until(sent, 2)
    await outbox.close()

    assert sent.batches == [[due("mail")], [due("mail")]]


async def test_a_window_of_one_type_delays_no_other() -> None:
    outbox = Outbox(sent := Sent(), window=3600)
    outbox.open()
    outbox.add([due("mail")])
    await until(sent, 1)

    outbox.add([due("mail"), due("bill")])
    await until(sent, 2)

    assert sent.batches[1] == [due("bill")]


async def test_hints_of_the_last_commit_are_sent_before_a_client_leaves() -> None:
    outbox = Outbox(sent := Sent(), window=3600)
    outbox.open()
    outbox.add([due("mail")])
    await until(sent, 1)
    outbox.add([due("mail")])

    await outbox.close()

    assert sent.batches == [[due("mail")], [due("mail")]]


async def test_a_message_that_cannot_be_sent_is_dropped_and_the_next_one_tried() -> None:
    outbox = Outbox(sent := Sent(), window=0)
    outbox.open()
    sent.error = OSError("the queue is full")
    outbox.add([due("mail")])
    await until(sent, 1)
    sent.error = None

    outbox.add([due("bill")])
    await until(sent, 2)

    assert sent.batches[1] == [due("bill")]


def test_messages_hold_what_was_put_in_and_fit() -> None:
    hints = [due("mail", 1.5), Hint(HintKind.CLOSED, "0198c0de"), *(due(f"type {n}" + "é" * 90) for n in range(200))]

    texts = messages("me", hints)

    assert all(len(text.encode()) < 8_000 for text in texts)
    assert contents(texts) == hints


def test_a_hint_that_fits_into_no_message_harms_no_other() -> None:
    texts = messages("me", [due("x" * 10_000), due("\ud800"), due("mail")])

    assert contents(texts) == [due("mail")]


def test_every_message_has_an_origin_and_what_is_taken_goes_apart() -> None:
    texts = messages("me", [Hint(HintKind.TAKEN, "x/mail"), due("mail"), due("bill")])

    origins = [{hint.origin for hint in read(text) or ()} for text in texts]
    assert [[hint.kind for hint in read(text) or ()] for text in texts] == [[HintKind.DUE] * 2, [HintKind.TAKEN]]
    assert all(len(origin) == 1 for origin in origins)
    assert origins[0] != origins[1]


def test_a_message_of_an_older_otelq_has_no_origin() -> None:
    assert [hint.origin for hint in read('["me",[["due","mail",0.0]]]') or ()] == [""]


def test_a_ping_holds_no_hint() -> None:
    message = read(ping("me"))

    assert message is not None
    assert (message.sender, list(message)) == ("me", [])


def test_what_others_send_on_the_channel_is_passed_over() -> None:
    assert [read(text) for text in ("", "hello", "{}", '["me",[["due"]]]', '["me",[["later",1,2]]]', "[]")] == [
        None
    ] * 6


def test_a_chain_is_awaited_for_a_minute_after_it_was_announced() -> None:
    now = 0.0
    awaited = AwaitedChains(clock=lambda: now)
    awaited.add("a")
    now = REMEMBERED / 2
    awaited.add("b")
    awaited.add("a")

    now = REMEMBERED + 1

    assert "a" in awaited
    assert "b" in awaited
    now = 2 * REMEMBERED
    assert "a" not in awaited
    awaited.add("c")
    assert len(awaited) == 1


class SlowChannel(Channel):
    """Delivers to one's own process, but not the first message."""

    name = "slow"
    unheard = "nothing is heard"

    def __init__(self) -> None:
        self.sent = 0
        self._receive: Callable[[str], None] = lambda text: None

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, texts: Sequence[str]) -> None:
        self.sent += 1
        if self.sent > 1:
            self._receive(texts[0])

    @asynccontextmanager
    async def listen(self, receive: Callable[[str], None], *, lost: Callable[[], None]) -> AsyncGenerator[None]:
        self._receive = receive
        yield


async def test_a_listener_that_was_slow_once_tries_again_soon_and_without_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "ECHO", 0.01)
    monkeypatch.setattr(listener, "SLOW_PAUSE", 0.01)
    notifier = BroadcastNotify(channel := SlowChannel())
    notifier.subscribe(lambda hint: None)
    await notifier.open()
    while not notifier.is_hearing:  # noqa: ASYNC110  # it has no event
        await asyncio.sleep(0)
    await notifier.close()
    assert channel.sent == 2
    assert "nothing is heard" not in caplog.text
