"""
A model of one worker's slots, written from the promises of ``Worker`` and ``Jobs``, and from I12 and I14.

It is informed of what the worker requests from its store and what it gets, and when a handler is entered and left. It
keeps the problems that it finds in ``broken``: it runs inside a loop of the worker, which would log an exception and go
on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from otelq.model import (
    Blocks,
    CancelReason,
    Claimed,
    ClaimRequest,
    Completes,
    Continues,
    Fails,
    Outcome,
    Releases,
    Retries,
    Settlement,
    SettleResult,
    Snoozes,
)

OutcomeType = type[Completes | Continues | Retries | Snoozes | Blocks | Fails | Releases]
Key = tuple[str, int]
"""An attempt: its chain, and the token, which all share that one claim gave."""
MOST_HOPS = 16


@dataclass(eq=False, slots=True)
class Work:
    """The open job of a chain: it waits for its turn, holds a slot, or waits for another chain."""

    chain: str
    type: str
    due: datetime
    position: int = 0
    crashes: int = 0
    waits_for: str | None = None
    token: int | None = None
    """Under which it is held; None in line."""


@dataclass(eq=False, slots=True)
class ModelSlot:
    """A slot that an attempt holds; its job may have moved on without it."""

    work: Work
    token: int
    type: str
    suspect: bool
    hops: int
    entered: bool = False
    left: bool = False
    expects: OutcomeType | None = None
    """The outcome that its handler was ordered to end with."""
    reason: CancelReason | None = None
    """Why it has to end before that."""

    @property
    def key(self) -> Key:
        return self.work.chain, self.token

    @property
    def holds(self) -> bool:
        """Return True if the job is still the attempt's."""
        return self.work.token == self.token


