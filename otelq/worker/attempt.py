"""One attempt of one job, from its claim to its acknowledgement."""

from __future__ import annotations

import asyncio
import contextvars
import random
import secrets
import time
from contextlib import suppress
from typing import Any, Protocol

from ..client.start import successor
from ..definitions import Attempt, Continue, Definition, Snooze, check_continuation, is_continue
from ..errors import Unavailable, UndecodablePayload
from ..finish import finish
from ..logs import Log
from ..model import (
    CancelReason,
    Claimed,
    Completes,
    Continues,
    Fails,
    Keep,
    Outcome,
    Retries,
    Settled,
    Settlement,
    Transition,
    Verb,
    job_id,
    read_meta,
)
from ..spawn import spawn
from ..telemetry import AttemptSpan, Count, Enqueue
from ..texts import lines
from .completion import LOOK_UP_PAUSE, OWN_ENDS, Completion
from .crew import Crew
from .deadlines import Key
from .scope import WorkScope
from .slots import Slots
from .tasks import stack_of, stack_of_thread
from .verdicts import TIMED_OUT, failure_of, of_exception, outcome_name, undescribed

logger = Log("otelq.worker")

MOST_HOPS = 16
"""How many jobs of a chain one slot runs in a row before others get their turn."""


class Acknowledger(Protocol):
    """Whoever stores the outcomes of attempts: the completer."""

    def add(self, run: Run, settlement: Settlement) -> None:
        """Take over a settlement; the run is told through ``acknowledged`` or ``lost``."""


