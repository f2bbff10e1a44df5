"""Closes a job in the transaction that holds the writes of its handler, so that both commit or neither does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ..errors import JobAlreadyClosed, LeaseLost, NotFound, Unavailable
from ..model import CancelReason, Claimed, Settled, Settlement, SettleResult, Status, Transition, Verb
from .attempt_scope import WorkerScope
from .context import WorkerContext
from .outcomes import reason_of

LOOK_UP_PAUSE = 0.25
"""Seconds between two look-ups of a commit whose reply was lost."""

HANDLER_ENDS: Mapping[Verb, str] = {
    Verb.CANCEL: "cancelled",
    Verb.COMPLETE_EXTERNALLY: "completed",
    Verb.TAKE_OVER: "released",
    Verb.DELETE: "deleted",
}
"""The verbs with which a handler can end its own job, and the outcome that telemetry shows for each."""


class CompletionTransaction:
    """Settles one attempt whose handler opened ``attempt.completion()``, and commits."""

    def __init__(self, job: Claimed, *, context: WorkerContext, scope: WorkerScope) -> None:
        self._job = job
        self._context = context
        self._engine = context.engine
        self._scope = scope

    async def end_by_handler(self) -> Transition | None:
        """
        Return the transition with which the handler ended its own job in this transaction; None if it did not.

        Three sources must agree. The uncommitted transitions of the client name the end. The transaction no longer sees
        the job run: else the end was in a savepoint that was rolled back. The committed state does not show the attempt
        as ended: else another process ended it first.
        """
        end = next((one for one in self._engine.effects.undecided() if self._ends_this_job(one)), None)
        if end is None or await self._sees_job_running() or await self._has_ended():
            return None
        return end

    def _ends_this_job(self, transition: Transition) -> bool:
        job = self._job
        # Chain and position alone would also match a job that was redriven meanwhile.
        return (
            (transition.chain_id, transition.position) == (job.lease.chain_id, job.lease.position)
            and transition.source is Status.RUNNING
            and transition.verb in HANDLER_ENDS
            and (transition.attempt, transition.created_at) == (job.attempt, job.created_at)
        )

    async def _sees_job_running(self) -> bool:
        """Return whether this transaction still sees the job as running."""
        assert self._scope.completion_tx is not None
        lease = self._job.lease
        try:
            with self._engine.telemetry.silence():
                [job_now] = await self._engine.state.lock([lease.chain_id], tx=self._scope.completion_tx)
        except (NotFound, JobAlreadyClosed):
            return False
        return job_now.position == lease.position and job_now.status is Status.RUNNING

    async def settle(self, settlement: Settlement) -> Settled | Transition:
        """
        Settle the outcome in the handler's transaction; return a transition instead if the handler ended the job.

        Raises:
            LeaseLost: the job is no longer this attempt's.
        """
        with self._engine.telemetry.silence():
            settled = await self._engine.state.settle([settlement], tx=self._scope.completion_tx)
        [result] = settled.results
        if result is SettleResult.DONE:
            return settled
        # No lease is found. Either the handler itself ended the job in this transaction, or another process took it.
        if end := await self.end_by_handler():
            return end
        raise self.lost(reason_of(result))

    def lost(self, reason: CancelReason) -> LeaseLost:
        """Record why the job was lost; return the error that rolls the transaction back."""
        self._scope.cancel_reason = reason
        return LeaseLost("the job is no longer this attempt's; what its handler wrote is rolled back")

    async def commit(self) -> None:
        """Commit; if the connection breaks meanwhile, look up whether the commit succeeded."""
        try:
            await self._scope.commit()
        except Unavailable:
            # The server may have committed although the reply was lost. A retry would then run the handler twice.
            if not await self._was_committed():
                raise

    async def _was_committed(self) -> bool:
        """Look the attempt up until the database answers or the worker has stopped."""
        while True:
            try:
                return await self._has_ended()
            except Unavailable:
                if self._context.drained.is_set():
                    raise
                await asyncio.sleep(LOOK_UP_PAUSE)

    async def _has_ended(self) -> bool:
        """Return whether the committed history has an ended attempt with this token."""
        lease = self._job.lease
        with self._engine.telemetry.silence():
            # Outside the transaction, whose own writes it must not see.
            attempts = await self._engine.state.attempts(lease.chain_id, lease.position)
        return any(attempt.token == lease.token for attempt in attempts)
