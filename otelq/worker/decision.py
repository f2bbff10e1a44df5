"""The outcome of an attempt, from the value or the exception of its handler."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from random import SystemRandom
from typing import Any

from ..client.start import successor
from ..definitions import Continue, check_continuation, is_continue
from ..logs import Log
from ..model import AttemptRecord, CancelReason, ClaimSuccessor, Completes, Continues, Fails, Outcome, Snoozes
from ..texts import message_of
from .attempt_report import FAILING, AttemptReport
from .context import WorkerContext
from .identity import Identity
from .outcomes import TIMED_OUT, failure_of, outcome_of_exception, outcome_of_undescribable
from .undecodable import outcome_of_undecodable

_RANDOM = SystemRandom()  # `random` belongs to the application, which may have seeded it

logger = Log("otelq.worker")

MAX_HOPS = 16
"""Jobs of one chain that a slot runs in a row before other chains get their turn."""


class Decision:
    """Decides the outcome of one attempt; starts the span of a continuation, and logs a failure."""

    __slots__ = ("_context", "_hops", "_identity", "_report")

    def __init__(self, identity: Identity, *, context: WorkerContext, report: AttemptReport, hops: int) -> None:
        self._identity = identity
        self._context = context
        self._report = report
        self._hops = hops

    def of_result(self, result: object) -> Outcome:
        """
        Return the outcome for what the handler returned.

        Raises:
            InvalidArgument: it cannot be stored.
        """
        if is_continue(result):
            return self._continues(result)
        job_type, chain_id = self._identity.definition.job_type, self._identity.job.lease.chain_id
        output = self._context.engine.encode_output(result, job_type, chain_id=chain_id, argument="return value")
        return Completes(output)

    def _continues(self, continuation: Continue[Any]) -> Continues:
        target, job = continuation.job_type, self._identity.job
        check_continuation(target, of=self._identity.definition.job_type, argument="continuation")
        payload = self._context.engine.encode_input(
            continuation.input, target, chain_id=job.lease.chain_id, argument="continuation"
        )
        trace = self._report.start_successor(type=target.name, queue=target.queue, delay=continuation.delay)
        following = successor(continuation, payload=payload, trace=trace, meta=job.meta)
        return Continues(following, self._claim_successor(continuation))

    def _claim_successor(self, continuation: Continue[Any]) -> ClaimSuccessor | None:
        """Ask to claim the successor in the same commit, if this worker may run it at once."""
        name = continuation.job_type.name
        if name in self._context.refused or self._context.stopping.is_set():
            return None
        definition = self._context.definitions.get(name)
        is_due_now = continuation.delay in (None, 0) and continuation.at is None and not continuation.blockers.ids
        if definition is None or not is_due_now or self._hops >= MAX_HOPS:
            return None
        if definition.concurrency is not None:
            return None  # it must not exceed the limit of its type, which only the fetcher checks
        return ClaimSuccessor(
            token=secrets.randbits(63), lease=definition.lease, timeout=self._context.lease_limit(definition)
        )

    def of_error(self, error: BaseException, reason: CancelReason | None) -> Outcome | None:
        """
        Return the outcome for an exception; None if the job is no longer this attempt's.

        It never raises: an attempt without an outcome would keep its lease until that runs out.
        """
        try:
            return self._outcome_of(error, reason)
        except BaseException:  # the exception is the handler's own class: its `__str__` or its cause may raise
            text = "%s raised an exception that cannot be described"
            logger.exception(text, self._identity, extra=self._identity.labels)
            definition, attempt = self._identity.definition, self._identity.job.attempt
            return outcome_of_undescribable(
                error, definition=definition, attempt=attempt, random_fraction=_RANDOM.random()
            )

    def of_undecodable(self, error: Exception, attempts: Sequence[AttemptRecord]) -> Snoozes | Fails:
        """Return the outcome where a payload does not decode: a snooze, or a failure after many; and log it."""
        limit, identity = self._context.undecodable_for, self._identity
        outcome = outcome_of_undecodable(
            failure_of(error),
            attempts,
            now=identity.job.claimed_at,
            limit=limit,
            random_fraction=_RANDOM.random(),
        )
        then = f"runs again in {outcome.delay:.1f} s" if isinstance(outcome, Snoozes) else f"gives up after {limit:g} s"
        text = "%s cannot decode a payload, and %s: %s"
        logger.warning(text, identity, then, message_of(error), extra=identity.labels)
        return outcome

    def _outcome_of(self, error: BaseException, reason: CancelReason | None) -> Outcome | None:
        definition, attempt = self._identity.definition, self._identity.job.attempt
        outcome = outcome_of_exception(
            error, definition=definition, attempt=attempt, reason=reason, random_fraction=_RANDOM.random()
        )
        if isinstance(outcome, FAILING):
            kind = TIMED_OUT if reason is CancelReason.TIMEOUT else outcome.failure.type
            self._report.record_failure(error, kind)
            logger.warning("%s failed: %s", self._identity, kind, exc_info=error, extra=self._identity.labels)
        return outcome
