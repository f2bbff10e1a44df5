"""
Store outcomes in batches: those that finished during a statement go into the next.

One outcome that the database refuses fails its own attempt alone. One that meets a passing error again and again is
found by halving its batches, and is then tried by itself, so that its neighbours are stored.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Sequence
from itertools import takewhile
from random import SystemRandom

from msgspec import Struct
from msgspec.structs import replace

from ..errors import Refused, Unavailable
from ..logs import Log
from ..loop import Loop
from ..model import CancelReason, Claimed, Settlement, SettleResult
from ..spawn import spawn
from .active_job import ActiveJob
from .context import WorkerContext
from .outcomes import of_refusal, reason_of

_RANDOM = SystemRandom()  # the numbers of `random` are the application's, which may have seeded it

logger = Log("otelq.worker")

BATCH_LIMITS = (128, 1_000)
"""Batches are cut to a quarter of the slots, within these: so claims, handlers and settlements overlap under load."""
IDLE = 3600.0
FAILURES_BEFORE_HALVING = 2
"""How often a batch may meet a passing error before it is halved: most errors concern the whole database."""
RETRY_PAUSES = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds between the tries for an outcome that is stored by itself."""
BUSY_PAUSE = 1.0
"""The longest of these pauses while another transaction holds the row."""


