"""A real worker on a real store, with handlers that run until they are released, one by one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from otelq.client import Client, new_id
from otelq.connect import connect
from otelq.definitions import Attempt, Chain, Continue, Fail, Jobs, JobType, Snooze, WaitFor
from otelq.model import (
    Blocks,
    CancelReason,
    Completes,
    Continues,
    Fails,
    ReapRule,
    Retries,
    Snoozes,
    Status,
)
from otelq.retry_policy import RetryPolicy
from otelq.worker import Worker

from ..model.slots import Key, ModelSlot, OutcomeType, SlotModel, Work
from .machine import StoreMachine
from .wrappers import observed_by, on_the_clock_of

PLAIN, OTHER, NARROW, PAIR, HASTY = TYPES = ("plain", "other", "narrow", "pair", "hasty")
LIMITS = {PLAIN: None, OTHER: None, NARROW: 1, PAIR: 2, HASTY: None}
LEASE = 30.0
BRIEF = 0.02
"""Seconds after which a hasty job times out; it is never released before."""
PATIENCE = 5.0
"""Seconds within which all must have come to rest that has no reason to go on."""
GRACES = (0.05, 600.0)
"""For those that are to be cancelled when the worker stops, and for those that may finish."""
MOST = 30
"""The most chains that are open at a time."""
ANY = st.integers(0, 63)
"""An index, taken modulo the number of items, so that the draw does not depend on that number."""

Step = JobType[int, int]
Order = Callable[[], int | Continue[int]]


class Broke(Exception):
    """Raised by a handler on purpose."""


class HandlerGate(Protocol):
    """The interface that handlers report to."""

    async def hold(self, attempt: Attempt[int]) -> int | Continue[int]: ...


@dataclass(eq=False, slots=True)
class HeldHandler:
    """A running handler, and its order to end."""

    attempt: Attempt[int]
    order: asyncio.Future[Order]


def steps_of(gate: HandlerGate) -> tuple[Jobs, dict[str, Step]]:
    """Return a collection of all types, and their job types; the handlers stay until they are released."""
    jobs, steps = Jobs(), {name: Step(name, input=int, output=int) for name in TYPES}
    for name, step in steps.items():
        patience = BRIEF if name == HASTY else None
        retry = RetryPolicy(max_attempts=1 if name == HASTY else None, initial=0.0, jitter=0.0)

        async def handler(attempt: Attempt[int]) -> int | Continue[int]:
            return await gate.hold(attempt)

        jobs.handles(step, retry=retry, lease=LEASE, timeout=patience, concurrency=LIMITS[name])(handler)
    return jobs, steps


class SlotMachine(StoreMachine):
    """A worker's slots: never too many, never idle beside work, shared fairly, and free again however a job ends."""

    def __init__(self) -> None:
        super().__init__()
        self.silence = logging.NullHandler()  # what handlers raise on purpose need not go to the screen
        logging.getLogger("otelq").addHandler(self.silence)
        self.model = SlotModel(LIMITS, now=datetime.now(UTC).replace(microsecond=0) - timedelta(days=1))
        observed_by(self.model, on_the_clock_of(self.model, self.adapter), seen=self.seen)
        self.jobs, self.steps = steps_of(self)
        self.held: dict[Key, HeldHandler] = {}
        self.client: Client = connect(self.adapter)
        self.worker: Worker | None = None
        self.begun = False

    @initialize(capacity=st.integers(1, 4), grace=st.sampled_from(GRACES))
    def begin(self, capacity: int, grace: float) -> None:
        self.run(self.client.open())
        self.begun = True
        self.run(self.adapter.truncate_all())
        for type in (*TYPES, PLAIN, OTHER, NARROW, PAIR):
            self.start(type)
        self.begin_work(capacity, grace)

    def begin_work(self, capacity: int, grace: float) -> None:
        self.model.begin(capacity)
        self.grace = grace
        self.worker = Worker(
            self.client, self.jobs, concurrency=capacity, poll_interval=0.01, reap_interval=0.05, grace=grace
        )
        self.run(self.worker.__aenter__())

    def teardown(self) -> None:
        if self.worker is not None:
            for held in self.held.values():
                held.order.cancel()
            self.run(self.worker.__aexit__(None, None, None))
        if self.begun:
            self.run(self.client.aclose())
        self.runner.close()
        logging.getLogger("otelq").removeHandler(self.silence)

    # In the handlers

    async def hold(self, attempt: Attempt[int]) -> int | Continue[int]:
        """Stay until released or cancelled."""
        key = attempt.chain_id, attempt.token
        held = self.held[key] = HeldHandler(attempt, asyncio.get_running_loop().create_future())
        self.model.entered(key)
        if attempt.type == HASTY:
            self.model.slots[key].reason = CancelReason.TIMEOUT
        try:
            return (await held.order)()
        finally:
            del self.held[key]
            self.model.left(key, attempt.cancel_reason)

    # Work from outside

    @rule(which=st.integers(0, len(TYPES) - 1), number=st.integers(1, 6), delay=st.sampled_from([0.0, 0.0, 0.0, 60.0]))
    def a_start(self, which: int, number: int, delay: float) -> None:
        """Start a few chains of one type."""
        for _ in range(min(number, MOST - len(self.model.open))):
            self.start(TYPES[which], delay=delay)

    def start(self, type: str, *, delay: float = 0.0) -> Chain[int]:
        chain = new_id()
        self.model.start(chain, type, delay=delay)
        return self.run(self.client.start(self.steps[type], 1, id=chain, delay=delay))

    @rule(kind=st.sampled_from(["cancel", "complete", "take over", "delete"]), which=ANY)
    def request(self, kind: str, which: int) -> None:
        """End a running chain, or take it from the worker."""
        slots = [slot for slot in self.slots() if slot.holds]
        if not slots:
            return
        work = slots[which % len(slots)].work
        chain = Chain(work.chain, self.steps[PLAIN])
        match kind:
            case "cancel":
                self.model.end_by_request(work.chain, "cancelled")
                self.run(self.client.cancel(chain))
            case "complete":
                step = self.steps[work.type]
                self.model.end_by_request(work.chain, "completed")
                self.run(self.client.complete(chain, 1, step=step))
            case "delete":
                if any(other.waits_for == work.chain for other in self.model.open.values()):
                    return
                self.model.end_by_request(work.chain, "deleted")
                self.run(self.client.delete(chain))
            case _:
                self.model.take_over(work.chain)
                self.run(self.client.take_over(chain))

    # Handlers are released

    @rule(which=ANY, kinds=st.lists(st.integers(0, 8), min_size=1, max_size=4))
    def let_go(self, which: int, kinds: list[int]) -> None:
        """Let a few handlers end at once, each in its way."""
        slots = self.slots()
        for slot, kind in zip(slots[which % max(1, len(slots)) :], kinds, strict=False):
            self.order(slot, kind)

    def order(self, slot: ModelSlot, kind: int) -> None:
        attempt, order = self.held[slot.key].attempt, self.held[slot.key].order
        steps = self.steps
        orders: list[tuple[OutcomeType, Callable[[], Order]]] = [
            (Completes, lambda: lambda: 1),
            (Continues, lambda: lambda: attempt.continue_with(steps[PLAIN], 1)),
            (Continues, lambda: lambda: attempt.continue_with(steps[NARROW], 1)),
            (Continues, lambda: lambda: attempt.continue_with(steps[OTHER], 1, delay=60.0)),
            (Fails, lambda: _raiser(Fail("on purpose"))),
            (Retries, lambda: _raiser(Broke("on purpose"))),
            (Snoozes, lambda: _raiser(Snooze(60.0))),
            (Snoozes, lambda: _raiser(Snooze(0.0))),
            (Blocks, lambda: _raiser(WaitFor(self.start(PLAIN)))),
        ]
        slot.expects, make = orders[kind]
        order.set_result(make())

    @rule(which=ANY, times=st.sampled_from([1, 2, 18]))
    def a_long_chain(self, which: int, times: int) -> None:
        """Let one chain continue again and again."""
        slots = [slot for slot in self.slots() if slot.holds]
        if not slots:
            return
        chain = slots[which % len(slots)].work.chain
        for _ in range(times):
            slot = self.model.runs(chain)
            if slot is None:
                return  # it was passed over for others that were ready before it
            self.order(slot, 1)
            self.become_idle()

    # Time

    @rule(seconds=st.sampled_from([1.0, 45.0, 90.0]))
    def later(self, seconds: float) -> None:
        """Let time pass. Leases that run out change nothing for the worker that holds them: its reaper spares them."""
        self.model.now += timedelta(seconds=seconds)

    @rule()
    def lose_all(self) -> None:
        """Let another process reap all leases; the handlers here run on in vain."""
        self.model.now += timedelta(seconds=LEASE + 1)
        is_any = any(work.token is not None for work in self.model.open.values())
        self.model.reap()
        rules = [ReapRule(type=type, max_attempts=None, max_crashes=1000, delay=0.0) for type in TYPES]
        # SQLite skips a round that has to wait for another write, such as a beat of the worker.
        while not self.run(self.adapter.reap(rules)) and is_any:
            pass

    # The worker stops

    @rule(capacity=st.integers(1, 4), grace=st.sampled_from(GRACES), kind=st.integers(0, 1))
    def restart(self, capacity: int, grace: float, kind: int) -> None:
        """Stop the worker: running attempts finish or are cancelled, and nothing runs then. Start another."""
        self.run(self.stop(kind))
        self.demand_nothing()
        self.begin_work(capacity, grace)

    async def stop(self, kind: int) -> None:
        assert self.worker is not None
        worker, self.worker = self.worker, None
        self.model.stopping = True
        patient = self.grace == max(GRACES)
        if not patient:
            for slot in self.slots():
                slot.reason = CancelReason.SHUTDOWN
        async with asyncio.TaskGroup() as group:  # a failed check ends the group before the worker's grace
            group.create_task(self.let_all_go(kind) if patient else asyncio.sleep(0))
            await worker.__aexit__(None, None, None)

    async def let_all_go(self, kind: int) -> None:
        for slot in self.slots():
            attempt = self.held[slot.key].attempt
            # One by one: a slot that is free while the worker stops must stay free until the others have ended.
            await self.until(attempt.stopping.is_set, "attempts do not learn that their worker stops")
            self.order(slot, kind)
            await self.until(partial(self.is_free, slot.key), "a stopping worker keeps its slots")
        await self.until(lambda: not self.model.slots, "a stopping worker fills its slots again")

    def is_free(self, key: Key) -> bool:
        return key not in self.model.slots

    def demand_nothing(self) -> None:
        """Check that no handler runs, though there is work."""
        self.model.end()
        self.start(PLAIN)
        # A worker that still ran would need only a few turns of the loop to claim the job.
        for _ in range(20):
            self.run(asyncio.sleep(0))
        assert not self.held, "handlers run after the worker has stopped"

    @rule(kind=st.sampled_from([0, 4]))
    def z_let_all_go(self, kind: int) -> None:
        """Release all handlers, one after the other; then every slot is free, and can be taken at once."""
        while slots := self.slots():
            self.order(slots[0], kind)
            self.become_idle()
        for _ in range(self.model.capacity):
            self.start(PLAIN)
        self.become_idle()
        assert len(self.held) == self.model.capacity, f"{len(self.held)} of {self.model.capacity} slots are in use"

    # After each step

    @invariant()
    def become_idle(self) -> None:
        """Check that free slots and waiting work meet in time, and that nothing forbidden was seen."""
        if self.worker is not None:
            self.run(self.until(self.is_idle, "work and free slots do not meet"))
        assert not self.model.broken, self.model.broken[0]
        assert set(self.held) == set(self.model.slots), "the running handlers are not those that hold slots"

    @invariant()
    def the_store_agrees(self) -> None:
        """Check that each chain has the status to which the attempts and requests have led it."""
        known = {**{chain: _where(work) for chain, work in self.model.open.items()}, **self.model.closed}
        outcomes = self.run(self.adapter.outcomes(list(known)))
        found = {chain: _AT[outcome.status] for chain, outcome in outcomes.items()}
        expected = {chain: where for chain, where in known.items() if where != "deleted"}
        assert found == expected, f"{Counter(found.values())}, expected {Counter(expected.values())}"

    def is_idle(self) -> bool:
        """Return True if no attempt starts or ends, and no slot is free for a job that waits."""
        slots = self.model.slots.values()
        moving = any(slot.reason or slot.expects or not slot.entered for slot in slots)
        return bool(self.model.broken) or not (moving or self.model.starving())

    async def until(self, condition: Callable[[], bool], problem: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{problem}: {self.model.starving()}, {list(self.model.slots.values())}"
            await asyncio.sleep(0.001)

    def slots(self) -> list[ModelSlot]:
        """Return the slots of attempts that can be released, the oldest first."""
        return [slot for slot in self.model.slots.values() if slot.type != HASTY and slot.key in self.held]


def _raiser(error: Exception) -> Order:
    def order() -> int:
        raise error

    return order


def _where(work: Work) -> str:
    if work.token is not None:
        return "running"
    return "blocked" if work.waits_for else "in line"


_AT = {
    Status.RUNNING: "running",
    Status.BLOCKED: "blocked",
    Status.SCHEDULED: "in line",
    Status.READY: "in line",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}
