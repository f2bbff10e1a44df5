"""Receivers: in which thread and until when they are called, and that a failing one harms no other."""

from __future__ import annotations

import threading

from otelq.ports.notify import Hint

from ..cases import Theme
from ..kit import equal, true
from ..notify_kit import NotifyKit, Receiver

receivers = Theme[NotifyKit]("receivers")

HUNDREDS = 300


@receivers.case
async def are_all_called(kit: NotifyKit) -> None:
    """Each of hundreds of receivers of one adapter gets a hint."""
    await kit.arrive([kit.hint()], *(kit.listen() for _ in range(HUNDREDS)))


@receivers.case
async def are_called_on_the_event_loop(kit: NotifyKit) -> None:
    """Receivers are called in the thread of the event loop that opened the adapter."""
    ears = [kit.listen(at) for at in kit.everywhere()]
    await kit.arrive([kit.hint()], *ears)
    for receiver in ears:
        equal(receiver.threads, {threading.get_ident()}, "the threads in which a receiver was called")


@receivers.case
async def are_not_called_when_they_end(kit: NotifyKit) -> None:
    """A receiver that unsubscribed is not called again, not even with hints published before."""
    receiver, hint = kit.listen(), kit.hint()
    kit.near.publish([hint])
    receiver.unsubscribe()
    kit.near.publish([hint])
    await kit.settle()
    true(hint not in receiver.received, "a receiver was called that had unsubscribed")


@receivers.case
async def end_within_a_call(kit: NotifyKit) -> None:
    """A receiver that unsubscribes within its call is not called again, and the others are."""
    first, other = kit.listen(also=lambda _: first.unsubscribe()), kit.listen()
    batch = [kit.hint(), kit.hint()]
    await kit.arrive(batch, other)
    await kit.settle()
    equal(first.received.total(), 1, "calls of a receiver that unsubscribed in its first")


@receivers.case
async def end_others_within_a_call(kit: NotifyKit) -> None:
    """A receiver that is unsubscribed by another is not called again, not even with the hint at hand."""
    hint, ears = kit.hint(), list[Receiver]()

    def silence_the_others(_: Hint) -> None:
        for receiver in ears:
            receiver.unsubscribe()

    ears += [kit.listen(also=silence_the_others) for _ in range(2)]
    await kit.arrive([hint], kit.listen())
    await kit.settle()
    equal(
        sum(receiver.received.total() for receiver in ears),
        1,
        "calls of two receivers that the first call unsubscribes",
    )


@receivers.case
async def begin_within_a_call(kit: NotifyKit) -> None:
    """A receiver may subscribe another, which gets the hints published from then on, and the rest are served."""
    late = list[Receiver]()
    first = kit.listen(also=lambda _: late.append(kit.listen()))
    others = [kit.listen() for _ in range(3)]
    await kit.arrive([kit.hint()], first, *others)
    await kit.arrive([kit.hint()], first, *others, late[0])


@receivers.case
async def may_be_subscribed_twice(kit: NotifyKit) -> None:
    """A receiver that is subscribed twice goes on being called when one of the two subscriptions ends."""
    receiver = kit.listen()
    kit.near.subscribe(receiver)
    receiver.unsubscribe()
    await kit.arrive([kit.hint()], receiver)


@receivers.case
async def harm_no_other(kit: NotifyKit) -> None:
    """While one receiver raises, those before and after it are called with every hint of the batch."""
    error = ValueError("raised by a receiver on purpose")
    before, bad, after = kit.listen(), kit.listen(also=_raising(error)), kit.listen()
    await kit.arrive([kit.hint(), kit.hint()], before, bad, after)


@receivers.case
async def are_logged_when_they_raise(kit: NotifyKit) -> None:
    """An error of a receiver is logged, and reaches no caller."""
    error = ValueError("raised by a receiver on purpose")
    await kit.arrive([kit.hint()], kit.listen(also=_raising(error)))
    await kit.settle()
    true(error in kit.log, "what a receiver raised was not logged")


@receivers.case
async def stay_when_they_raise(kit: NotifyKit) -> None:
    """A receiver that raised is called with later hints all the same."""
    bad = kit.listen(also=_raising(ValueError("raised by a receiver on purpose")))
    await kit.arrive([kit.hint()], bad)
    await kit.settle()
    await kit.arrive([kit.hint()], bad)


class _raising:
    """Raises an error whenever it is called."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, _: Hint) -> None:
        raise self._error
