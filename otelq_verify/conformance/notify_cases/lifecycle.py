"""The life of an adapter: hints are delivered between open and close, and again after another open."""

from __future__ import annotations

import asyncio

from ..cases import Theme
from ..kit import true
from ..notify_kit import QUIET, NotifyKit

lifecycle = Theme[NotifyKit]("lifecycle")


@lifecycle.case
async def begin_with_open(kit: NotifyKit) -> None:
    """A hint that is published before the adapter is opened raises nothing and is not delivered."""
    adapter, hint = kit.make(), kit.hint()
    adapter.publish([hint])
    await kit.open(adapter)
    receiver = kit.listen(adapter)
    await kit.settle(adapter)
    true(hint not in receiver.received, "a hint was delivered that was published before the adapter was opened")


@lifecycle.case
async def end_with_close(kit: NotifyKit) -> None:
    """After close has returned no receiver is called any more, not even for hints published before."""
    receiver, hint = kit.listen(), kit.hint()
    kit.near.publish([hint])
    await kit.near.close()
    received = receiver.received.total()
    await asyncio.sleep(QUIET)
    true(receiver.received.total() == received, "a receiver was called after close had returned")


@lifecycle.case
async def are_over_for_publishers_too(kit: NotifyKit) -> None:
    """Publishing after close raises nothing, and calls no receiver."""
    receiver, hint = kit.listen(), kit.hint()
    await kit.near.close()
    kit.near.publish([hint])
    await asyncio.sleep(QUIET)
    true(hint not in receiver.received, "a hint was delivered that was published after close")


@lifecycle.case
async def end_twice(kit: NotifyKit) -> None:
    """Closing twice is fine."""
    await kit.near.close()
    await kit.near.close()


@lifecycle.case
async def begins_again(kit: NotifyKit) -> None:
    """An adapter that was closed can be opened again, and delivers."""
    for _ in range(3):
        await kit.near.close()
        await kit.open(kit.near)
        await kit.arrive([kit.hint()], *(kit.listen(at) for at in kit.everywhere()))


@lifecycle.case
async def do_not_mix(kit: NotifyKit) -> None:
    """A hint that is published before a close, or between close and open, is not delivered after a reopen."""
    before, between = kit.hint(), kit.hint()
    kit.near.publish([before])
    await kit.near.close()
    kit.near.publish([between])
    await kit.open(kit.near)
    receiver = kit.listen()
    await kit.settle()
    true(before not in receiver.received, "a hint was delivered that was published before the adapter was closed")
    true(between not in receiver.received, "a hint was delivered that was published while the adapter was closed")
