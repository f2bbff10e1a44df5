"""Peers: hints reach the other adapters of the same server; for adapters whose ``is_shared`` says so."""

from __future__ import annotations

from ..cases import Theme
from ..kit import true
from ..notify_kit import NotifyKit

peers = Theme[NotifyKit]("peers")


@peers.case
async def reaches_the_other(kit: NotifyKit) -> None:
    """A hint reaches the subscribers of another adapter of the server, from each to each."""
    near, far = kit.listen(kit.near), kit.listen(kit.far)
    await kit.arrive([kit.hint()], far, by=kit.near)
    await kit.arrive([kit.hint()], near, by=kit.far)


@peers.case
async def reaches_itself(kit: NotifyKit) -> None:
    """A publisher receives its own hints too, with and without other adapters on the server."""
    near, far = kit.listen(kit.near), kit.listen(kit.far)
    await kit.arrive([kit.hint()], near, by=kit.near)
    await kit.arrive([kit.hint()], far, by=kit.far)
    await kit.far.close()
    await kit.arrive([kit.hint()], near, by=kit.near)


@peers.case
async def reaches_many(kit: NotifyKit) -> None:
    """A hint reaches every one of many adapters of the server."""
    adapters = [kit.make() for _ in range(10)]
    await kit.open(*adapters)
    await kit.arrive([kit.hint()], *(kit.listen(at) for at in adapters))


@peers.case
async def goes_on_when_one_leaves(kit: NotifyKit) -> None:
    """When one adapter is closed, the others go on."""
    third = kit.make()
    await kit.open(third)
    receiver = kit.listen(third)
    await kit.arrive([kit.hint()], receiver)
    await kit.far.close()
    await kit.arrive([kit.hint()], receiver)


@peers.case
async def includes_an_adapter_that_opens_late(kit: NotifyKit) -> None:
    """An adapter that is opened later receives hints published from then on, and none from before."""
    early, late = kit.hint(), kit.make()
    await kit.arrive([early], kit.listen(kit.far))
    await kit.open(late)
    receiver = kit.listen(late)
    await kit.settle(late)
    await kit.arrive([kit.hint()], receiver)
    true(early not in receiver.received, "a hint was delivered that was published before the adapter was opened")


@peers.case
async def does_not_reach_a_closed_adapter(kit: NotifyKit) -> None:
    """A closed adapter does not deliver hints of the others."""
    receiver, witness, hint = kit.listen(kit.far), kit.listen(kit.near), kit.hint()
    await kit.far.close()
    await kit.arrive([hint], witness)
    await kit.settle(kit.near)
    true(hint not in receiver.received, "a closed adapter delivered a hint")


@peers.case
async def harms_no_other(kit: NotifyKit) -> None:
    """A receiver that raises in one adapter harms none in another."""

    def fail(_: object) -> None:
        raise ValueError("raised by a receiver on purpose")

    bad, good = kit.listen(kit.near, also=fail), kit.listen(kit.far)
    await kit.arrive([kit.hint(), kit.hint()], bad, good)
