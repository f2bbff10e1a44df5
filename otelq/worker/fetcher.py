"""Claims jobs for free slots; wakes by hint, by the next due time or by the poll interval."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from ..errors import Unavailable
from ..loop import Loop
from ..model import Claimed, ClaimRequest, Status, Verb
from ..ports.notify import Hint, HintKind
from ..telemetry import CounterName
from .active_job import ActiveJob
from .completer import Completer
from .context import WorkerContext
from .slots import Slots

LONGEST_DENIAL = 1.0
"""Seconds between two looks at most, while all that is due is locked by somebody else."""


class Fetcher(Loop):
    """Shares the free slots out among the job types, so that no type waits more than one rotation."""

    def __init__(
        self, crew: WorkerContext, slots: Slots, completer: Completer, *, on_fatal: Callable[[Exception], None]
    ) -> None:
        super().__init__("fetcher", on_fatal=on_fatal)
        self._crew = crew
        self._slots = slots
        self._completer = completer
        self._order = list(crew.definitions)
        """Who is asked first where there are fewer slots than types."""
        self._orphans: list[int] = []
        self._wake_at = 0.0
        self._denied = 0
        """How often in a row something was due and nothing could be claimed."""
        self._sated = False
        """Every type has said that nothing more is due: a freed slot alone is no reason to ask again."""
        slots.on_free = self._freed

    def hinted(self, hint: Hint) -> None:
        """Look now, or when the hinted job is due."""
        if hint.kind is HintKind.CHANGED:
            return self.wake()
        if hint.kind is not HintKind.DUE or hint.subject not in self._crew.definitions:
            return
        if hint.delay <= 0:
            return self.wake()
        loop = asyncio.get_running_loop()
        due = loop.time() + hint.delay
        if due < self._wake_at:
            self._wake_at = due
            loop.call_at(due, self.wake)

    async def tick(self) -> float:
        """Claim until the slots are full or nothing is due; then sleep until something is."""
        loop = asyncio.get_running_loop()
        self._wake_at = loop.time() + self._crew.poll_interval
        with self._crew.engine.telemetry.silence():
            await self._release_claims()
            self._sated = await self._fill()
            if self._sated:
                due = await self._crew.engine.state.next_due(self._crew.types)
                if due is not None:
                    self._wake_at = min(self._wake_at, loop.time() + self._patience(due))
        return max(0.001, self._wake_at - loop.time())

    def _patience(self, due: float) -> float:
        """Seconds until something is due; what is due and locked is looked at less and less often."""
        if due > 0:
            self._denied = 0
            return due
        self._denied += 1
        return min(LONGEST_DENIAL, 0.001 * 2.0 ** min(self._denied, 10))

    async def _fill(self) -> bool:
        """Claim for all free slots; whether every type was asked and none has more."""
        dry: set[str] = set()
        suspects_wait = False
        while self._slots.free > 0 and not self._crew.stopping.is_set():
            wanted = self._shares(self._slots.free, dry)
            if not wanted:
                return not suspects_wait and len(dry) == len(self._crew.definitions)
            suspect = self._slots.suspects == 0
            suspects_wait = suspects_wait or not suspect
            claimed = await self._claim(wanted, suspect=suspect)
            got = Counter(job.type for job in claimed)
            dry.update(arm.type for arm in wanted if got[arm.type] < arm.limit)
            for job in claimed:
                ActiveJob(job, crew=self._crew, slots=self._slots, completer=self._completer).begin()
        return False

    def _shares(self, free: int, dry: set[str]) -> Sequence[ClaimRequest]:
        """An even share for every type that may have more; the remainder goes round, most to whoever had least."""
        room = {type: self._room(type) for type in self._order if type not in dry}
        types = [type for type, places in room.items() if places > 0]
        if not types:
            return ()
        share, extra = divmod(free, len(types))
        limits = {type: share + (place < extra) for place, type in enumerate(types)}
        self._order.sort(key=lambda type: limits.get(type, 0))
        return [self._arm(type, min(limit, room[type])) for type, limit in limits.items() if limit]

    def _room(self, type: str) -> int:
        most = self._crew.definitions[type].concurrency
        return self._slots.capacity if most is None else most - self._slots.by_type[type]

    def _arm(self, type: str, limit: int) -> ClaimRequest:
        definition = self._crew.definitions[type]
        return ClaimRequest(type=type, limit=limit, lease=definition.lease, timeout=self._crew.time_for(definition))

    async def _claim(self, wanted: Sequence[ClaimRequest], *, suspect: bool) -> Sequence[Claimed]:
        engine = self._crew.engine
        token = secrets.randbits(63)
        started = time.time_ns()
        try:
            claimed, transitions = await engine.state.claim(
                wanted, worker=self._crew.name, token=token, include_suspect=suspect
            )
        except Unavailable:
            self._orphans.append(token)  # the reply may be lost while the claim was made
            raise
        if not claimed:
            engine.telemetry.count(CounterName.CLAIM_EMPTY)
        else:
            self._denied = 0
            engine.telemetry.claimed(claimed, started_ns=started, worker=self._crew.name)
            engine.effects.follow(transitions)
        return claimed

    async def _release_claims(self) -> None:
        """Give back what was claimed for us by statements whose replies were lost."""
        while self._orphans:
            released = await self._crew.engine.state.release_claim(self._orphans[-1])
            claims = [replace(one, verb=Verb.CLAIM, source=Status.READY, target=Status.RUNNING) for one in released]
            self._crew.engine.effects.follow([*claims, *released])  # nobody had heard of the claims before
            self._orphans.pop()

    def _freed(self) -> None:
        if not self._sated:
            self.wake()
