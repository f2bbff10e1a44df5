"""Publishing: it neither waits nor raises, whatever is published."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from otelq.ports.notify import Hint

from ..cases import Theme
from ..kit import equal, true
from ..notify_kit import NotifyKit

publish = Theme[NotifyKit]("publish")

MANY = 10_000
LONGEST_HOLD = 0.5
"""Seconds for which the event loop may be blocked, in the best of ``TRIES``: the machine may have others to serve."""
TRIES = 3


@publish.case
async def calls_no_receiver_at_once(kit: NotifyKit) -> None:
    """Receivers are called later, never within the call that publishes."""
    receiver, hint = kit.listen(), kit.hint()
    kit.near.publish([hint])
    true(hint not in receiver.received, "a receiver was called within publish")
    await kit.arrive([hint], receiver)


@publish.case
async def takes_no_hints(kit: NotifyKit) -> None:
    """An empty batch is fine, and calls no receiver."""
    receiver = kit.listen()
    kit.near.publish([])
    kit.near.publish(())
    own = kit.hint()
    await kit.arrive([own], receiver)
    equal([hint for hint in receiver.received if not hint.subject], [], "what was delivered of empty batches")


@publish.case
async def takes_them_at_once(kit: NotifyKit) -> None:
    """Changing a list after it was published changes none of the hints that arrive."""
    receiver, hint, batch = kit.listen(), kit.hint(), list[Hint]()
    other = kit.hint()
    for _ in range(20):  # any one may be lost
        batch[:] = [hint]
        kit.near.publish(batch)
        batch[:] = [other]
        await kit.settle()
        if hint in receiver.received:
            break
    true(hint in receiver.received, "a hint was not delivered whose list was changed after it was published")
    true(other not in receiver.received, "a hint was delivered that was put into a list after it was published")


@publish.case
async def survives_what_cannot_be_sent(kit: NotifyKit) -> None:
    """A subject that is no valid text raises nothing, and those published later arrive."""
    receiver = kit.listen()
    kit.near.publish([kit.hint(subject="\ud800")])
    await kit.arrive([kit.hint()], receiver)


@publish.case
async def goes_on_within_a_receiver(kit: NotifyKit) -> None:
    """A receiver may publish."""
    first, second = kit.hint(), kit.hint()
    receiver = kit.listen(also=lambda hint: kit.near.publish([second]) if hint == first else None)
    for _ in range(20):  # any one may be lost
        kit.near.publish([first])
        await kit.settle()
        if second in receiver.received:
            return
    true(False, "a hint that a receiver published was not delivered")


@publish.case
async def does_not_hold_the_loop(kit: NotifyKit) -> None:
    """A hundred hints published one by one hold the event loop for less than half a second."""
    await _quick(kit, lambda: [kit.near.publish([kit.hint()]) for _ in range(100)])


@publish.case
async def many_do_not_hold_the_loop(kit: NotifyKit) -> None:
    """Ten thousand hints at once hold the event loop for less than half a second, and later ones arrive."""
    await _quick(kit, lambda: kit.near.publish([kit.hint() for _ in range(MANY)]))


async def _quick(kit: NotifyKit, publish: Callable[[], object]) -> None:
    """Demand that publishing and its consequences do not hold the loop for long, in one of a few tries."""
    ears = [kit.listen(at) for at in kit.everywhere()]
    holds = list[float]()
    while len(holds) < TRIES and min(holds, default=LONGEST_HOLD) >= LONGEST_HOLD:
        pulse = asyncio.create_task(_pulse(held := [0.0]))
        await asyncio.sleep(0)
        publish()
        await kit.arrive([kit.hint()], *ears)
        pulse.cancel()
        holds.append(held[0])
    true(min(holds) < LONGEST_HOLD, f"the event loop was blocked for {min(holds):.1f} seconds")


async def _pulse(held: list[float]) -> None:
    """Keep the longest time between two turns of the event loop."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(0)
        held[0], last = max(held[0], time.monotonic() - last), time.monotonic()