class SlotModel:
    """The jobs of one worker, and its slots."""

    def __init__(self, limits: Mapping[str, int | None], *, now: datetime) -> None:
        self.limits = limits
        self.now = now
        self.capacity = 0
        """0 while no worker runs."""
        self.stopping = False
        self.open: dict[str, Work] = {}
        self.closed: dict[str, str] = {}
        """The end of each closed chain."""
        self.slots: dict[Key, ModelSlot] = {}
        self.broken: list[str] = []
        self.most_hops = 0
        self._passed_over: Counter[str] = Counter()

    def demand(self, condition: bool, problem: str) -> None:
        """Keep a problem."""
        if not condition:
            self.broken.append(problem)

    # A worker begins and ends

    def begin(self, capacity: int) -> None:
        self.capacity, self.stopping = capacity, False
        self._passed_over.clear()

    def end(self) -> None:
        self.demand(not self.slots, f"the worker has stopped, and slots are in use: {list(self.slots.values())}")
        self.capacity = 0
        self.slots.clear()

    # Jobs from outside

    def start(self, chain: str, type: str, *, delay: float) -> None:
        self.open[chain] = Work(chain, type, self._in(delay))

    def close(self, chain: str, status: str) -> None:
        """End a chain; its dependents go on, or end as well."""
        self.open.pop(chain).token = None
        self.closed[chain] = status
        for work in [work for work in self.open.values() if work.waits_for == chain]:
            work.waits_for, work.due = None, self.now
            if status != "completed":
                self.close(work.chain, "failed")

    def end_by_request(self, chain: str, status: str) -> None:
        """End a chain from outside; the attempt that runs its job has to end."""
        self._revoke(chain, CancelReason.CANCELLED if status == "cancelled" else CancelReason.LEASE_LOST)
        self.close(chain, status)

    def take_over(self, chain: str) -> None:
        self._revoke(chain, CancelReason.LEASE_LOST)
        self.open[chain].token, self.open[chain].due = None, self.now

    def reap(self) -> None:
        """Let another worker reap every lease; this worker is not informed."""
        for work in self.open.values():
            if work.token is not None:
                work.token, work.due, work.crashes = None, self.now, work.crashes + 1

    def _revoke(self, chain: str, reason: CancelReason) -> None:
        """Give the holder the reason to end, and every later attempt that runs in vain as well."""
        for slot in self.slots.values():
            if slot.work.chain == chain:
                slot.reason = reason if slot.holds else CancelReason.LEASE_LOST

    def runs(self, chain: str) -> ModelSlot | None:
        """Return the slot of a chain's open job, if it is held."""
        return self.slots.get((chain, self.open[chain].token or 0))

    # What there is to do

    def free_slots(self, type: str) -> int:
        """Return how many jobs of a type may start."""
        free, most = self.capacity - len(self.slots), self.limits[type]
        return free if most is None else min(free, most - sum(slot.type == type for slot in self.slots.values()))

    def claimable(self, type: str) -> list[Work]:
        """Return the jobs that may be claimed; suspects only while no other suspect runs."""
        suspects = any(slot.suspect for slot in self.slots.values())
        line = (work for work in self.open.values() if work.type == type and work.token is None and not work.waits_for)
        return [work for work in line if work.due <= self.now and not (suspects and work.crashes)]

    def starving(self) -> list[str]:
        """Return the types that have a job to claim and a slot for it."""
        return [type for type in self.limits if self.capacity and self.free_slots(type) > 0 and self.claimable(type)]

    # What the worker asks for and is given

    def claim_requested(self, wanted: Sequence[ClaimRequest], *, suspect: bool) -> None:
        """
        Check I12 and I14: a claim requests no more jobs than free slots, and skips no type for more than a rotation.
        """
        self.demand(self.capacity > 0 and not self.stopping, "claimed while stopping, or after it has stopped")
        limits = {arm.type: arm.limit for arm in wanted}
        self.demand(sum(limits.values()) <= self.capacity - len(self.slots), f"I14: asks for too many: {limits}")
        self.demand(all(limits[type] <= self.free_slots(type) for type in limits), f"I14: asks for too many: {limits}")
        running = any(slot.suspect for slot in self.slots.values())
        self.demand(not (suspect and running), "asks for a suspect while one is running")
        for type in self.limits:
            waits = type not in limits and type in self.starving()
            self._passed_over[type] = self._passed_over[type] + 1 if waits else 0
            times = self._passed_over[type]
            self.demand(times <= len(self.limits), f"I12: {type} was passed over {times} times in a row")

    def granted(self, job: Claimed, *, hops: int = 0) -> None:
        """Give a slot to a job, by a claim or as the successor of the job before it."""
        work = self.open.get(job.lease.chain_id)
        known = work is not None and (work.position, work.type) == (job.lease.position, job.type)
        self.demand(known, f"was given what is not open: {job}")
        if work is None:
            return
        self.demand(work.token is None and not work.waits_for and work.due <= self.now, f"I6: {work} is not in line")
        self.demand(self.free_slots(job.type) > 0, f"I14: no slot for one more of type {job.type}")
        suspect = work.crashes > 0
        running = any(slot.suspect for slot in self.slots.values())
        self.demand(not (suspect and running), f"a second suspect: {work}")
        self.demand(hops <= MOST_HOPS, f"{hops} continuations in a row")
        self.demand(not hops or not self.stopping, "kept a continuation while stopping")
        self.demand(not hops or self.limits[job.type] is None, f"kept a continuation into {job.type}, which is limited")
        self.most_hops = max(self.most_hops, hops)
        work.token = job.lease.token
        self.slots[work.chain, work.token] = ModelSlot(work, work.token, job.type, suspect, hops)

    def settled(self, settlement: Settlement, verdict: SettleResult) -> int:
        """Apply an outcome that was stored, or was not; return how many continuations led to the attempt."""
        lease, outcome = settlement.job.lease, settlement.outcome
        slot = self.slots.pop((lease.chain_id, lease.token), None)
        self.demand(slot is not None and slot.entered, f"settles what holds no slot: {outcome}")
        if slot is None:
            return 0
        held = slot.holds
        self.demand((verdict is SettleResult.DONE) == held, f"the verdict is {verdict}, and the job is held: {held}")
        expected = slot.expects or _ENDED_BY.get(slot.reason)
        self.demand(type(outcome) is expected, f"stores {outcome}, expected {expected}")
        if held:
            self._apply(slot.work, outcome)
        return slot.hops

    def _apply(self, work: Work, outcome: Outcome) -> None:
        work.token, work.due = None, self.now
        match outcome:
            case Completes():
                self.close(work.chain, "completed")
            case Fails():
                self.close(work.chain, "failed")
            case Continues(successor):
                work.type, work.position, work.crashes = successor.type, work.position + 1, 0
                work.due = self._in(successor.delay or 0.0)
            case Retries(delay) | Snoozes(delay):
                work.due = self._in(delay)
            case Blocks((blocker,)) if blocker in self.open:
                work.waits_for = blocker
            case Releases():
                pass
            case _:
                self.demand(False, f"an outcome that no handler was ordered to: {outcome}")

    # What handlers see

    def entered(self, key: Key) -> None:
        slot = self.slots.get(key)
        self.demand(slot is not None and not slot.entered, f"a handler is entered without a slot, or twice: {key}")
        if slot is not None:
            slot.entered = True

    def left(self, key: Key, reason: CancelReason | None) -> None:
        """End a handler; its slot is free at once if nothing of it is stored."""
        slot = self.slots.get(key)
        self.demand(slot is not None and not slot.left, f"a handler is left without a slot, or twice: {key}")
        if slot is None:
            return
        slot.left = True
        self.demand(reason is slot.reason, f"the reason is {reason}, expected {slot.reason}: {slot}")
        if reason in (CancelReason.LEASE_LOST, CancelReason.CANCELLED):
            del self.slots[key]

    def _in(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)


_ENDED_BY: Mapping[CancelReason | None, OutcomeType] = {
    CancelReason.TIMEOUT: Fails,
    CancelReason.SHUTDOWN: Releases,
}
