"""The verbs that change chains from outside, without a worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, overload

from ..definitions import (
    Chain,
    Continue,
    JobType,
    check_continuation,
    check_job_type,
    check_priority,
    is_continue,
)
from ..errors import InvalidArgument
from ..model import Amendment, Closure, Completes, Continues, JobRecord, Transition
from ..ports.state import Transaction
from ..telemetry import Enqueue
from .queries import AnyChain, chain_id, check_truth
from .starting import check_due, successor
from .starts import Starting, told

In = TypeVar("In")
Out = TypeVar("Out")

Verb = Callable[..., Awaitable[Sequence[Transition]]]


class Changing(Starting):
    """The verbs that close, open, move and remove chains."""

    async def complete(
        self,
        chain: Chain[Out],
        outcome: Out | Continue[Out],
        *,
        step: JobType[Any, Out],
        tx: object | None = None,
    ) -> None:
        """
        Close the open job of a chain without a worker, with an output or a continuation.

        ``step`` names the type of the job that is meant. It may be in any open status; a worker that runs it is
        fenced off and told.

        Raises:
            JobAlreadyClosed: that job is closed, and perhaps a later one open. Nothing was written.
            JobTypeMismatch: the open job is of another type. Nothing was written.
            NotFound: no such chain, or a blocker of the continuation does not exist.
            InvalidArgument: the outcome does not fit the type of ``step``, or a blocker waits for this very chain.
        """
        check_job_type("step", step)
        self._check_home()
        transaction = self._join(tx)
        id = chain_id(chain)
        enqueue: Enqueue | None = None
        ends: Completes | Continues
        if is_continue(outcome):
            check_continuation(outcome.job_type, of=step, argument="outcome")
            ends, enqueue = await self._continuation(id, outcome, transaction)
        else:
            ends = Completes(self._engine.encode_output(outcome, step, chain_id=id, argument="outcome"))
        try:
            with self._engine.effects.doubting(), self._engine.telemetry.silence():
                transitions = await self._engine.state.finish(
                    [Closure(chain_id=id, step=step.name, outcome=ends)], tx=transaction
                )
        except BaseException as error:
            if enqueue is not None:
                enqueue.fail(error)
            raise
        self._engine.effects.follow(transitions, tx=transaction, told=None if enqueue is None else told(enqueue))

    async def trigger(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Make the scheduled jobs of these chains due now; one that is due already stays as it is. All or nothing.

        Raises:
            NotFound, JobAlreadyClosed: no such chain, or a closed one.
            InvalidArgument: a job is blocked or running.
        """
        await self._change(self.engine.state.trigger, chains, tx)

    @overload
    async def amend(
        self,
        chain: AnyChain,
        *,
        step: JobType[In, Any],
        input: In,
        delay: float | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        tx: object | None = None,
    ) -> None: ...
    @overload
    async def amend(
        self,
        chain: AnyChain,
        *,
        step: JobType[Any, Any] | None = None,
        delay: float | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        tx: object | None = None,
    ) -> None: ...
    async def amend(
        self,
        chain: AnyChain,
        *,
        step: JobType[Any, Any] | None = None,
        input: Any = ...,
        delay: float | None = None,
        at: datetime | None = None,
        priority: int | None = None,
        tx: object | None = None,
    ) -> None:
        """
        Change the open job of a chain before it runs; what is not given stays as it is.

        Args:
            chain: whose open job is meant.
            step: the type that job must have; needed with ``input``.
            input: what it is to run with from now on. What it was created with stays on record.
            delay: seconds from now until it is due; or ``at``, a time with a zone. A blocked job stays blocked.
            priority: -100 to 100; lower runs first, within a type.
            tx: the caller's own open transaction.

        Raises:
            InvalidArgument: nothing is given, the input does not fit ``step``, or the job is running.
            JobTypeMismatch: the open job is of another type than ``step``.
            NotFound, JobAlreadyClosed: no such chain, or a closed one, or a job past ``step`` is open.
        """
        delay, at = check_due(delay, at)
        check_priority(priority)
        if step is not None:
            check_job_type("step", step)
        if input is ... and delay is None and at is None and priority is None:
            raise InvalidArgument("amend", "is given nothing to change; give an input, a time or a priority")
        id = chain_id(chain)
        amendment = Amendment(
            chain_id=id,
            step=None if step is None else step.name,
            priority=priority,
            delay=delay,
            at=at,
            input=None if input is ... else self._amended(input, step, id),
        )
        await self._follow(self.engine.state.amend, [amendment], tx)

    async def take_over(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Take the running jobs of these chains from their workers at once, to be run by another. All or nothing.

        The attempt is spent, no crash is counted, and the worker that ran it is told; use it where you know that a
        worker is gone and the lease is long.

        Raises:
            NotFound, JobAlreadyClosed: no such chain, or a closed one.
            InvalidArgument: a job is not running.
        """
        await self._change(self.engine.state.take_over, chains, tx)

    async def cancel(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Close these chains as cancelled; a worker that runs one of their jobs is fenced off and told. All or nothing.

        A worker of this client is told at once, another one when it renews the lease, within half of its length.
        Chains that wait for these fail, unless their ``on_failure`` says otherwise.

        Raises:
            NotFound, JobAlreadyClosed: no such chain, or a closed one.
        """
        await self._change(self.engine.state.cancel, chains, tx)

    async def redrive(self, *chains: AnyChain, tx: object | None = None) -> None:
        """
        Open failed or cancelled chains again, at the job that ended so. All or nothing.

        The job is due at once, with all its attempts before it; the earlier ones stay on record. Blockers are looked
        at anew: give a chain and the failed blocker of it together. Chains that failed for this one stay failed;
        those that wait for it (``on_failure="wait"``) go on when it completes.

        Raises:
            NotFound: no such chain.
            InvalidArgument: a chain is open or completed, or its blockers can never meet its condition.
            AlreadyExists: another chain holds its dedup key by now.
        """
        await self._change(self.engine.state.redrive, chains, tx)

    async def delete(self, *chains: AnyChain, cascade: bool = False, tx: object | None = None) -> None:
        """
        Remove these chains with all their history; with ``cascade`` also all blockers of their jobs, and theirs.

        All or nothing.

        Raises:
            NotFound: no such chain.
            StillReferenced: a chain that is not among them has one of them as its blocker.
        """
        await self._change(partial(self.engine.state.delete, cascade=check_truth("cascade", cascade)), chains, tx)

    async def lock(self, chain: AnyChain, *, tx: object) -> JobRecord:
        """
        The open job of a chain, which nobody else moves until the transaction ends.

        Look at it, then ``complete``, ``amend`` or leave it, with the same ``tx``. A worker that runs the job goes on
        meanwhile; its outcome waits for the end of ``tx``.

        Raises:
            NotFound, JobAlreadyClosed: no such chain, or a closed one.
        """
        id = chain_id(chain)
        self._check_home()
        with self._engine.telemetry.silence():
            [record] = await self._engine.state.lock([id], tx=self._engine.state.join(tx))
        return record

    def _amended(self, input: object, step: JobType[Any, Any] | None, id: str) -> str:
        if step is None:
            raise InvalidArgument("step", "is missing; name the type of the job whose input is amended")
        return self._engine.encode_input(input, step, chain_id=id, argument="input")

    async def _continuation(
        self, id: str, continuation: Continue[Any], transaction: Transaction | None
    ) -> tuple[Continues, Enqueue]:
        payload = self._engine.encode_input(continuation.input, continuation.job_type, chain_id=id, argument="outcome")
        chain = await self._record(id, transaction)
        enqueue = self._engine.telemetry.enqueue(
            type=continuation.job_type.name,
            chain_id=id,
            position=chain.tail.position + 1,
            delay=continuation.delay,
            parent=self._engine.telemetry.note(chain.head.trace),
        )
        return Continues(successor(continuation, payload=payload, trace=enqueue.note, meta=chain.head.meta)), enqueue

    async def _change(self, verb: Verb, chains: Sequence[AnyChain], tx: object | None) -> None:
        await self._follow(verb, [chain_id(chain) for chain in chains], tx)

    async def _follow(self, verb: Verb, items: Sequence[object], tx: object | None) -> None:
        """Ask for a change, and let its effects follow the commit."""
        transaction = self._join(tx)
        if not items:
            return
        with self._engine.effects.doubting(), self._engine.telemetry.silence():
            transitions = await verb(items, tx=transaction)
        self._engine.effects.follow(transitions, tx=transaction)
