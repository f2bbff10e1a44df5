"""One run of a worker: starts its loops, and stops them gracefully."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from ..logs import Log
from ..loop import Loop
from ..model import CancelReason
from ..ports.notify import Hint
from ..spawn import spawn
from ..uninterrupted import finish
from .completer import Completer
from .context import WorkerContext
from .executors import with_executors
from .fetcher import Fetcher
from .health import WorkerHealth
from .keeper import Keeper
from .reaper import Reaper
from .slots import Slots

logger = Log("otelq.worker")

LAST_WRITES = 5.0
"""Seconds beyond the grace that a stopping worker has to store its last outcomes."""


class WorkerRun:
    """One start and stop of a worker: its four loops and its slots."""

    def __init__(self, context: WorkerContext, *, on_fatal: Callable[[Exception], None]) -> None:
        self.context = context = with_executors(context)
        self.slots = Slots(context.concurrency)
        self.completer = Completer(context, on_fatal=on_fatal)
        self.fetcher = Fetcher(context, self.slots, self.completer, on_fatal=on_fatal)
        self.keeper = Keeper(context, self.slots, on_fatal=on_fatal)
        self.reaper = Reaper(context, self.slots, on_fatal=on_fatal)
        self._unsubscribe: Callable[[], None] | None = None
        # `context.stopping` says that `stop` was called, `context.drained` that it no longer waits for attempts.
        self._stop_was_cancelled = False
        """The task that called ``stop`` was cancelled, so no grace is left."""
        self._has_cancelled = False
        """The log has said that attempts were cancelled."""

    def start(self) -> None:
        self._unsubscribe = self.context.engine.notify.subscribe(self._on_hint)
        self.context.engine.telemetry.add_capacity(self.context.concurrency)
        self.context.engine.served.update(self.context.types)
        for definition in self.context.definitions.values():
            self.context.engine.telemetry.show_aliases(definition.job_type.aliases, of=definition.name)
        # The fetcher comes last: a job that it claims needs the loops that renew its lease and store its outcome.
        for loop in (self.completer, self.keeper, self.reaper, self.fetcher):
            loop.start()
        queues = f" of queue {', '.join(self.context.queues)}" if self.context.queues else ""
        logger.info("worker %s serves %s%s", self.context.name, ", ".join(self.context.types), queues)

    async def stop(self) -> None:
        """Stop claiming, wait for attempts, cancel the rest, store their outcomes, then end the loops; once."""
        if self.context.stopping.is_set():
            return
        self.context.stopping.set()
        if self._unsubscribe is not None:
            self._unsubscribe()
        for active in self.slots.active_jobs():
            active.scope.begin_stop()
        if self.slots.active_jobs():  # else the worker is removed from the registry in a moment
            self.keeper.wake()
        logger.info("worker %s stops; %d attempts are running", self.context.name, len(self.slots.active_jobs()))
        if self.context.graceless.is_set():
            self.cancel_all()
        # The shutdown runs in a task of its own. A cancel of the caller then shortens it, and does not break it off.
        shutdown = spawn(self._drain_and_close())
        try:
            await asyncio.wait([shutdown])
        except asyncio.CancelledError:
            self._stop_was_cancelled = True
            self.cancel_all()
            self.slots.notify_waiters()
            await finish(_wait_for(shutdown))
            raise
        await shutdown

    async def _drain_and_close(self) -> None:
        try:
            await self.fetcher.stop()
            await self._drain()
        finally:
            await self._close()

    async def _drain(self) -> None:
        """Wait for attempts within their grace, then cancel them; at once if the caller of ``stop`` is cancelled."""
        # Without a completer no outcome can be stored, and waiting for handlers gains nothing.
        grace = self.context.grace if self.completer.is_running else 0.0
        if await self.slots.wait_drained(timeout=grace, unless=lambda: self._stop_was_cancelled):
            return
        self.cancel_all()
        # A handler that ignores its cancel is abandoned after the grace, and its outcome is stored then. Outcomes that
        # the database does not accept in time are left to their leases.
        if await self.slots.wait_drained(timeout=grace + LAST_WRITES, unless=lambda: self._stop_was_cancelled):
            return
        if self._stop_was_cancelled:
            await self.slots.wait_drained(timeout=LAST_WRITES)

    async def _close(self) -> None:
        """Cancel the attempts that are left, and end threads, processes and loops."""
        # Set first: it ends the look-ups of lost commits, which would otherwise wait for the database for ever.
        self.context.drained.set()
        self.context.engine.served.subtract(self.context.served)
        self.cancel_all()
        self.context.threads.stop()
        await self.context.processes.stop()
        # The completer stops last, after the keeper: until then leases are renewed and outcomes can still be stored.
        await self.reaper.stop()
        await self.keeper.stop()
        await self.completer.stop()
        self.context.engine.telemetry.add_capacity(-self.context.concurrency)
        logger.info("worker %s has stopped; attempts: %s", self.context.name, _counts(self.context.ended))

    def health(self) -> WorkerHealth:
        """Return whether all loops do their work; called by any thread."""
        if self.keeper.main_is_stalled:
            return WorkerHealth(live=False, ready=False, problem="the event loop has stalled")
        if self.context.stopping.is_set():
            return WorkerHealth(ready=False, problem="it is stopping")
        loops: Mapping[str, Loop | Keeper] = {
            "fetcher": self.fetcher,
            "keeper": self.keeper,
            "completer": self.completer,
            "reaper": self.reaper,
        }
        for name, loop in loops.items():
            if loop.problem is not None:
                return WorkerHealth(ready=False, problem=f"{name}: {loop.problem}")
        return WorkerHealth()

    def skip_grace(self) -> None:
        """Cancel the running attempts as soon as the worker stops, and those that begin later."""
        self.context.graceless.set()
        if self.context.stopping.is_set():
            self.cancel_all()

    def cancel_all(self) -> None:
        """Cancel every running attempt, and those that begin later, by a claim that is on its way."""
        self.context.graceless.set()
        active_jobs = self.slots.active_jobs()
        if active_jobs and not self._has_cancelled:
            self._has_cancelled = True
            text = "worker %s cancels its attempts, and gives back their jobs; %d are running"
            logger.warning(text, self.context.name, len(active_jobs))
        for active in active_jobs:
            active.cancel(CancelReason.SHUTDOWN)

    def _on_hint(self, hint: Hint) -> None:
        self.fetcher.on_hint(hint)
        self.keeper.on_hint(hint)
        self.reaper.on_hint(hint)


def _counts(ended: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(ended.items())) or "none"


async def _wait_for(task: asyncio.Task[None]) -> None:
    """Wait until the task has ended, without its error."""
    await asyncio.wait([task])