class Run:
    """
    Runs the handler of one claimed job in a task of its own, and brings its outcome to the database.

    The task has a fresh context: only the job's span and baggage are in it. ``cancel`` is how the engine ends it.
    """

    __slots__ = (
        "_abandoned", "_committing", "_completer", "_crew", "_deadline", "_ended_ns", "_enqueue", "_grace",
        "_outcome_name", "_seconds", "_slots", "_soft_deadline", "_span", "_started", "_task", "_undoing", "definition",
        "done", "held_since", "hops", "job", "scope", "settling",
    )  # fmt: skip

    def __init__(self, job: Claimed, *, crew: Crew, slots: Slots, completer: Acknowledger, hops: int = 0) -> None:
        self.job = job
        self.definition: Definition = crew.definitions[job.type]
        self.hops = hops
        self.settling = False
        """The outcome is in the completer's hands, or already written: a lease not found then is not a lost one."""
        self.held_since = time.monotonic()
        """When the lease was last known to be ours; written by the keeper."""
        self.scope = WorkScope(crew, self.definition, since=self.held_since)
        self.done = False
        """Nothing more is to be stored for this attempt."""
        self._crew = crew
        self._slots = slots
        self._completer = completer
        self._abandoned = False
        self._committing = False
        self._enqueue: Enqueue | None = None
        self._outcome_name = ""
        self._span: AttemptSpan
        self._started: float | None = None
        self._ended_ns = 0
        self._seconds = 0.0
        self._deadline: Key | None = None
        self._soft_deadline: Key | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None]
        self._undoing: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Take a slot and start the task."""
        self._slots.take(self)
        self._crew.engine.telemetry.active(self.job.type, 1)
        self._task = spawn(self._run(), context=contextvars.Context())
        self._task.add_done_callback(self._over)
        if self.definition.timeout is not None:
            self._deadline = self._slots.deadlines.add(self, self.definition.timeout)
        if self.definition.soft_timeout is not None:
            self._soft_deadline = self._slots.soft_deadlines.add(self, self.definition.soft_timeout)

    def cancel(self, reason: CancelReason) -> None:
        """
        End the attempt: the reason is set, then the handler's task is cancelled.

        The first reason stands, but for a lease that is lost after all. Once the commit is under way nothing
        cancels it.
        """
        scope = self.scope
        if self.settling or self._committing or self._task.done():
            return
        if scope.cancel_reason is None or reason in (CancelReason.LEASE_LOST, CancelReason.CANCELLED):
            scope.cancel_reason = reason
        if self._started is None:
            return  # a task cancelled before its first step would end without a word; it looks at the reason itself
        if self._grace is None:
            self._task.cancel()
            self._grace = asyncio.get_running_loop().call_later(self._crew.grace, self._abandon)

    def age(self, now: float) -> float:
        """How old the lease is at this monotonic time, in lease lengths."""
        return (now - self.held_since) / self.definition.lease

    def acknowledged(self, kept: Claimed | None = None) -> None:
        """The outcome is stored: end the span, free the slot, and go on with the successor if it was granted."""
        self.done = True
        if self._enqueue is not None:
            self._enqueue.end()
        self._span.end(self._outcome_name, self._ended_ns)
        self._leave()
        if kept is not None:
            self._hop(kept)

    def lost(self, reason: CancelReason) -> None:
        """The job is no longer ours; what the attempt came to is discarded."""
        self.done = True
        self.scope.cancel_reason = reason
        self._drop_successor()
        logger.warning("%s is no longer ours: %s", self, reason, extra=self._labels())
        if reason is CancelReason.LEASE_LOST:
            self._crew.engine.telemetry.count(Count.LEASE_LOST, type=self.job.type)
        self._span.lost(reason)
        self._leave()

    def failed_to_store(self, outcome: Outcome, error: Exception) -> Settlement:
        """The settlement that takes the place of one which the database refused."""
        self._drop_successor()
        self._span.failed(error, outcome.failure.type if isinstance(outcome, _FAILING) else None)
        self._outcome_name = outcome_name(outcome)
        return self._settlement(outcome)

    def __str__(self) -> str:
        return (
            f"attempt {self.job.attempt} of {self.job.type} {job_id(self.job.lease.chain_id, self.job.lease.position)}"
        )

    # The task

    async def _run(self) -> None:
        self._started = time.perf_counter()
        self._span = self._crew.engine.telemetry.attempt(
            self.job, worker=self._crew.name, mode=self.definition.job_type.trace
        )
        try:
            with self._span.activate():
                outcome = await self._attempt()
        except KeyboardInterrupt as interrupt:
            outcome = await self._interrupted(interrupt)
        except BaseException as error:
            outcome = await self._fail(error)
        finally:
            self.scope.end()
            self._stop_timers()
        if self.settling:
            return  # abandoned, or closed together with the handler's own writes
        self._settle(outcome)

    async def _attempt(self) -> Outcome | None:
        if self.scope.cancel_reason is not None:
            raise asyncio.CancelledError
        try:
            input = self._crew.engine.decode_input(
                self.job.input, self.definition.job_type, chain_id=self.job.lease.chain_id
            )
        except UndecodablePayload as error:
            failure = failure_of(error)
            self._span.failed(error, failure.type)
            return Fails(failure)
        if self.job.blockers:
            await self._read_blockers()
        lease = self.job.lease
        attempt: Attempt[Any] = Attempt(
            input,
            type=self.job.type,
            number=self.job.attempt,
            chain_id=lease.chain_id,
            job_id=job_id(lease.chain_id, lease.position),
            token=lease.token,
            meta=read_meta(self.job.meta),
            scope=self.scope,
        )
        result = await self.definition.handler(attempt)
        if self.scope.cancel_reason not in (None, CancelReason.SHUTDOWN):
            raise asyncio.CancelledError  # a value after a cancel counts only when the worker is stopping
        self.scope.end()
        if self.scope.completing is None:
            return self._outcome_of(result)
        await self._close(result)
        return None

    async def _read_blockers(self) -> None:
        key = self.job.lease.chain_id, self.job.lease.position
        try:
            with self._crew.engine.telemetry.silence():
                outputs = await self._crew.engine.state.blocker_outputs([key])
        except Unavailable as error:
            raise Snooze(LOOK_UP_PAUSE) from error  # the handler has not begun, so no attempt is spent
        self.scope.fed_by = outputs.get(key, ())

    def _outcome_of(self, result: object) -> Outcome:
        engine, chain_id = self._crew.engine, self.job.lease.chain_id
        if not is_continue(result):
            job_type = self.definition.job_type
            return Completes(engine.encode_output(result, job_type, chain_id=chain_id, argument="return value"))
        continuation = result
        target = continuation.job_type
        check_continuation(target, of=self.definition.job_type, argument="continuation")
        payload = engine.encode_input(continuation.input, target, chain_id=chain_id, argument="continuation")
        self._enqueue = self._span.successor(
            type=target.name, position=self.job.lease.position + 1, delay=continuation.delay
        )
        following = successor(continuation, payload=payload, trace=self._enqueue.note, meta=self.job.meta)
        return Continues(following, self._keep(continuation))

    def _keep(self, continuation: Continue[Any]) -> Keep | None:
        """Ask for the successor when this worker could run it at once and others have had their turn."""
        definition = self._crew.definitions.get(continuation.job_type.name)
        prompt = continuation.delay in (None, 0) and continuation.at is None and not continuation.awaited.ids
        if definition is None or not prompt or self.hops >= MOST_HOPS or self._crew.stopping.is_set():
            return None
        if definition.concurrency is not None:
            return None
        return Keep(token=secrets.randbits(63), lease=definition.lease, timeout=self._crew.time_for(definition))

    async def _close(self, result: object) -> None:
        """Commit what the handler wrote, with the outcome or with the end that the handler gave the job itself."""
        completion = Completion(self.job, crew=self._crew, scope=self.scope)
        outcome = await completion.own_end() or self._outcome_of(result)
        await self.scope.leave_completion()
        try:
            await finish(self._commit(completion, outcome))
        except asyncio.CancelledError:
            if not self.settling:  # else the cancel came too late: all is stored
                raise

    async def _commit(self, completion: Completion, outcome: Outcome | Transition) -> None:
        self._committing = True
        self._stop_clock()
        try:
            made = outcome if isinstance(outcome, Transition) else await completion.settle(self._settlement(outcome))
            await completion.commit()
        finally:
            self._committing = False
        self.settling = True
        if isinstance(made, Settled) and not isinstance(outcome, Transition):
            self._committed(outcome, made)
        elif isinstance(made, Transition):
            self._drop_successor()
            self._outcome_name = OWN_ENDS[made.verb]
            self._count(failure=None)
            self.acknowledged()

    def _committed(self, outcome: Outcome, settled: Settled) -> None:
        self._measure(outcome)
        self._crew.engine.telemetry.settled(
            Verb.COMPLETE if isinstance(outcome, Completes) else Verb.CONTINUE,
            [self._span.note],
            started_ns=self._ended_ns,
            ended_ns=time.time_ns(),
            count=1,
            type=self.job.type,
        )
        self._crew.engine.effects.follow(settled.transitions)
        self.acknowledged(settled.kept.get(self.job.lease.chain_id))

    async def _fail(self, error: BaseException) -> Outcome | None:
        """What the attempt came to; nothing that goes wrong on the way may keep its slot and its lease for ever."""
        self._drop_successor()
        await self._roll_back(error)
        try:
            return self._judge(error)
        except BaseException:
            logger.exception("%s failed, and how cannot be said", self, extra=self._labels())
            return undescribed(error, definition=self.definition, attempt=self.job.attempt, spread=random.random())

    async def _interrupted(self, interrupt: KeyboardInterrupt) -> Outcome | None:
        """End the worker's block, and give the job back; in a thread, which no Ctrl-C reaches, it is any exception."""
        if self.scope.errand is not None and self.scope.errand.done.is_set():
            return await self._fail(interrupt)
        self._crew.interrupt(interrupt)
        self.scope.cancel_reason = self.scope.cancel_reason or CancelReason.SHUTDOWN
        return await self._fail(asyncio.CancelledError())

    def _judge(self, error: BaseException) -> Outcome | None:
        reason = self.scope.cancel_reason
        outcome = of_exception(
            error, definition=self.definition, attempt=self.job.attempt, reason=reason, spread=random.random()
        )
        if isinstance(outcome, _FAILING):
            kind = TIMED_OUT if reason is CancelReason.TIMEOUT else outcome.failure.type
            self._span.failed(error, kind)
            logger.warning("%s failed: %s", self, kind, exc_info=error, extra=self._labels())
        return outcome

    def _stop_clock(self) -> None:
        """Note when the handler returned; what comes after it is not the handler's time."""
        self._ended_ns = time.time_ns()
        self._seconds = time.perf_counter() - (self._started or 0.0)

    def _settle(self, outcome: Outcome | None) -> None:
        self._stop_clock()
        if outcome is None:
            return self.lost(self.scope.cancel_reason or CancelReason.LEASE_LOST)
        self.settling = True
        self._measure(outcome)
        self._completer.add(self, self._settlement(outcome))

    def _settlement(self, outcome: Outcome) -> Settlement:
        return Settlement(self.job, outcome, self._crew.name, self._span.note)

    def _measure(self, outcome: Outcome) -> None:
        self._outcome_name = outcome_name(outcome)
        self._count(failure=outcome.failure.type if isinstance(outcome, _FAILING) else None)

    def _count(self, *, failure: str | None) -> None:
        self._crew.engine.telemetry.processed(
            self.job.type, self._seconds, self._outcome_name, failure, context=self._span.exemplar
        )

    # Ends that nobody wished for

    def _over(self, task: asyncio.Task[None]) -> None:
        """Whatever ended the task without an outcome: free the slot, and let the lease run out."""
        if self.done or self.settling:
            return
        self.done = True
        error = None if task.cancelled() else task.exception()
        logger.error("%s ended without an outcome; its lease runs out", self, exc_info=error, extra=self._labels())
        self._leave()

    def _abandon(self) -> None:
        """The handler ignored its cancel for the grace period: let it be, fenced off, and say so."""
        if self._task.done() or self.settling or self._committing:
            return
        self._abandoned = self.scope.abandoned = True
        self._slots.leaked += 1
        self._slots.touch()
        self._crew.engine.telemetry.count(Count.SLOT_LEAKED, type=self.job.type)
        logger.error("%s ignores its cancel; abandoned\n%s", self, lines(self._stack()), extra=self._labels())
        self._task.add_done_callback(self._returned)
        cancelled = asyncio.CancelledError()
        self._undoing = spawn(self._roll_back(cancelled))
        self._settle(self._judge(cancelled))
        self.settling = True

    def _stack(self) -> str:
        thread = self.scope.errand.thread if self.scope.errand is not None else None
        return stack_of(self._task) + (stack_of_thread(thread) if thread is not None else "")

    def _returned(self, _: asyncio.Task[None]) -> None:
        self._slots.leaked -= 1
        self._slots.leave(self)

    def _leave(self) -> None:
        self._crew.engine.telemetry.active(self.job.type, -1)
        if not self._abandoned:
            self._slots.leave(self)

    async def _roll_back(self, error: BaseException) -> None:
        self.scope.end()
        try:
            with suppress(asyncio.CancelledError):  # of this attempt, which ends already
                await finish(self.scope.roll_back(error))
        except Exception as trouble:
            logger.warning("%s: rolling back failed: %s", self, trouble, extra=self._labels())

    def _drop_successor(self) -> None:
        enqueue, self._enqueue = self._enqueue, None
        if enqueue is not None:
            enqueue.drop()

    def _stop_timers(self) -> None:
        if self._deadline is not None:
            self._slots.deadlines.remove(self, self._deadline)
        if self._soft_deadline is not None:
            self._slots.soft_deadlines.remove(self, self._soft_deadline)
        if self._grace is not None:
            self._grace.cancel()

    def _labels(self) -> dict[str, object]:
        lease = self.job.lease
        return {
            "otelq.chain.id": lease.chain_id,
            "otelq.job.type": self.job.type,
            "otelq.job.attempt": self.job.attempt,
        }

    def _hop(self, kept: Claimed) -> None:
        run = Run(kept, crew=self._crew, slots=self._slots, completer=self._completer, hops=self.hops + 1)
        run.begin()


_FAILING = (Retries, Fails)
