"""Claims jobs for free slots; a hint, the next due time or the poll interval wakes it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set

from msgspec.structs import replace

from ..errors import Forbidden, Unavailable
from ..loop import Loop
from ..model import Claimed, ClaimRequest, Status, Verb
from ..ports.notify import Hint, HintKind
from ..telemetry import CounterName
from .active_job import ActiveJob
from .completer import Completer
from .context import WorkerContext
from .slots import Slots
from .turns import Turns

LOCKED_PAUSE_LIMIT = 1.0
"""The longest pause in seconds between two claims while other transactions lock every due job."""


class Rotation:
    """Names that share a number of slots, in the order in which they get some when there are fewer slots than names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)

    def without(self, left_out: Set[str]) -> Set[str]:
        """Return the other names."""
        return {name for name in self._names if name not in left_out}

    def divide(self, slots: int, *, among: Set[str]) -> dict[str, int]:
        """Return an even share for each of the given names; those that get none are left out."""
        if not among:
            return {}
        share, extra = divmod(slots, len(among))
        names = [name for name in self._names if name in among]
        shares = {name: share + (index < extra) for index, name in enumerate(names)}
        # The remainder goes to the first names; the sort puts them last, so that it goes to others next time.
        self._names.sort(key=lambda name: shares.get(name, 0))
        return {name: count for name, count in shares.items() if count}


