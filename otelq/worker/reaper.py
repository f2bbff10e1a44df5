"""Takes back the jobs of dead workers, expires jobs that did not start in time, and unblocks pending dependents."""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom

from ..loop import Loop
from ..model import ReapRule
from .context import WorkerContext
from .slots import Slots

_RANDOM = SystemRandom()  # `random` belongs to the application, which may have seeded it

LARGEST_REAP = 1_000


class Reaper(Loop):
    """Searches every ``reap_interval`` for leases that ran out, except those of running attempts of this worker."""

    def __init__(self, context: WorkerContext, slots: Slots, *, on_fatal: Callable[[Exception], None]) -> None:
        super().__init__("reaper", on_fatal=on_fatal)
        self._context = context
        self._slots = slots
        self._rules = [
            ReapRule(type=name, max_attempts=definition.retry.max_attempts, max_crashes=context.max_crashes)
            for name, definition in context.definitions.items()
        ]

    async def tick(self) -> float:
        """Reap, expire and unblock one batch each; return 0 if there may be more."""
        engine = self._context.engine
        # An attempt that runs here with an overdue lease is no crash. The keeper renews it, or finds out that it is
        # lost.
        own_tokens = {active.job.lease.token for active in self._slots.active_jobs()}
        with engine.effects.resolve_lost_commit(), engine.telemetry.silence():
            reaped = await engine.state.reap(self._rules, except_tokens=own_tokens, limit=LARGEST_REAP)
            engine.effects.follow(reaped)
            expired = await engine.state.expire(limit=LARGEST_REAP)
            engine.effects.follow(expired)
            unblocked = await engine.state.unblock_pending()
            engine.effects.follow(unblocked)
        if max(len(reaped), len(expired)) >= LARGEST_REAP or unblocked:
            return 0.0
        # Jittered, so that the workers of a fleet do not search all at the same time.
        return self._context.reap_interval * _RANDOM.uniform(0.75, 1.0)