class PendingOutcome(Struct, frozen=True, eq=False, gc=False):
    """An outcome to be stored, in a batch of ``batch_limit`` that have met a passing error equally often."""

    active: ActiveJob
    settlement: Settlement
    batch_limit: int
    failures: int = 0
    first_error_at: float = 0.0
    """The monotonic time of the first of these errors."""

    def after_failure(self, size: int) -> PendingOutcome:
        """Return the same item after its batch of this size met a passing error."""
        failures = self.failures + 1
        batch_limit = self.batch_limit if failures < FAILURES_BEFORE_HALVING else max(1, size // 2)
        return replace(
            self, batch_limit=batch_limit, failures=failures, first_error_at=self.first_error_at or time.monotonic()
        )

    @property
    def is_unstorable(self) -> bool:
        """Whether its lease could be renewed for the whole length of a lease, while this could not be stored."""
        return (
            self.failures > FAILURES_BEFORE_HALVING
            and self.active.renewed_at - self.first_error_at > self.active.definition.lease
        )


class Completer(Loop):
    """
    Takes outcomes over from attempts and keeps at it until each is stored or its lease is gone.

    One statement is under way at a time, and those that finish meanwhile share the next, so that batches grow with
    the load and a lone job does not wait.
    """

    def __init__(self, context: WorkerContext, *, on_fatal: Callable[[Exception], None]) -> None:
        super().__init__("completer", on_fatal=on_fatal)
        self._context = context
        self._batch_limit = sorted((*BATCH_LIMITS, context.concurrency // 4))[1]
        self._items: list[PendingOutcome] = []
        self._separate: dict[ActiveJob, asyncio.Task[None]] = {}

    def add(self, active: ActiveJob, settlement: Settlement) -> None:
        """Take over a settlement."""
        self._items.append(PendingOutcome(active, settlement, self._batch_limit))
        self.wake()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be stored."""
        return not self._items and not self._separate

    async def tick(self) -> float:
        """Store one batch."""
        await asyncio.sleep(0)  # those that finish in this turn of the event loop come along
        if batch := self._take_batch():
            try:
                with self._context.engine.telemetry.silence():
                    await self._store(batch)
            except Unavailable as error:
                self._put_back(batch, error)
                raise
            except Exception:
                self._items[:0] = self._unstored(batch)
                raise
        return 0.0 if self._items else IDLE

    def _take_batch(self) -> list[PendingOutcome]:
        if not self._items:
            return []
        first = self._items[0]
        batch = list(takewhile(lambda item: item.failures == first.failures, self._items[: first.batch_limit]))
        del self._items[: len(batch)]
        return batch

    def _put_back(self, batch: Sequence[PendingOutcome], error: Unavailable) -> None:
        """Let the others go first; where others wait, an outcome that failed by itself is tried beside the batches."""
        left = [item.after_failure(len(batch)) for item in self._unstored(batch)]
        if len(batch) > 1:
            self._items += left
        elif left and left[0].is_unstorable:
            self._give_up(left, error)
        elif left and left[0].failures > FAILURES_BEFORE_HALVING and self._items:
            self._store_separately(left[0])
        else:
            self._items += left

    def _unstored(self, batch: Sequence[PendingOutcome]) -> list[PendingOutcome]:
        return [item for item in batch if not item.active.done and item.active not in self._separate]

    async def stop(self) -> None:
        """End; outcomes that are tried by themselves are left to the leases."""
        await super().stop()
        tasks = list(self._separate.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _store(self, batch: Sequence[PendingOutcome], *, was_refused: bool = False) -> None:
        engine = self._context.engine
        started = time.time_ns()
        try:
            settled = await engine.state.settle([item.settlement for item in batch])
        except Refused as error:
            if was_refused:
                return self._give_up(batch, error)
            return await self._halve(batch, error)
        engine.telemetry.record_settlement(
            "settle",
            [item.settlement.trace for item in batch],
            started_ns=started,
            ended_ns=time.time_ns(),
            count=len(batch),
        )
        engine.effects.follow(settled.transitions)
        for item, result in zip(batch, settled.results, strict=True):
            self._apply_result(item, result, settled.claimed_successors.get(item.active.job.lease.chain_id))

    async def _halve(self, batch: Sequence[PendingOutcome], error: Refused) -> None:
        """Find the value that the database refuses; its attempt alone fails, its neighbours are stored."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._store(batch[:middle])
            return await self._store(batch[middle:])
        [item] = batch
        active = item.active
        outcome = of_refusal(error, definition=active.definition, attempt=active.job.attempt, spread=_RANDOM.random())
        await self._store([replace(item, settlement=active.replace_refused(outcome, error))], was_refused=True)

    def _give_up(self, batch: Sequence[PendingOutcome], error: Exception) -> None:
        """Free the slot of an outcome that cannot be stored, not even as a failure, and let the lease run out."""
        for item in batch:
            logger.error("%s: what came of it cannot be stored: %s", item.active, error)
            item.active.lost(CancelReason.LEASE_LOST)

    def _apply_result(self, item: PendingOutcome, result: SettleResult, successor: Claimed | None) -> None:
        match result:
            case SettleResult.DONE:
                item.active.acknowledged(successor)
            case SettleResult.BUSY:
                self._store_separately(item)
            case SettleResult.LOST | SettleResult.CANCELLED:
                item.active.lost(reason_of(result))

    def _store_separately(self, item: PendingOutcome) -> None:
        """Try again beside the batches, so that no other outcome waits for this row."""
        task = spawn(self._retry_until_stored(item), name="otelq completer, apart", context=contextvars.Context())
        self._separate[item.active] = task
        task.add_done_callback(lambda _: self._separate.pop(item.active, None))

    async def _retry_until_stored(self, item: PendingOutcome) -> None:
        tries = 0
        while True:
            longest = RETRY_PAUSES[-1] if item.failures else BUSY_PAUSE
            await asyncio.sleep(min(RETRY_PAUSES[min(tries, len(RETRY_PAUSES) - 1)], longest))
            tries += 1
            try:
                if await self._try_to_store(item):
                    return
                item = replace(item, failures=0, first_error_at=0.0)
            except Unavailable as error:
                item = item.after_failure(1)
                if item.is_unstorable:
                    return self._give_up([item], error)
            except Exception:  # the next batch meets it again, and knows what to do
                return self.add(item.active, item.settlement)

    async def _try_to_store(self, item: PendingOutcome) -> bool:
        """Return whether the database has answered for the outcome, rather than that the row is locked."""
        engine = self._context.engine
        with engine.telemetry.silence():
            settled = await engine.state.settle([item.settlement])
        [result] = settled.results
        if result is SettleResult.BUSY:
            return False
        engine.effects.follow(settled.transitions)
        self._apply_result(item, result, settled.claimed_successors.get(item.active.job.lease.chain_id))
        return True
