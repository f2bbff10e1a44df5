"""Closes a job in the transaction that holds what its handler wrote, so that both are there or neither is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ..errors import JobAlreadyClosed, LeaseLost, NotFound, Unavailable
from ..model import CancelReason, Claimed, Settled, Settlement, SettleResult, Status, Transition, Verb
from .attempt_scope import WorkerScope
from .context import WorkerContext
from .outcomes import reason_of

LOOK_UP_PAUSE = 0.25
"""Seconds between two tries to ask whether a commit whose reply was lost was made."""

HANDLER_ENDS: Mapping[Verb, str] = {
    Verb.CANCEL: "cancelled",
    Verb.COMPLETE_EXTERNALLY: "completed",
    Verb.TAKE_OVER: "released",
    Verb.DELETE: "deleted",
}
"""What telemetry calls an attempt whose handler ended the job itself."""


class CompletionTransaction:
    """The end of one attempt whose handler opened ``attempt.completion()``."""

    def __init__(self, job: Claimed, *, context: WorkerContext, scope: WorkerScope) -> None:
        self._job = job
        self._context = context
        self._engine = context.engine
        self._scope = scope

    async def end_by_handler(self) -> Transition | None:
        """
        Return how the handler itself ended its job in this transaction, if it did.

        What a client wrote says so, the transaction itself whether it still stands (a savepoint may have been rolled
        back), and the committed state whether the lease was the attempt's until then.
        """
        end = next((one for one in self._engine.effects.undecided() if self._ends_this_job(one)), None)
        if end is None or await self._sees_job_running() or await self._has_ended():
            return None
        return end

    def _ends_this_job(self, transition: Transition) -> bool:
        job = self._job
        return (
            (transition.chain_id, transition.position) == (job.lease.chain_id, job.lease.position)
            and transition.source is Status.RUNNING
            and transition.verb in HANDLER_ENDS
            and (transition.attempt, transition.created_at) == (job.attempt, job.created_at)
        )

    async def _sees_job_running(self) -> bool:
        """Whether the transaction itself sees the job run."""
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
        Store the outcome beside the handler's writes; return how the handler ended the job itself, if it did.

        Raises:
            LeaseLost: the job is no longer this attempt's.
        """
        with self._engine.telemetry.silence():
            settled = await self._engine.state.settle([settlement], tx=self._scope.completion_tx)
        [result] = settled.results
        if result is SettleResult.DONE:
            return settled
        if end := await self.end_by_handler():
            return end
        raise self.lost(reason_of(result))

    def lost(self, reason: CancelReason) -> LeaseLost:
        """Return the error that rolls everything back, once the reason is noted."""
        self._scope.cancel_reason = reason
        return LeaseLost("the job is no longer this attempt's; what its handler wrote is rolled back")

    async def commit(self) -> None:
        """Commit; if the connection dies meanwhile, look whether the commit was made."""
        try:
            await self._scope.commit()
        except Unavailable:
            if not await self._was_committed():
                raise

    async def _was_committed(self) -> bool:
        """Look the attempt up until the database answers; a worker that has stopped asks no more."""
        while True:
            try:
                return await self._has_ended()
            except Unavailable:
                if self._context.stopped.is_set():
                    raise
                await asyncio.sleep(LOOK_UP_PAUSE)

    async def _has_ended(self) -> bool:
        """Whether the attempt is among those that ended, for a connection that does not see the transaction."""
        lease = self._job.lease
        with self._engine.telemetry.silence():
            attempts = await self._engine.state.attempts(lease.chain_id, lease.position)
        return any(attempt.token == lease.token for attempt in attempts)
