"""
PostgreSQL: verbs are interrupted on the wire, by a proxy between the adapter and the server.

To the server a killed process is a connection that ends without a message, wherever its replies went. So the verb is
made in this process: after the statement the server sees a disconnect, and the client sees nothing, as if it were
frozen. The client ends when the work was carried on, and cannot reach the server any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from otelq.ports.state import StateAdapter
from otelq.postgres import adapter

from ..drivers import POSTGRES, application
from ..wire import LossyProxy, SentStatements
from .canceller import Canceller
from .points import CANCELS, Counting, Interruption, Point
from .scenario_kit import ArrangedScenario, VerbResult, perform
from .stages import StatementTrace


class WireStage:
    """A PostgreSQL database that is reached without encryption."""

    faults = (Interruption.UNSENT, Interruption.UNANSWERED, Interruption.KILLED, *CANCELS)

    def __init__(self, url: str, *, schema: str, driver: str | None = None) -> None:
        self._url = url
        self._driver = driver or POSTGRES[0]
        self.schema = schema
        self.ledger = f'"{schema}".crashpoints_ledger'

    def adapter(self) -> StateAdapter:
        return adapter(self._url, schema=self.schema)

    @asynccontextmanager
    async def perform(self, play: ArrangedScenario, point: Point | None) -> AsyncGenerator[StatementTrace]:
        fault = point.fault if point else None
        counting, canceller = Counting(point), Canceller(fault)
        async with AsyncExitStack() as stack:
            async with LossyProxy(self._url) as proxy:
                app = await stack.enter_async_context(application(proxy.url, self._driver, size=CONNECTIONS))
                state = adapter(app.target, schema=self.schema, command_timeout=600)
                await state.open(migrate=False)
                problems = await app.faults()  # opens them all: what drivers ask of a new connection is not ours
                _arm(proxy, fault, counting, canceller)
                verb = asyncio.create_task(perform(play, state, app, canceller))
                result = await _answer(verb, proxy)
                if fault in CANCELS:
                    problems += await app.faults()
                yield StatementTrace(
                    statements=counting.sent, result=result, problem="; ".join([*counting.problems, *problems])
                )
                if result is not None:
                    await state.close()
            verb.cancel()  # of the frozen client; a pool would try to connect for as long as its statements have
            await asyncio.wait([verb])
            await state.close()


CONNECTIONS: Final = 4
"""Connections of the application's pool or engine: one for each open transaction of a scenario, and two for verbs."""


def _arm(proxy: LossyProxy, fault: Interruption | None, counting: Counting, canceller: Canceller) -> None:
    def which(sent: SentStatements) -> bool:
        return not any(mark in sent[-1] for mark in _OF_THE_DRIVER) and counting.is_at(sent[-1])

    def strikes(sent: SentStatements) -> bool:
        if which(sent):
            canceller.strike()
        return False  # the statement goes its way

    match fault:
        case Interruption.UNANSWERED:
            proxy.lose(which)
        case Interruption.KILLED:
            proxy.freeze_after(which)
        case Interruption.CANCELLED | Interruption.SCOPED:
            proxy.cut_before(strikes)
        case _:
            proxy.cut_before(which)


_OF_THE_DRIVER: Final = ("typeinfo_tree", "'jit'")
"""In what the driver asks about types before a statement of ours: nothing has happened then that had not before."""


async def _answer(verb: asyncio.Task[VerbResult], proxy: LossyProxy) -> VerbResult | None:
    """Return the result of the verb; None if its client is frozen."""
    frozen = asyncio.create_task(proxy.frozen.wait())
    await asyncio.wait([verb, frozen], return_when=asyncio.FIRST_COMPLETED)
    frozen.cancel()
    return verb.result() if verb.done() else None
