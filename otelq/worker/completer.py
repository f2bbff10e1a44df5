"""
Stores the outcomes of attempts in batches: attempts that end during a statement go into the next one.

An outcome that the database refuses fails its own attempt only. One that fails again and again with a transient error
is found by halving its batches. It is then stored separately, so that the others of its batch do not wait for it.
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
from .outcomes import outcome_of_refusal, reason_of

_RANDOM = SystemRandom()  # `random` belongs to the application, which may have seeded it

logger = Log("otelq.worker")

BATCH_LIMITS = (128, 1_000)
"""
The least and the most for the size of a batch, which is a quarter of the slots.

A smaller batch than all slots lets claims, handlers and settlements overlap under load
(``docs/decisions/0009-settlements-go-in-quarters.md``).
"""
IDLE = 3600.0
"""Seconds between ticks when there is nothing to store; ``add`` wakes the loop."""
FAILURES_BEFORE_HALVING = 2
"""Transient errors of a batch before it is halved. Most are about the whole database, and halving would not help."""
OVERDUE = 0.5
"""The age in lease lengths at which a lease should have been renewed: that is tried after a third."""
RETRY_PAUSES = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds between the attempts to store an outcome separately."""
BUSY_PAUSE = 1.0
"""The longest of these pauses while another transaction has locked the row."""


class PendingOutcome(Struct, frozen=True, eq=False, gc=False):
    """An outcome to be stored, in a batch of up to ``batch_limit`` outcomes with equally many failures."""

    active: ActiveJob
    settlement: Settlement
    batch_limit: int
    failures: int = 0
    first_error_at: float = 0.0
    """The monotonic time of the first of these failures while the lease was renewed; 0 without one."""

    def after_failure(self, size: int) -> PendingOutcome:
        """Return the item after a transient error of its batch, which had this size."""
        failures, now = self.failures + 1, time.monotonic()
        batch_limit = self.batch_limit if failures < FAILURES_BEFORE_HALVING else max(1, size // 2)
        # A lease that is not renewed either is no sign against the outcome: the database is away.
        is_away = self.active.age(now) > OVERDUE
        first_error_at = now if is_away else self.first_error_at or now
        return replace(self, batch_limit=batch_limit, failures=failures, first_error_at=first_error_at)

    @property
    def is_unstorable(self) -> bool:
        """
        Return whether the outcome failed for the length of a lease during which the lease itself was renewed.

        The database can be reached then, and something about this outcome is wrong.
        """
        return (
            self.failures > FAILURES_BEFORE_HALVING
            and self.active.renewed_at - self.first_error_at > self.active.definition.lease
        )


class Completer(Loop):
    """
    Takes outcomes from attempts and tries until each is stored or its lease is lost.

    One statement runs at a time, and outcomes that arrive meanwhile share the next one. Batches grow with the load,
    and a single job does not wait.
    """

    def __init__(self, context: WorkerContext, *, on_fatal: Callable[[Exception], None]) -> None:
        super().__init__("completer", on_fatal=on_fatal, outage=context.outage)
        self._context = context
        self._batch_limit = sorted((*BATCH_LIMITS, context.concurrency // 4))[1]
        self._items: list[PendingOutcome] = []
        self._separate: dict[ActiveJob, asyncio.Task[None]] = {}

    def add(self, active: ActiveJob, settlement: Settlement) -> None:
        """Queue a settlement. From here on its job ends with ``acknowledged`` or ``lost``."""
        self._items.append(PendingOutcome(active, settlement, self._batch_limit))
        self.wake()

    @property
    def idle(self) -> bool:
        """Return whether nothing is left to store."""
        return not self._items and not self._separate

    async def tick(self) -> float:
        """Store one batch."""
        await asyncio.sleep(0)  # attempts that end in this turn of the event loop join the batch
        if batch := self._take_batch():
            try:
                with self._context.engine.telemetry.silence():
                    await self._store(batch)
            except Unavailable as error:
                self._put_back(batch, error)
                raise
            except Exception:
                # A bug or wrong configuration: the loop gives up after ten of these. Until then the order stays.
                self._items[:0] = self._unstored(batch)
                raise
        return 0.0 if self._items else IDLE

    def _take_batch(self) -> list[PendingOutcome]:
        if not self._items:
            return []
        # Equally many failures: an outcome that fails again and again must not hold up the batch of those that never
        # did.
        first = self._items[0]
        batch = list(takewhile(lambda item: item.failures == first.failures, self._items[: first.batch_limit]))
        del self._items[: len(batch)]
        return batch

    def _put_back(self, batch: Sequence[PendingOutcome], error: Unavailable) -> None:
        """Queue a failed batch behind the others; store a single outcome separately if others wait."""
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
        # A batch that was halved may have failed in its second half; the first half is settled then.
        return [item for item in batch if not item.active.done and item.active not in self._separate]

    async def stop(self) -> None:
        """Stop; outcomes that are stored separately are left to their leases."""
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
        """Split the batch until the refused outcome is alone; fail its attempt, and store the others."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._store(batch[:middle])
            return await self._store(batch[middle:])
        [item] = batch
        active = item.active
        # A failure in place of the outcome. If that is refused too, as by a constraint of the user's, nothing can be
        # stored.
        outcome = outcome_of_refusal(
            error, definition=active.definition, attempt=active.job.attempt, random_fraction=_RANDOM.random()
        )
        await self._store([replace(item, settlement=active.replace_refused(outcome, error))], was_refused=True)

    def _give_up(self, batch: Sequence[PendingOutcome], error: Exception) -> None:
        """Free the slots of outcomes that cannot be stored, not even as failures; their leases run out."""
        for item in batch:
            logger.error("%s: its outcome cannot be stored: %s", item.active, error)
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
        """Store an outcome in a task of its own, so that no other outcome waits for its row."""
        task = spawn(self._retry_until_stored(item), name="otelq completer, separate", context=contextvars.Context())
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
                item = replace(item, failures=0, first_error_at=0.0)  # only locked: the database works
            except Unavailable as error:
                item = item.after_failure(1)
                if item.is_unstorable:
                    return self._give_up([item], error)
            except Exception:  # a refusal or a bug: the next batch meets it again and handles it
                return self.add(item.active, item.settlement)

    async def _try_to_store(self, item: PendingOutcome) -> bool:
        """Settle one outcome; return False if its row is locked."""
        engine = self._context.engine
        with engine.telemetry.silence():
            settled = await engine.state.settle([item.settlement])
        [result] = settled.results
        if result is SettleResult.BUSY:
            return False
        engine.effects.follow(settled.transitions)
        self._apply_result(item, result, settled.claimed_successors.get(item.active.job.lease.chain_id))
        return True
