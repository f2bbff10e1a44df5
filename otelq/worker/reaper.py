"""Takes back the jobs of workers that died, drops those not started in time, works off what closing chains left."""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom

from ..loop import Loop
from ..model import ReapRule
from .context import WorkerContext
from .slots import Slots

_CHANCE = SystemRandom()  # the numbers of `random` are the application's, which may have seeded it

LARGEST_REAP = 1_000


class Reaper(Loop):
    """Looks every ``reap_interval`` for leases that ran out; spares those that live in this process."""

    def __init__(self, crew: WorkerContext, slots: Slots, *, on_fatal: Callable[[Exception], None]) -> None:
        super().__init__("reaper", on_fatal=on_fatal)
        self._crew = crew
        self._slots = slots
        self._rules = [
            ReapRule(type=name, max_attempts=definition.retry.max_attempts, max_crashes=crew.max_crashes)
            for name, definition in crew.definitions.items()
        ]

    async def tick(self) -> float:
        """Reap, drop and mop up one batch each; come back at once while there is more."""
        engine = self._crew.engine
        own = {run.job.lease.token for run in self._slots.runs()}
        with engine.effects.resolve_lost_commit(), engine.telemetry.silence():
            reaped = await engine.state.reap(self._rules, except_tokens=own, limit=LARGEST_REAP)
            engine.effects.follow(reaped)
            expired = await engine.state.expire(limit=LARGEST_REAP)
            engine.effects.follow(expired)
            mopped = await engine.state.unblock_pending()
            engine.effects.follow(mopped)
        if max(len(reaped), len(expired)) >= LARGEST_REAP or mopped:
            return 0.0
        return self._crew.reap_interval * _CHANCE.uniform(0.75, 1.0)
