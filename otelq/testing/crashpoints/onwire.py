"""
PostgreSQL: verbs are interrupted on the wire, by a proxy between the adapter and the server.

A process that dies is to the server a connection that ends without a further word, whatever has become of its replies.
So the verb is made in this process: after the statement the server loses its client, and the client, for which no time
passes any more, hears nothing; it is let go when the work was carried on, and can reach nobody then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from ...ports.state import StateAdapter
from ...postgres import adapter
from ..wire import LossyProxy, Said
from .points import Counting, Fault, Point
from .scenario import Heard, Play, perform
from .stages import Trace


class WireStage:
    """A PostgreSQL database that is reached without encryption."""

    faults = (Fault.UNSENT, Fault.UNANSWERED, Fault.KILLED)

    def __init__(self, url: str, *, schema: str) -> None:
        self._url = url
        self.schema = schema
        self.ledger = f'"{schema}".crashpoints_ledger'

    def adapter(self) -> StateAdapter:
        return adapter(self._url, schema=self.schema)

    @asynccontextmanager
    async def perform(self, play: Play, point: Point | None) -> AsyncGenerator[Trace]:
        counting = Counting(point)
        async with LossyProxy(self._url) as proxy:
            state = adapter(proxy.url, schema=self.schema, command_timeout=600)
            await state.open(migrate=False)
            _arm(proxy, point, counting)
            verb = asyncio.create_task(perform(play, state))
            heard = await _answer(verb, proxy)
            yield Trace(statements=counting.said, heard=heard, problem=counting.problem)
            if heard is not None:
                await state.close()
        await asyncio.wait([verb])
        await state.close()


def _arm(proxy: LossyProxy, point: Point | None, counting: Counting) -> None:
    def which(said: Said) -> bool:
        return not any(mark in said[-1] for mark in _OF_THE_DRIVER) and counting.hear(said[-1])

    match point.fault if point else None:
        case Fault.UNANSWERED:
            proxy.lose(which)
        case Fault.KILLED:
            proxy.freeze_after(which)
        case _:
            proxy.cut_before(which)


_OF_THE_DRIVER: Final = ("typeinfo_tree", "'jit'")
"""In what the driver asks about types before a statement of ours: nothing has happened then that had not before."""


async def _answer(verb: asyncio.Task[Heard], proxy: LossyProxy) -> Heard | None:
    """What the verb came to; None if its maker is frozen."""
    frozen = asyncio.create_task(proxy.frozen.wait())
    await asyncio.wait([verb, frozen], return_when=asyncio.FIRST_COMPLETED)
    frozen.cancel()
    return verb.result() if verb.done() else None
