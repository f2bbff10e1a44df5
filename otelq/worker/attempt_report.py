"""The telemetry of one attempt: its span, its duration, its outcome, and the span of its successor."""

from __future__ import annotations

import time

from ..model import CancelReason, Completes, Fails, Outcome, Retries, Verb
from ..telemetry import Activation, AttemptSpan, CounterName, Enqueue
from ..transitions.outcomes import failure_of
from .context import WorkerContext
from .identity import Identity
from .outcomes import outcome_name

FAILING = (Retries, Fails)
"""Outcomes that hold a failure."""


class AttemptReport:
    """
    Reports one attempt to telemetry, which never raises.

    The spans end with ``end_stored`` or ``end_lost``, not when the handler returns: they say what was committed.
    """

    __slots__ = ("_context", "_ended_ns", "_enqueue", "_identity", "_outcome", "_seconds", "_span", "_started")

    def __init__(self, identity: Identity, *, context: WorkerContext) -> None:
        self._context = context
        self._identity = identity
        self._enqueue: Enqueue | None = None
        self._outcome = ""
        self._span: AttemptSpan
        self._started: float | None = None
        self._ended_ns = 0
        self._seconds = 0.0

    @property
    def has_begun(self) -> bool:
        """Return whether the attempt has a span."""
        return self._started is not None

    def begin(self) -> Activation:
        """Open the span; return a context manager that makes it current."""
        self._started = time.perf_counter()
        self._span = self._context.engine.telemetry.attempt(
            self._identity.job, worker=self._context.name, mode=self._identity.definition.job_type.trace
        )
        return self._span.activate()

    @property
    def stored_context(self) -> str | None:
        """Return the trace context to store with the outcome, so that the next attempt can link to this one."""
        return self._span.stored_context

    def stop_clock(self) -> None:
        """Record the time at which the handler returned; storing the outcome is not part of its duration."""
        self._ended_ns = time.time_ns()
        self._seconds = time.perf_counter() - (self._started or 0.0)

    # The successor

    def start_successor(self, *, type: str, queue: str, delay: float | None) -> str | None:
        """Open the span of the successor; return the trace context to store with it."""
        position = self._identity.job.lease.position + 1
        self._enqueue = self._span.start_successor(type=type, queue=queue, position=position, delay=delay)
        return self._enqueue.stored_context

    def drop_successor(self) -> None:
        """Drop the span of the successor, which will not be stored."""
        enqueue, self._enqueue = self._enqueue, None
        if enqueue is not None:
            enqueue.drop()

    # The outcome

    def record_failure(self, error: BaseException, kind: str | None) -> None:
        """Record the error on the span."""
        self._span.record_failure(error, kind)

    def record_outcome(self, outcome: Outcome) -> None:
        """Measure the attempt, by its outcome."""
        failure = failure_of(outcome)
        self.record_outcome_name(outcome_name(outcome), failure=None if failure is None else failure.type)

    def record_outcome_name(self, name: str, *, failure: str | None = None) -> None:
        """Measure the attempt under this name of an outcome."""
        self._outcome = name
        self._context.engine.telemetry.record_attempt(
            self._identity.definition.name, self._seconds, name, failure, context=self._span.exemplar
        )

    def record_refusal(self, outcome: Outcome, error: Exception) -> None:
        """Record on the span that this outcome replaces one that the database refused."""
        self.drop_successor()
        self.record_failure(error, outcome.failure.type if isinstance(outcome, FAILING) else None)
        self._outcome = outcome_name(outcome)

    # The end

    def record_settlement(self, outcome: Outcome) -> None:
        """Record the settlement of an outcome that was stored in the handler's transaction."""
        self._context.engine.telemetry.record_settlement(
            Verb.COMPLETE if isinstance(outcome, Completes) else Verb.CONTINUE,
            [self.stored_context],
            started_ns=self._ended_ns,
            ended_ns=time.time_ns(),
            count=1,
            type=self._identity.definition.name,
        )

    def end_stored(self) -> None:
        """Count the attempt and end its spans, once the outcome is committed."""
        self._context.ended[self._outcome] += 1
        if self._enqueue is not None:
            self._enqueue.end()
        self._span.end(self._outcome, self._ended_ns)

    def end_lost(self, reason: CancelReason) -> None:
        """Count an attempt whose outcome is discarded, and end its span."""
        self._context.ended["lost"] += 1
        self.drop_successor()
        if reason is CancelReason.LEASE_LOST:
            self._context.engine.telemetry.count(CounterName.LEASE_LOST, type=self._identity.definition.name)
        self._span.end_lost(reason)
