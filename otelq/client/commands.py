"""The commands that change chains from outside, without a worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from ..definitions import (
    Chain,
    Continue,
    JobType,
    WhenOptions,
    check_continuation,
    check_job_type,
    check_priority,
    is_continue,
    refuse_unknown,
)
from ..errors import InvalidArgument
from ..model import Amendment, Closure, Completes, Continues, JobRecord, Transition
from ..ports.state import Transaction
from ..telemetry import Enqueue
from .engine import Engine
from .filters import AnyChain, chain_id, check_bool
from .lookups import Lookups
from .spans import end_after_commit, fail_on_error
from .start import check_due, successor

Out = TypeVar("Out")

Verb = Callable[..., Awaitable[Sequence[Transition]]]


class Commands:
    """Closes, opens, moves, locks and removes chains."""

    def __init__(self, engine: Engine, lookups: Lookups) -> None:
        self._engine = engine
        self._state = engine.state
        self._lookups = lookups

    async def complete(
        self,
        chain: Chain[Out],
        outcome: Out | Continue[Out],
        *,
        step: JobType[Any, Out],
        tx: object | None,
    ) -> None:
        """Close the open job of a chain with an output or a continuation."""
        check_job_type("step", step)
        transaction = self._engine.join(tx)
        id = chain_id(chain)
        outcome_of_step, enqueue = await self._outcome(id, outcome, step, transaction)
        closure = Closure(chain_id=id, step=step.name, aliases=step.aliases, outcome=outcome_of_step)
        # The commit may succeed and its reply be lost: then the effects follow once it is found committed.
        with fail_on_error(enqueue), self._engine.effects.resolve_lost_commit(), self._engine.telemetry.silence():
            transitions = await self._state.complete_externally([closure], tx=transaction)
        finish = None if enqueue is None else end_after_commit(enqueue)
        self._engine.effects.follow(transitions, tx=transaction, on_known=finish)

    async def trigger(self, chains: Sequence[AnyChain], *, tx: object | None) -> None:
        """Make the scheduled jobs of chains due now."""
        await self._change(self._state.trigger, chains, tx)

    async def amend(
        self,
        chain: AnyChain,
        options: WhenOptions,
        *,
        step: JobType[Any, Any] | None,
        input: Any,
        tx: object | None,
    ) -> None:
        """Change the open job of a chain before it runs; an ``input`` of ``...`` stays as it is."""
        amendment = self._amendment(chain_id(chain), options, step=step, input=input)
        await self._follow(self._state.amend, [amendment], tx)

    async def take_over(self, chains: Sequence[AnyChain], *, tx: object | None) -> None:
        """Take the running jobs of chains from their workers."""
        await self._change(self._state.take_over, chains, tx)

    async def cancel(self, chains: Sequence[AnyChain], *, tx: object | None) -> None:
        """Close chains as cancelled."""
        await self._change(self._state.cancel, chains, tx)

    async def redrive(self, chains: Sequence[AnyChain], *, tx: object | None) -> None:
        """Open failed or cancelled chains again."""
        await self._change(self._state.redrive, chains, tx)

    async def delete(self, chains: Sequence[AnyChain], *, cascade: bool, tx: object | None) -> None:
        """Remove chains, and with ``cascade`` their blockers."""
        await self._change(partial(self._state.delete, cascade=check_bool("cascade", cascade)), chains, tx)

    async def lock(self, chain: AnyChain, *, tx: object) -> JobRecord:
        """Lock the open job of a chain until the transaction ends, and return it."""
        id = chain_id(chain)
        with self._engine.telemetry.silence():
            [record] = await self._state.lock([id], tx=self._state.join(tx))
        return record

    def _amendment(self, id: str, options: WhenOptions, *, step: JobType[Any, Any] | None, input: Any) -> Amendment:
        refuse_unknown(options, WhenOptions)
        delay, at = check_due(options.get("delay"), options.get("at"))
        priority = check_priority(options.get("priority"))
        if step is not None:
            check_job_type("step", step)
        if input is ... and delay is None and at is None and priority is None:
            raise InvalidArgument("amend", "is given nothing to change; give an input, a time or a priority")
        return Amendment(
            chain_id=id,
            step=None if step is None else step.name,
            aliases=() if step is None else step.aliases,
            priority=priority,
            delay=delay,
            at=at,
            input=None if input is ... else self._encode_amended_input(input, step, id),
        )

    def _encode_amended_input(self, input: object, step: JobType[Any, Any] | None, id: str) -> str:
        if step is None:
            raise InvalidArgument("step", "is missing; name the type of the job whose input is amended")
        return self._engine.encode_input(input, step, chain_id=id, argument="input")

    async def _outcome(
        self, id: str, outcome: object, step: JobType[Any, Any], transaction: Transaction | None
    ) -> tuple[Completes | Continues, Enqueue | None]:
        """Return the outcome for the chain, and the span of the next job if it continues."""
        if is_continue(outcome):
            check_continuation(outcome.job_type, of=step, argument="outcome")
            return await self._continuation(id, outcome, transaction)
        return Completes(self._engine.encode_output(outcome, step, chain_id=id, argument="outcome")), None

    async def _continuation(
        self, id: str, continuation: Continue[Any], transaction: Transaction | None
    ) -> tuple[Continues, Enqueue]:
        job_type = continuation.job_type
        payload = self._engine.encode_input(continuation.input, job_type, chain_id=id, argument="outcome")
        # Inside the transaction, which may have changed the chain already: the span names the position of the new job.
        chain = await self._lookups.chain(id, tx=transaction)
        enqueue = self._engine.telemetry.enqueue(
            type=job_type.name,
            queue=job_type.queue,
            chain_id=id,
            position=chain.tail.position + 1,
            delay=continuation.delay,
            parent=self._engine.telemetry.read_stored_context(chain.head.trace),
        )
        trace, meta = enqueue.stored_context, chain.head.meta
        return Continues(successor(continuation, payload=payload, trace=trace, meta=meta)), enqueue

    async def _change(self, verb: Verb, chains: Sequence[AnyChain], tx: object | None) -> None:
        await self._follow(verb, [chain_id(chain) for chain in chains], tx)

    async def _follow(self, verb: Verb, items: Sequence[object], tx: object | None) -> None:
        """Run a verb of the store; its effects follow the commit."""
        transaction = self._engine.join(tx)  # first, so that a wrong `tx` raises even without chains
        if not items:
            return
        with self._engine.effects.resolve_lost_commit(), self._engine.telemetry.silence():
            transitions = await verb(items, tx=transaction)
        self._engine.effects.follow(transitions, tx=transaction)
