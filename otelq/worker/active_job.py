"""A claimed job in this worker: it has a slot and a lease from its claim until its outcome is stored."""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import Protocol

from ..definitions import Definition
from ..logs import Log
from ..model import CancelReason, Claimed, Outcome, Settlement
from ..spawn import spawn
from ..telemetry import CounterName
from ..texts import lines
from .attempt import AttemptRunner
from .attempt_report import AttemptReport
from .attempt_scope import WorkerScope
from .attempt_timers import AttemptTimers
from .context import WorkerContext
from .identity import Identity
from .slots import Slots
from .stacks import stack_of, stack_of_thread

logger = Log("otelq.worker")


class Acknowledger(Protocol):
    """The part that stores the outcomes of attempts: the completer."""

    def add(self, active: ActiveJob, settlement: Settlement) -> None:
        """Queue a settlement; call ``acknowledged`` or ``lost`` of the job once the database has answered."""


class ActiveJob:
    """
    Runs the attempt of one claimed job in a task of its own, and cancels it if necessary.

    The slot is always freed: by ``acknowledged``, by ``lost``, or because the task ended without an outcome. A handler
    that ignores its cancel leaks the slot until it returns.
    """

    __slots__ = (
        "_abandoned", "_completer", "_context", "_identity", "_is_submitted", "_report", "_rollback", "_runner",
        "_slots", "_task", "_timers", "definition", "done", "hops", "job", "renewed_at", "scope",
    )  # fmt: skip

    def __init__(
        self, job: Claimed, *, context: WorkerContext, slots: Slots, completer: Acknowledger, hops: int = 0
    ) -> None:
        self.hops = hops
        self.done = False
        """True once the outcome is stored or discarded."""
        self.renewed_at = time.monotonic()
        """The monotonic time of the last successful claim or renewal; written by the keeper, in its thread."""
        self._context = context
        self._slots = slots
        self._completer = completer
        self.job = job
        self.definition: Definition = context.definitions[job.type]
        self.scope = WorkerScope(context, self.definition, started_at=self.renewed_at)
        self._identity = Identity(job, self.definition)
        self._report = AttemptReport(self._identity, context=context)
        self._runner = AttemptRunner(self._identity, context=context, scope=self.scope, report=self._report, hops=hops)
        self._timers = AttemptTimers(slots)
        self._is_submitted = False
        """The outcome is with the completer."""
        self._abandoned = False
        self._task: asyncio.Task[None]
        self._rollback: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        return str(self._identity)

    def age(self, now: float) -> float:
        """Return the age of the lease at this monotonic time, in lease lengths."""
        return (now - self.renewed_at) / self.definition.lease

    # From its claim to its outcome

    def begin(self) -> None:
        """Take a slot and start the task."""
        self._slots.take(self)
        self._context.engine.telemetry.add_active(self.definition.name, 1)
        # An empty context: a successor is begun from the completer or from another attempt, whose variables are not
        # its.
        self._task = spawn(self._attempt(), context=contextvars.Context())
        self._task.add_done_callback(self._on_task_done)
        self._timers.begin(self)
        if self._context.stopping.is_set() and self._context.graceless.is_set():
            self.cancel(CancelReason.SHUTDOWN)

    async def _attempt(self) -> None:
        try:
            outcome = await self._runner.run()
        finally:
            self._timers.end(self)
        if self._is_submitted:
            return  # abandoned meanwhile: its outcome was decided without the handler
        if self._runner.is_closed:
            return self.acknowledged(self._runner.successor)
        self._submit(outcome)

    def _submit(self, outcome: Outcome | None) -> None:
        self._report.stop_clock()
        if outcome is None:
            return self.lost(self.scope.cancel_reason or CancelReason.LEASE_LOST)
        self._is_submitted = True
        self._report.record_outcome(outcome)
        self._completer.add(self, self._runner.settlement(outcome))

    def replace_refused(self, outcome: Outcome, error: Exception) -> Settlement:
        """Return a settlement with this outcome in place of one that the database refused."""
        self._report.record_refusal(outcome, error)
        return self._runner.settlement(outcome)

    # Its end

    def acknowledged(self, successor: Claimed | None = None) -> None:
        """End an attempt whose outcome is stored; begin the successor if it was claimed with it."""
        self.done = True
        self._report.end_stored()
        # The successor takes the slot in the same turn of the event loop, so that no claim comes between.
        self._release_slot()
        if successor is not None:
            active = ActiveJob(
                successor, context=self._context, slots=self._slots, completer=self._completer, hops=self.hops + 1
            )
            active.begin()

    def lost(self, reason: CancelReason) -> None:
        """End an attempt whose lease is lost; its outcome is discarded."""
        self.done = True
        self.scope.cancel_reason = reason
        logger.warning("%s lost its job: %s", self, reason, extra=self._identity.labels)
        self._report.end_lost(reason)
        self._release_slot()

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """Free the slot if the task ended without an outcome; the lease runs out and a reaper takes the job."""
        if self.done or self._is_decided:
            return
        self.done = True
        error = None if task.cancelled() else task.exception()
        text = "%s ended without an outcome; its lease runs out"
        logger.error(text, self, exc_info=error, extra=self._identity.labels)
        self._release_slot()

    def _release_slot(self) -> None:
        self._context.engine.telemetry.add_active(self.definition.name, -1)
        if not self._abandoned:  # else the handler still runs; `_reclaim_slot` frees the slot when it returns
            self._slots.release(self)

    # Cancelling it

    @property
    def _is_decided(self) -> bool:
        """Return whether the outcome is with the completer or committed; a missing lease is then no lost one."""
        return self._is_submitted or self._runner.is_closed

    @property
    def _is_beyond_cancel(self) -> bool:
        return self._is_decided or self._runner.is_committing or self._task.done()

    def cancel(self, reason: CancelReason) -> None:
        """
        Set the reason, then cancel the handler's task. Do nothing once the outcome is decided or its commit has begun.

        The first reason counts, except that a lost or cancelled job replaces any other: its outcome is discarded.
        """
        if self._is_beyond_cancel:
            return
        if self.scope.cancel_reason is None or reason in (CancelReason.LEASE_LOST, CancelReason.CANCELLED):
            self.scope.cancel_reason = reason
        if not self._report.has_begun:
            # A task that is cancelled before its first step never runs, and would end without an outcome. It looks at
            # the reason itself when it begins.
            return
        # One cancel only: a second one could interrupt the handler while it cleans up after the first.
        if not self._timers.is_cancelled:
            self._task.cancel()
            self._timers.begin_grace(self._context.grace, self._abandon)

    def _abandon(self) -> None:
        """Abandon a handler that ignored its cancel for the grace: log it, roll back, and decide without it."""
        if self._is_beyond_cancel:
            return
        # The handler cannot be stopped, but it can store nothing more: its outcome is decided here, its completion is
        # rolled back, and its scope refuses further calls.
        self._abandoned = self.scope.abandoned = True
        self._slots.leak()
        self._context.engine.telemetry.count(CounterName.SLOT_LEAKED, type=self.definition.name)
        text = "%s ignores its cancel; abandoned\n%s"
        logger.error(text, self, lines(self._stack()), extra=self._identity.labels)
        self._task.add_done_callback(self._reclaim_slot)
        self._rollback = spawn(self._runner.roll_back(asyncio.CancelledError()))
        self._submit(self._runner.abandoned_outcome())
        self._is_submitted = True  # also where there was no outcome: the handler's own must not follow

    def _stack(self) -> str:
        thread = self.scope.thread_task.thread if self.scope.thread_task is not None else None
        return stack_of(self._task) + (stack_of_thread(thread) if thread is not None else "")

    def _reclaim_slot(self, _: asyncio.Task[None]) -> None:
        self._slots.leaked -= 1
        self._slots.release(self)
