"""Stores outcomes in batches: what finished since the last statement goes into the next."""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from collections.abc import Callable, Sequence

from ..errors import Refused, Unavailable
from ..logs import Log
from ..loop import Loop
from ..model import CancelReason, Claimed, Settlement, Verdict
from ..spawn import spawn
from .crew import Crew
from .run import Run
from .verdicts import reason_of, refused

logger = Log("otelq.worker")

SHARES = (128, 1_000)
"""Batches are cut to a quarter of the slots, within these: so claims, handlers and settlements overlap under load."""
IDLE = 3600.0
BUSY_PAUSES = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Seconds between the tries for a row that somebody else's transaction holds."""

Item = tuple[Run, Settlement]


class Completer(Loop):
    """
    Takes outcomes over from attempts and keeps at it until each is stored or its lease is gone.

    One statement is under way at a time, and those that finish meanwhile share the next, so that batches grow with
    the load and a lone job does not wait.
    """

    def __init__(self, crew: Crew, *, on_fatal: Callable[[Exception], None]) -> None:
        super().__init__("completer", on_fatal=on_fatal)
        self._crew = crew
        self._share = sorted((*SHARES, crew.concurrency // 4))[1]
        self._items: list[Item] = []
        self._apart: dict[Run, asyncio.Task[None]] = {}

    def add(self, run: Run, settlement: Settlement) -> None:
        """Take over a settlement."""
        self._items.append((run, settlement))
        self.wake()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be stored."""
        return not self._items and not self._apart

    async def tick(self) -> float:
        """Store one batch."""
        await asyncio.sleep(0)  # those that finish in this turn of the event loop come along
        batch, self._items = self._items[: self._share], self._items[self._share :]
        if batch:
            try:
                with self._crew.engine.telemetry.silence():
                    await self._store(batch)
            except Exception:
                self._items[:0] = [item for item in batch if not item[0].done and item[0] not in self._apart]
                raise
        return 0.0 if self._items else IDLE

    async def stop(self) -> None:
        """End; what hangs apart on locked rows is left to the leases."""
        await super().stop()
        apart = list(self._apart.values())
        for task in apart:
            task.cancel()
        if apart:
            await asyncio.wait(apart)

    async def _store(self, batch: Sequence[Item], *, refused_before: bool = False) -> None:
        engine = self._crew.engine
        started = time.time_ns()
        try:
            settled = await engine.state.settle([settlement for _, settlement in batch])
        except Refused as error:
            if refused_before:
                return self._give_up(batch, error)
            return await self._halve(batch, error)
        engine.telemetry.settled(
            "settle",
            [settlement.trace for _, settlement in batch],
            started_ns=started,
            ended_ns=time.time_ns(),
            count=len(batch),
        )
        engine.effects.follow(settled.transitions)
        for (run, settlement), verdict in zip(batch, settled.verdicts, strict=True):
            self._tell(run, settlement, verdict, settled.kept.get(run.job.lease.chain_id))

    async def _halve(self, batch: Sequence[Item], error: Refused) -> None:
        """Find the value that the database refuses; its attempt alone fails, its neighbours are stored."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._store(batch[:middle])
            return await self._store(batch[middle:])
        [(run, _)] = batch
        outcome = refused(error, definition=run.definition, attempt=run.job.attempt, spread=random.random())
        await self._store([(run, run.failed_to_store(outcome, error))], refused_before=True)

    def _give_up(self, batch: Sequence[Item], error: Refused) -> None:
        """Not even the failure can be stored: free the slot, and let the lease run out."""
        for run, _ in batch:
            logger.error("%s: its failure cannot be stored either: %s", run, error)
            run.lost(CancelReason.LEASE_LOST)

    def _tell(self, run: Run, settlement: Settlement, verdict: Verdict, kept: Claimed | None) -> None:
        match verdict:
            case Verdict.DONE:
                run.acknowledged(kept)
            case Verdict.BUSY:
                self._store_apart(run, settlement)
            case Verdict.LOST | Verdict.CANCELLED:
                run.lost(reason_of(verdict))

    def _store_apart(self, run: Run, settlement: Settlement) -> None:
        """Somebody holds the row: try again beside the batches, so that nobody else waits for it."""
        task = spawn(self._until_free(run, settlement), name="otelq completer, apart", context=contextvars.Context())
        self._apart[run] = task
        task.add_done_callback(lambda _: self._apart.pop(run, None))

    async def _until_free(self, run: Run, settlement: Settlement) -> None:
        engine = self._crew.engine
        tries = 0
        with engine.telemetry.silence():
            while True:
                await asyncio.sleep(BUSY_PAUSES[min(tries, len(BUSY_PAUSES) - 1)])
                tries += 1
                try:
                    settled = await engine.state.settle([settlement])
                except Unavailable:
                    continue
                except Exception:  # the next batch meets it again, and knows what to do
                    return self.add(run, settlement)
                [verdict] = settled.verdicts
                if verdict is not Verdict.BUSY:
                    engine.effects.follow(settled.transitions)
                    return self._tell(run, settlement, verdict, settled.kept.get(run.job.lease.chain_id))
