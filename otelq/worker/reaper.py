"""Takes back the jobs of dead workers, expires jobs that did not start in time, and unblocks pending dependents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import SystemRandom
from typing import Final

from ..logs import Log
from ..loop import Loop
from ..model import ReapRule, Transition, Verb, job_id
from ..ports.notify import Hint, HintKind
from .context import WorkerContext
from .slots import Slots

_RANDOM = SystemRandom()  # `random` belongs to the application, which may have seeded it

LARGEST_REAP = 1_000
LONGEST_SLEEP: Final = 15.0
"""The longest time in seconds between two searches: a job that expires may be started meanwhile."""
JITTER: Final = 0.2
SOON: Final = 0.5
"""Seconds from the end of a chain to a search: one for all chains that close in that time."""
LOCKED_PAUSE: Final = 1.0
"""Seconds until the next search where all that was found is locked by others."""
LOGGED: Final = 10
"""Jobs that are logged one by one after a search; more of them are counted in one line."""

logger = Log("otelq.worker")


class Reaper(Loop):
    """
    Searches for leases that ran out, except those of running attempts of this worker, and for other things left over.

    Without a ``reap_interval`` it sleeps until the earliest lease or deadline in the database. A lease that another
    worker takes meanwhile ends no earlier than the shortest lease from now, so it never sleeps longer than that.
    """

    def __init__(self, context: WorkerContext, slots: Slots, *, on_fatal: Callable[[Exception], None]) -> None:
        super().__init__("reaper", on_fatal=on_fatal, outage=context.outage)
        self._context = context
        self._slots = slots
        self._rules = [
            ReapRule(type=name, max_attempts=definition.retry.max_attempts, max_crashes=context.max_crashes)
            for name, definition in context.definitions.items()
        ]
        self._wake_soon: asyncio.TimerHandle | None = None
        self._shortest_lease = min(definition.lease for definition in context.definitions.values())

    def on_hint(self, hint: Hint) -> None:
        """Search soon after a chain closed: two blockers of a job that close at once may leave it pending."""
        if hint.kind is HintKind.CLOSED and self._context.reap_interval is None and self._wake_soon is None:
            self._wake_soon = asyncio.get_running_loop().call_later(SOON, self.wake)

    async def tick(self) -> float:
        """Do what is due, and return the seconds until the next search."""
        self._wake_soon = None
        interval = self._context.reap_interval
        if interval is None and (left := await self._seconds_left()) > 0:
            return left
        if await self._reap():
            return 0.0
        # Jittered, so that the workers of a fleet do not search all at the same time.
        return (LOCKED_PAUSE if interval is None else interval) * _RANDOM.uniform(0.75, 1.0)

    async def _seconds_left(self) -> float:
        engine, longest = self._context.engine, min(LONGEST_SLEEP, self._shortest_lease)
        with engine.telemetry.silence():
            found = await engine.state.next_maintenance(self._context.types, except_tokens=self._own_tokens())
        if found == 0:
            return 0.0
        # Jittered: all workers of a fleet wake for the same lease, and the first of them takes what there is.
        return min(longest, longest if found is None else found) + _RANDOM.uniform(0.0, JITTER)

    def _own_tokens(self) -> set[int]:
        # An attempt that runs here with an overdue lease is no crash. The keeper renews it, or finds out that it is
        # lost.
        return {active.job.lease.token for active in self._slots.active_jobs()}

    async def _reap(self) -> bool:
        """Reap, expire and unblock one batch each; return True if there may be more."""
        engine = self._context.engine
        with engine.effects.resolve_lost_commit(), engine.telemetry.silence():
            reaped = await engine.state.reap(self._rules, except_tokens=self._own_tokens(), limit=LARGEST_REAP)
            engine.effects.follow(reaped)
            _log_reaped([one for one in reaped if one.verb is Verb.REAP])
            expired = await engine.state.expire(limit=LARGEST_REAP)
            engine.effects.follow(expired)
            unblocked = await engine.state.unblock_pending()
            engine.effects.follow(unblocked)
        return max(len(reaped), len(expired)) >= LARGEST_REAP or bool(unblocked)


def _log_reaped(reaped: Sequence[Transition]) -> None:
    for one in reaped[:LOGGED]:
        logger.warning(
            "%s %s was taken from worker %s, whose lease ran out; it is %s now",
            one.type,
            job_id(one.chain_id, one.position),
            one.worker,
            one.target,
            extra={"otelq.chain.id": one.chain_id, "otelq.job.type": one.type, "otelq.job.attempt": one.attempt},
        )
    if len(reaped) > LOGGED:
        logger.warning("%d more jobs were taken from workers whose leases ran out", len(reaped) - LOGGED)
