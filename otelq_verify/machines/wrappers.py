"""Wrappers of a real adapter under a worker: with a clock that the machine moves, and with an observing model."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from otelq.model import Claimed, ClaimRequest, Settled, Settlement, Transition, Verb
from otelq.ports.state import StateAdapter

from ..model.slots import SlotModel

Method = Callable[..., Awaitable[Any]]


def on_the_clock_of(model: SlotModel, adapter: StateAdapter) -> StateAdapter:
    """Return the adapter, with the model's time in its verbs and those of its siblings."""
    for name, verb in inspect.getmembers(StateAdapter, inspect.iscoroutinefunction):
        if "now" in inspect.signature(verb).parameters:
            setattr(adapter, name, _timed(getattr(adapter, name), model))
    # The worker renews leases by a sibling in another thread, which must have the same time.
    sibling = adapter.sibling

    def timed_sibling() -> StateAdapter | None:
        other = sibling()
        return None if other is None else on_the_clock_of(model, other)

    setattr(adapter, "sibling", timed_sibling)  # noqa: B010  # a method of this one object
    return adapter


def observed_by(model: SlotModel, adapter: StateAdapter, *, seen: Counter[Verb]) -> StateAdapter:
    """Return the adapter, which reports claims and settlements to the model; ``seen`` counts its verbs."""
    claim, settle = adapter.claim, adapter.settle
    settling: set[asyncio.Future[Settled]] = set()

    async def observed_claim(
        wanted: Sequence[ClaimRequest], *, include_suspect: bool = True, **call: Any
    ) -> tuple[Sequence[Claimed], Sequence[Transition]]:
        model.claim_requested(wanted, suspect=include_suspect)
        claimed, made = await claim(wanted, include_suspect=include_suspect, **call)
        seen.update(one.verb for one in made)
        if settling:  # a claim may get what a settlement has just unblocked before the reply to that settlement is read
            await asyncio.wait(settling)
        for job in claimed:
            model.granted(job)
        return claimed, made

    async def observed_settle(settlements: Sequence[Settlement], **call: Any) -> Settled:
        reply = asyncio.ensure_future(settle(settlements, **call))
        settling.add(reply)
        try:
            settled = await reply
        finally:
            settling.discard(reply)
        seen.update(one.verb for one in settled.transitions)
        for settlement, verdict in zip(settlements, settled.results, strict=True):
            hops = model.settled(settlement, verdict)
            if (kept := settled.claimed_successors.get(settlement.job.lease.chain_id)) is not None:
                model.granted(kept, hops=hops + 1)
        return settled

    setattr(adapter, "claim", observed_claim)  # noqa: B010  # as above
    setattr(adapter, "settle", observed_settle)  # noqa: B010  # as above
    return adapter


def _timed(verb: Method, model: SlotModel) -> Method:
    async def ask(*args: Any, **kwargs: Any) -> Any:
        return await verb(*args, **{"now": model.now, **kwargs})

    return ask
