"""Faults that a notifier may have, each planted into that within one process, or into one whose adapters share a place.

The name of the replacement is the name of the fault. `caught_notify.toml` says which cases catch it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from otelq.hints import Receivers
from otelq.inprocess.notify import InProcessNotify
from otelq.ports.notify import Hint, HintKind

from .faults import Fault
from .faults.planting import replaced
from .place import PlacedNotify

NOTIFY_FAULTS: list[Fault] = []
_publish, _deliver, _subscribe = InProcessNotify.publish, Receivers._deliver, InProcessNotify.subscribe
_open, _close = InProcessNotify.open, InProcessNotify.close
_join, _leave = PlacedNotify.open, PlacedNotify.close
SECONDS_EACH = 0.0001
MOST_AT_ONCE = 1_000
A_YEAR = 365 * 86400.0


def instead_of(owner: type, method: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def plant(replacement: Callable[..., Any]) -> Callable[..., Any]:
        NOTIFY_FAULTS.append(Fault(replacement.__name__, partial(replaced, [(owner, method, replacement)])))
        return replacement

    return plant


def _changed(self: InProcessNotify, hints: Sequence[Hint], **fields: Callable[[Hint], Any]) -> None:
    """Publish hints of which some fields are made anew."""
    _publish(self, [replace(hint, **{name: make(hint) for name, make in fields.items()}) for hint in hints])


# What arrives


@instead_of(InProcessNotify, "publish")
def calls_everything_due(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _changed(self, hints, kind=lambda _: HintKind.DUE)


@instead_of(InProcessNotify, "publish")
def calls_everything_changed(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _changed(self, hints, kind=lambda _: HintKind.CHANGED)


@instead_of(InProcessNotify, "publish")
def sends_ascii(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _changed(self, hints, subject=lambda hint: hint.subject.encode("ascii", "replace").decode())


@instead_of(InProcessNotify, "publish")
def splits_at_colons(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _changed(self, hints, subject=lambda hint: hint.subject.split(":")[0])


@instead_of(InProcessNotify, "publish")
def cuts_long_names(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _changed(self, hints, subject=lambda hint: hint.subject[:100])


@instead_of(InProcessNotify, "publish")
def forgets_the_delay(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _changed(self, hints, delay=lambda _: 0.0)


@instead_of(InProcessNotify, "publish")
def delays_everything(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _changed(self, hints, delay=lambda hint: max(1.0, hint.delay))


@instead_of(InProcessNotify, "publish")
def counts_in_milliseconds(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _changed(self, hints, delay=lambda hint: round(hint.delay, 3))


@instead_of(InProcessNotify, "publish")
def knows_no_delay_beyond_a_year(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _changed(self, hints, delay=lambda hint: min(A_YEAR, hint.delay))


@instead_of(InProcessNotify, "publish")
def drops_what_has_no_subject(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _publish(self, [hint for hint in hints if hint.subject])


@instead_of(InProcessNotify, "publish")
def sends_the_first_of_a_batch(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _publish(self, hints[:1])


# How it is handed over


@instead_of(InProcessNotify, "publish")
def delivers_within_publish(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    if self._receivers._loop is not None:
        _deliver(self._receivers, hints, self._receivers._opened)


@instead_of(InProcessNotify, "publish")
def sends_what_is_in_the_list_by_then(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    if self._receivers._loop is not None:
        self._receivers._loop.call_soon(self._receivers._deliver, hints, self._receivers._opened)


@instead_of(InProcessNotify, "publish")
def makes_something_of_nothing(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _publish(self, hints or [Hint(HintKind.CHANGED, "")])


@instead_of(InProcessNotify, "publish")
def wants_a_hint(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _publish(self, [hints[0], *hints[1:]])


@instead_of(InProcessNotify, "publish")
def raises_what_cannot_be_sent(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _changed(self, hints, subject=lambda hint: hint.subject.encode().decode())


@instead_of(InProcessNotify, "publish")
def falls_silent_when_something_cannot_be_sent(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    try:
        raises_what_cannot_be_sent(self, hints)
    except UnicodeEncodeError:
        self._receivers._loop = None


@instead_of(Receivers, "_deliver")
def drops_what_is_published_meanwhile(self: Receivers, hints: Sequence[Hint], opened: int) -> None:
    loop, self._loop = self._loop, None
    for hint in hints:
        for key in tuple(self._receivers) if loop else ():
            self._call(key, hint)
    self._loop = loop


@instead_of(InProcessNotify, "publish")
def waits_for_the_wire(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    time.sleep(0.006)
    _publish(self, hints)


@instead_of(Receivers, "_deliver")
def takes_its_time_with_each(self: Receivers, hints: Sequence[Hint], opened: int) -> None:
    time.sleep(SECONDS_EACH * len(hints))
    _deliver(self, hints, opened)


@instead_of(InProcessNotify, "publish")
def falls_over_a_large_batch(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    _publish(self, hints)
    if len(hints) > MOST_AT_ONCE:
        self._receivers._loop = None


# Who is called


@instead_of(Receivers, "_deliver")
def serves_a_hundred(self: Receivers, hints: Sequence[Hint], opened: int) -> None:
    for hint in hints:
        for key in tuple(self._receivers)[:100] if self._opened == opened else ():
            self._call(key, hint)


@instead_of(Receivers, "_call")
def calls_in_a_thread(self: Receivers, key: object, hint: Hint) -> None:
    thread = threading.Thread(target=self._receivers[key], args=(hint,))
    thread.start()
    thread.join()


@instead_of(InProcessNotify, "subscribe")
def ends_no_subscription(self: InProcessNotify, receive: Callable[[Hint], None]) -> Callable[[], None]:
    _subscribe(self, receive)
    return lambda: None


@instead_of(InProcessNotify, "subscribe")
def ends_subscriptions_later(self: InProcessNotify, receive: Callable[[Hint], None]) -> Callable[[], None]:
    end = _subscribe(self, receive)

    def end_later() -> None:
        asyncio.get_running_loop().call_soon(end)

    return end_later


@instead_of(Receivers, "_deliver")
def calls_those_of_the_beginning(self: Receivers, hints: Sequence[Hint], opened: int) -> None:
    receivers = list(self._receivers.values())
    for hint in hints if self._opened == opened and self._loop else ():
        for receive in receivers:
            self._receivers["at hand"] = receive
            self._call("at hand", hint)
            del self._receivers["at hand"]


@instead_of(Receivers, "_deliver")
def walks_over_what_changes(self: Receivers, hints: Sequence[Hint], opened: int) -> None:
    for hint in hints:
        for key in self._receivers if self._opened == opened and self._loop else ():
            self._call(key, hint)


@instead_of(InProcessNotify, "subscribe")
def knows_a_receiver_once(self: InProcessNotify, receive: Callable[[Hint], None]) -> Callable[[], None]:
    self._receivers._receivers[receive] = receive
    return lambda: self._receivers._receivers.pop(receive, None) and None


@instead_of(Receivers, "_call")
def stops_at_an_error(self: Receivers, key: object, hint: Hint) -> None:
    if receive := self._receivers.get(key):
        receive(hint)


@instead_of(Receivers, "_call")
def hides_errors(self: Receivers, key: object, hint: Hint) -> None:
    try:
        stops_at_an_error(self, key, hint)
    except Exception:
        self._errors = True  # type: ignore[attr-defined]  # seen by nobody, which is the fault


@instead_of(Receivers, "_call")
def drops_who_raises(self: Receivers, key: object, hint: Hint) -> None:
    try:
        stops_at_an_error(self, key, hint)
    except Exception:
        del self._receivers[key]


# Open and close


@instead_of(InProcessNotify, "publish")
def keeps_what_comes_too_early(self: Any, hints: Sequence[Hint]) -> None:
    if self._receivers._loop is not None:
        _publish(self, [*getattr(self, "early", ()), *hints])
    else:
        self.early = list(hints)


@instead_of(InProcessNotify, "publish")
def raises_when_it_is_not_open(self: InProcessNotify, hints: Sequence[Hint]) -> None:
    if self._receivers._loop is None:
        raise RuntimeError("not open")
    _publish(self, hints)


@instead_of(Receivers, "_deliver")
def delivers_after_the_end(self: Receivers, hints: Sequence[Hint], opened: int) -> None:
    for hint in hints:
        for key in tuple(self._receivers):
            self._call(key, hint)


@instead_of(InProcessNotify, "close")
async def does_not_close(self: InProcessNotify) -> None:
    pass


@instead_of(InProcessNotify, "close")
async def closes_once(self: InProcessNotify) -> None:
    if self._receivers._loop is None:
        raise RuntimeError("closed already")
    await _close(self)


@instead_of(InProcessNotify, "open")
async def opens_once(self: InProcessNotify) -> None:
    if self._receivers._opened:
        raise RuntimeError("opened before")
    await _open(self)


@instead_of(InProcessNotify, "open")
async def is_deaf_when_reopened(self: InProcessNotify) -> None:
    await _open(self)
    if self._receivers._opened > 1:
        self._receivers._loop = None


@instead_of(InProcessNotify, "open")
async def goes_on_where_it_ended(self: InProcessNotify) -> None:
    await _open(self)
    self._receivers._opened = 1


# The others of the place


@instead_of(PlacedNotify, "publish")
def keeps_to_itself(self: PlacedNotify, hints: Sequence[Hint]) -> None:
    self.hand_in(hints)


@instead_of(PlacedNotify, "publish")
def leaves_itself_out(self: PlacedNotify, hints: Sequence[Hint]) -> None:
    for member in self.place.members:
        if member is not self:
            member.hand_in(hints)


@instead_of(PlacedNotify, "publish")
def tells_itself_and_the_first(self: PlacedNotify, hints: Sequence[Hint]) -> None:
    for member in {self, *self.place.members[:1]} if self in self.place.members else ():
        member.hand_in(hints)


@instead_of(PlacedNotify, "publish")
def tells_three(self: PlacedNotify, hints: Sequence[Hint]) -> None:
    for member in self.place.members[:3] if self in self.place.members else ():
        member.hand_in(hints)


@instead_of(PlacedNotify, "close")
async def closes_the_place(self: PlacedNotify) -> None:
    self.place.members.clear()
    await _leave(self)


@instead_of(PlacedNotify, "open")
async def knows_who_was_there_first(self: Any) -> None:
    await _join(self)
    self.known = getattr(self, "known", None) or list(self.place.members)
    self.place.members[:] = self.place.members[:2]


@instead_of(PlacedNotify, "publish")
def keeps_the_last_for_who_comes_late(self: Any, hints: Sequence[Hint]) -> None:
    for member in self.place.members if self in self.place.members else ():
        member.hand_in([*getattr(self.place, "last", ()), *hints])
    self.place.last = list(hints)


@instead_of(PlacedNotify, "close")
async def stays_when_it_is_closed(self: PlacedNotify) -> None:
    if self.place.members[1:2] != [self]:
        await _leave(self)


@instead_of(PlacedNotify, "publish")
def delivers_to_all_in_one_go(self: PlacedNotify, hints: Sequence[Hint]) -> None:
    def deliver() -> None:
        for hint in hints:
            for member in self.place.members:
                for receive in list(member._receivers._receivers.values()):
                    receive(hint)

    if self._receivers._loop is not None:
        self._receivers._loop.call_soon(deliver)