class Fetcher(Loop):
    """Divides the free slots among the job types, so that no type waits longer than one rotation."""

    def __init__(
        self, context: WorkerContext, slots: Slots, completer: Completer, *, on_fatal: Callable[[Exception], None]
    ) -> None:
        super().__init__("fetcher", on_fatal=on_fatal, outage=context.outage)
        self._context = context
        self._slots = slots
        self._completer = completer
        types = dict.fromkeys(definition.job_type for definition in context.definitions.values())
        self._names = {type.name: Rotation(type.names) for type in types}
        """The names of each job type: jobs under its aliases have their part of the share of the type."""
        self._types = Rotation(self._names)
        self._lost_claims: list[int] = []
        """Tokens of claims that may have been committed although their replies were lost."""
        self._wake_at = 0.0
        self._denied_claims = 0
        """Consecutive rounds in which jobs were due and none could be claimed: other transactions hold them locked."""
        self._is_exhausted = False
        """The last claims found nothing more for any type, so a freed slot alone is no reason to claim again."""
        self._has_claimed = False
        """The current tick has claimed jobs."""
        self._is_woken = False
        """Something has woken the loop since its last tick, and not only its own timer."""
        self._expects_nothing = False
        """The last tick found nothing that is due before the next poll."""
        self._turns = Turns(context.id, self.wake)
        slots.on_free = self._on_slot_freed

    def wake(self) -> None:
        """Run the next tick at once, and claim in it."""
        self._is_woken = True
        super().wake()

    def on_hint(self, hint: Hint) -> None:
        """Claim at once, or when the hinted job is due."""
        if hint.kind is HintKind.CHANGED:
            return self.wake()
        if hint.kind is HintKind.TAKEN:
            return self._turns.give_up(hint.subject)
        if hint.kind is not HintKind.DUE or hint.subject not in self._context.served:
            return
        if hint.delay <= 0:
            self._turns.fleet = self._context.live_workers.count
            return self._turns.take(hint)
        loop = asyncio.get_running_loop()
        due = loop.time() + hint.delay
        if due < self._wake_at:  # else the loop wakes before that anyway
            self._wake_at = due
            loop.call_at(due, self.wake)

    async def tick(self) -> float:
        """Claim until the slots are full or nothing is due; return the seconds until the next job is due."""
        loop = asyncio.get_running_loop()
        # Set before the claims: a hint that arrives during them is compared with it.
        self._wake_at = loop.time() + self._context.longest_sleep
        is_poll, self._is_woken = self._expects_nothing and not self._is_woken, False
        self._has_claimed = self._expects_nothing = False
        self._turns.begin_look()
        with self._context.engine.telemetry.silence():
            await self._release_claims()
            # A poll that finds nothing, as nearly all do, is one statement: the claim would be a second one.
            due = await self._next_due() if is_poll else 0.0
            if due <= 0:
                self._is_exhausted = await self._fill()
                self._spare_others()
                due = await self._next_due() if self._is_exhausted else 0.0
        if self._is_exhausted:
            self._wake_at = min(self._wake_at, loop.time() + self._pause_until(due))
            self._expects_nothing = due > self._context.longest_sleep
        return max(0.001, self._wake_at - loop.time())

    async def _next_due(self) -> float:
        due = await self._context.engine.state.next_due(self._context.served)
        return float("inf") if due is None else due

    async def stop(self) -> None:
        """Stop looking for jobs."""
        self._turns.close()
        await super().stop()

    def _spare_others(self) -> None:
        taken = self._turns.end_look(has_claimed=self._has_claimed, is_exhausted=self._is_exhausted)
        if taken:
            self._context.engine.notify.publish(taken)

    def _pause_until(self, due: float) -> float:
        """Return the pause until a job is due; it doubles while every due job is locked by other transactions."""
        if due > 0:
            self._denied_claims = 0
            return due
        self._denied_claims += 1
        return min(LOCKED_PAUSE_LIMIT, 0.001 * 2.0 ** min(self._denied_claims, 10))

    async def _fill(self) -> bool:
        """Claim for all free slots; return True if every type was asked and none has more due jobs."""
        exhausted = set(self._context.refused)
        suspects_left_out = False
        while self._slots.free > 0 and not self._context.stopping.is_set():
            requests = self._claim_requests(self._slots.free, exhausted)
            if not requests:
                return not suspects_left_out and len(exhausted) == len(self._context.definitions)
            # A suspect lost a lease to a crash before. One of them runs at a time, so that the next crash shows the
            # culprit.
            suspect = self._slots.suspects == 0
            suspects_left_out = suspects_left_out or not suspect
            claimed = await self._claim(requests, suspect=suspect)
            counts = Counter(job.type for job in claimed)
            exhausted.update(request.type for request in requests if counts[request.type] < request.limit)
            for job in claimed:
                ActiveJob(job, context=self._context, slots=self._slots, completer=self._completer).begin()
        return False

    def _claim_requests(self, free: int, exhausted: set[str]) -> Sequence[ClaimRequest]:
        """Return requests for an even share of the slots for each type that may have more due jobs."""
        open_names = {type: names.without(exhausted) for type, names in self._names.items()}
        free_slots = {type: self._free_for(type) for type, names in open_names.items() if names}
        shares = self._types.divide(free, among={type for type, count in free_slots.items() if count > 0})
        return [
            self._claim_request(name, limit)
            for type, share in shares.items()
            for name, limit in self._names[type].divide(min(share, free_slots[type]), among=open_names[type]).items()
        ]

    def _free_for(self, type: str) -> int:
        most = self._context.definitions[type].concurrency
        return self._slots.capacity if most is None else most - self._slots.by_type[type]

    def _claim_request(self, name: str, limit: int) -> ClaimRequest:
        definition = self._context.definitions[name]
        return ClaimRequest(
            type=name, limit=limit, lease=definition.lease, timeout=self._context.lease_limit(definition)
        )

    async def _claim(self, requests: Sequence[ClaimRequest], *, suspect: bool) -> Sequence[Claimed]:
        engine = self._context.engine
        token = secrets.randbits(63)
        started = time.time_ns()
        try:
            claimed, transitions = await engine.state.claim(
                requests, worker=self._context.name, token=token, include_suspect=suspect
            )
        except Forbidden:
            raise  # nothing was claimed
        except Unavailable:
            # The claim may have been committed and only its reply lost. Its jobs run nowhere, but each would wait for
            # its lease to run out; the token finds them again.
            self._lost_claims.append(token)
            raise
        if not claimed:
            engine.telemetry.count(CounterName.CLAIM_EMPTY)
        else:
            self._denied_claims = 0
            self._has_claimed = True
            engine.telemetry.record_claim(claimed, started_ns=started, worker=self._context.name)
            engine.effects.follow(transitions)
        return claimed

    async def _release_claims(self) -> None:
        """Release the jobs of claims whose replies were lost."""
        while self._lost_claims:
            released = await self._context.engine.state.release_claim(self._lost_claims[-1])
            # Nothing has reported these claims yet. Their transitions are added, so that each release has its claim.
            claims = [replace(one, verb=Verb.CLAIM, source=Status.READY, target=Status.RUNNING) for one in released]
            self._context.engine.effects.follow([*claims, *released])
            self._lost_claims.pop()  # only now: a failed release is tried again in the next tick

    def _on_slot_freed(self) -> None:
        if not self._is_exhausted:
            self.wake()
