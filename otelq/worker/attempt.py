"""One attempt of one job: decode the input, run the handler, decide on the outcome, store it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ..definitions import Attempt, Snooze
from ..errors import ProcessFailed, Unavailable, UndecodablePayload
from ..logs import Log
from ..model import (
    AttemptRecord,
    CancelReason,
    Claimed,
    Fails,
    Outcome,
    Releases,
    Settled,
    Settlement,
    Snoozes,
    Transition,
    read_meta,
)
from ..uninterrupted import finish
from .attempt_report import AttemptReport
from .attempt_scope import WorkerScope
from .completion_transaction import HANDLER_ENDS, LOOK_UP_PAUSE, CompletionTransaction
from .context import WorkerContext
from .decision import Decision
from .identity import Identity
from .outcomes import unwrap_group
from .undecodable import UNDECODABLE, NotDecodedYet

logger = Log("otelq.worker")


class AttemptRunner:
    """
    Runs one attempt, in a task whose context has its span and baggage and nothing else.

    ``scope.cancel_reason`` is set before otelq cancels the task. A cancel without a reason is an error of the handler.
    """

    __slots__ = (
        "_completion", "_context", "_decision", "_identity", "_report", "is_closed", "is_committing", "scope",
        "successor",
    )  # fmt: skip

    def __init__(
        self, identity: Identity, *, context: WorkerContext, scope: WorkerScope, report: AttemptReport, hops: int
    ) -> None:
        self.scope = scope
        self.is_committing = False
        """The completion transaction is being settled and committed; no cancel interrupts that."""
        self.is_closed = False
        """The outcome is committed, in the transaction of ``attempt.completion()``."""
        self.successor: Claimed | None = None
        """The next job of the chain, if it was claimed together with that commit."""
        self._identity = identity
        self._context = context
        self._report = report
        self._decision = Decision(identity, context=context, report=report, hops=hops)
        self._completion: CompletionTransaction | None = None

    async def run(self) -> Outcome | None:
        """Return the outcome for the completer; None if it is stored already, or if the job was lost."""
        span = self._report.begin()
        try:
            with span:
                attempt = await self._decode()
                if not isinstance(attempt, Attempt):
                    return attempt
                result = await self._call(attempt)
                outcome = await self._decide(result)
                return await self._store(outcome)
        except KeyboardInterrupt as interrupt:
            return await self._interrupted(interrupt)
        except BaseException as error:
            return await self._fail(error)
        finally:
            self.scope.end()

    # Decode

    async def _decode(self) -> Attempt[Any] | Outcome:
        if self.scope.cancel_reason is not None:
            raise asyncio.CancelledError
        job, lease = self._identity.job, self._identity.job.lease
        if job.type in self._context.refused:
            return Releases()  # claimed before the type was refused
        try:
            input = self._context.engine.decode_input(
                job.input, self._identity.definition.job_type, chain_id=lease.chain_id
            )
        except UndecodablePayload as error:
            return await self._of_undecodable(error)
        if job.blockers:
            await self._read_blockers()
        return Attempt(
            input,
            type=self._identity.definition.name,
            number=job.attempt,
            chain_id=lease.chain_id,
            job_id=self._identity.job_id,
            token=lease.token,
            meta=read_meta(job.meta),
            scope=self.scope,
        )

    async def _of_undecodable(self, error: Exception) -> Snoozes | Fails:
        """Return a snooze, or a failure if the payload did not decode for long; only here is history read."""
        lease = self._identity.job.lease
        attempts: Sequence[AttemptRecord] = ()
        if self._context.undecodable_for:
            try:
                with self._context.engine.telemetry.silence():
                    attempts = await self._context.engine.state.attempts(lease.chain_id, lease.position)
            except Unavailable as outage:
                raise Snooze(LOOK_UP_PAUSE) from outage
        self._report.record_failure(error, UNDECODABLE)
        return self._decision.of_undecodable(error, attempts)

    async def _read_blockers(self) -> None:
        lease = self._identity.job.lease
        key = lease.chain_id, lease.position
        try:
            with self._context.engine.telemetry.silence():
                outputs = await self._context.engine.state.blocker_outputs([key])
        except Unavailable as error:
            raise Snooze(LOOK_UP_PAUSE) from error  # the handler has not begun, so this must not cost an attempt
        self.scope.blocker_chains = outputs.get(key, ())

    # Run

    async def _call(self, attempt: Attempt[Any]) -> object:
        try:
            result = await self._identity.definition.handler(attempt)
        except Exception as error:
            if self._is_undecodable(error) and isinstance(outcome := await self._of_undecodable(error), Snoozes):
                raise NotDecodedYet(outcome) from error
            raise
        if self.scope.cancel_reason not in (None, CancelReason.SHUTDOWN):
            # After a timeout or a lost lease a returned value must not count. When the worker stops it may: the handler
            # was cancelled, and finished in its grace.
            raise asyncio.CancelledError
        self.scope.end()
        if self.scope.refusal is not None:
            raise self.scope.refusal  # the handler caught it; whatever it returned was made without its transaction
        return result

    def _is_undecodable(self, error: BaseException) -> bool:
        """Return whether the handler failed because the output of a blocker does not decode."""
        error = unwrap_group(error)
        # A handler in a process decodes them there, and can fail of nothing else with this type.
        return error is self.scope.undecodable or (isinstance(error, ProcessFailed) and error.type == UNDECODABLE)

    # Decide

    async def _decide(self, result: object) -> Outcome | Transition:
        """Return the outcome, or the transition with which the handler itself ended the job in its transaction."""
        if self.scope.completion_tx is None:
            return self._decision.of_result(result)
        self._completion = CompletionTransaction(self._identity.job, context=self._context, scope=self.scope)
        return await self._completion.end_by_handler() or self._decision.of_result(result)

    async def _fail(self, error: BaseException) -> Outcome | None:
        self._report.drop_successor()
        await self.roll_back(error)
        return self._outcome_of(error)

    def abandoned_outcome(self) -> Outcome | None:
        """Return the outcome of an attempt whose handler ignores its cancel."""
        return self._outcome_of(asyncio.CancelledError())

    def _outcome_of(self, error: BaseException) -> Outcome | None:
        reason = self.scope.cancel_reason
        if self.scope.refusal is not None and reason not in (CancelReason.LEASE_LOST, CancelReason.CANCELLED):
            return Releases()
        if isinstance(error, NotDecodedYet) and reason in (None, CancelReason.SHUTDOWN):
            return error.outcome
        return self._decision.of_error(error, reason)

    async def _interrupted(self, interrupt: KeyboardInterrupt) -> Outcome | None:
        """End the worker's block after Ctrl-C and release the job; fail the attempt if a thread raised it."""
        # Python raises Ctrl-C in the main thread. A KeyboardInterrupt of a handler's thread is the handler's own.
        if self.scope.thread_task is not None and self.scope.thread_task.done.is_set():
            return await self._fail(interrupt)
        self._context.give_up(interrupt)
        self.scope.cancel_reason = self.scope.cancel_reason or CancelReason.SHUTDOWN
        return await self._fail(asyncio.CancelledError())

    async def roll_back(self, error: BaseException) -> None:
        """Roll back the completion transaction."""
        self.scope.end()
        try:
            with suppress(asyncio.CancelledError):  # the attempt is ending; `finish` waited for the rollback
                await finish(self.scope.roll_back(error))
        except Exception as failure:
            logger.warning("%s: rolling back failed: %s", self._identity, failure, extra=self._identity.labels)

    # Store

    async def _store(self, outcome: Outcome | Transition) -> Outcome | None:
        """Commit the outcome with the handler's writes; return it for the completer if there is no completion."""
        if self._completion is None:
            assert not isinstance(outcome, Transition)
            return outcome
        await self.scope.leave_completion()
        try:
            # In a task of its own: a cancel in the middle of a COMMIT would leave the outcome unknown, and a connection
            # with a statement in flight.
            await finish(self._commit(self._completion, outcome))
        except asyncio.CancelledError:
            if not self.is_closed:  # else the commit succeeded, and the cancel is too late
                raise
        return None

    async def _commit(self, completion: CompletionTransaction, outcome: Outcome | Transition) -> None:
        self.is_committing = True
        self._report.stop_clock()
        try:
            settled = outcome if isinstance(outcome, Transition) else await completion.settle(self.settlement(outcome))
            await completion.commit()
        finally:
            self.is_committing = False
        self.is_closed = True
        if isinstance(settled, Settled) and not isinstance(outcome, Transition):
            self._follow(outcome, settled)
        elif isinstance(settled, Transition):
            self._report.drop_successor()
            self._report.record_outcome_name(HANDLER_ENDS[settled.verb])

    def _follow(self, outcome: Outcome, settled: Settled) -> None:
        self.successor = settled.claimed_successors.get(self._identity.job.lease.chain_id)
        self._report.record_outcome(outcome)
        self._report.record_settlement(outcome)
        self._context.engine.effects.follow(settled.transitions)

    def settlement(self, outcome: Outcome) -> Settlement:
        """Return the outcome in the form that the state port takes."""
        return Settlement(self._identity.job, outcome, self._context.name, self._report.stored_context)
