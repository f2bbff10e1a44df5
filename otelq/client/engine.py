"""What the rooms of one client share."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ..effects import Effects
from ..ports.notify import NotifyAdapter
from ..ports.state import StateAdapter, Transaction
from ..telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Engine:
    """The adapters of a client, its telemetry and what follows its commits. ``max_payload`` is in bytes."""

    state: StateAdapter
    notify: NotifyAdapter
    effects: Effects
    telemetry: Telemetry
    max_payload: int

    @asynccontextmanager
    async def transaction(self, kind: type | None = None) -> AsyncGenerator[Transaction]:
        """A transaction of the state adapter whose begin and end are silent in traces; what is inside is not."""
        manager = self.state.begin(kind)
        with self.telemetry.silence():
            transaction = await manager.__aenter__()
        try:
            yield transaction
        except BaseException:
            with self.telemetry.silence():
                await manager.__aexit__(*sys.exc_info())
            raise
        with self.telemetry.silence():
            await manager.__aexit__(None, None, None)
