"""The entry of a worker in the registry: its beats, when they are due, and its removal."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

from ..logs import Log
from ..model import WorkerBeat
from ..ports.state import StateAdapter
from ..spawn import spawn
from ..telemetry import installed_version
from ..texts import line
from .context import WorkerContext
from .slots import Slots

WITH_RENEWALS: Final = 30.0
"""Seconds since the last beat after which another goes with the next renewals: on SQLite both wake the processes."""
NEXT_TRY: Final = 10.0
"""Seconds from a beat that failed to the next."""
CENSUS: Final = 4
"""Beats from one count of the live workers to the next; the first ones are each followed by one, as a fleet starts."""
LONGEST_BEAT: Final = 5.0
"""Seconds after which a beat counts as failed."""
LONGEST_FAREWELL: Final = 1.0
"""Seconds that a stop may spend on the removal of the entry; the entry of a dead worker grows old."""

Verb: TypeAlias = Callable[[StateAdapter], Awaitable[None]]

logger = Log("otelq.worker")


class Registration:
    """
    Sends the beats of one worker: the first at once, others after ``interval`` and after a change.

    A worker that is busy beats more often than an idle one, together with the renewals of its leases. Nothing waits for
    a beat, and a worker that cannot be listed works all the same.

    Args:
        context: the worker.
        slots: its slots.
        interval: seconds between the beats of an idle worker.
        ask: calls a verb of the store, with the keeper's connection or another.
    """

    def __init__(
        self, context: WorkerContext, slots: Slots, *, interval: float, ask: Callable[[Verb], Awaitable[None]]
    ) -> None:
        self._context = context
        self._slots = slots
        self._interval = interval
        self._ask = ask
        self._beating: asyncio.Task[None] | None = None
        self._beats = 0
        self._started = time.monotonic()
        self._tried_at = float("-inf")
        self.failures = 0
        """The number of beats in a row that were not stored."""
        self._refused: Mapping[str, str] = {}
        """The types that were refused at the last beat."""
        self._is_unlisted_logged = False
        """The log has said that the worker is missing from the list of workers."""

    def beat_if_due(self, *, with_renewals: bool) -> None:
        """Begin to send a beat if one is due and none is on its way."""
        if (self._beating is None or self._beating.done()) and self.is_due(with_renewals=with_renewals):
            self._beating = spawn(self._send(self.beat()))

    async def leave(self) -> None:
        """Remove the entry, if the database does that soon."""
        if not self.is_known:
            return
        farewell = spawn(self._remove())
        await asyncio.wait([farewell], timeout=LONGEST_FAREWELL)
        # Not waited for: a driver may take long to give up a statement, and ends it when the connection is closed.
        farewell.cancel()

    def is_due(self, *, with_renewals: bool) -> bool:
        """Return whether to send a beat now."""
        age = time.monotonic() - self._tried_at
        if self.failures:
            return age >= NEXT_TRY
        return age >= (min(WITH_RENEWALS, self._interval) if with_renewals else self._interval) or self._has_changed

    @property
    def is_known(self) -> bool:
        """Return whether a beat was sent, so that there may be an entry to remove."""
        return self._tried_at > float("-inf")

    def beat(self) -> WorkerBeat:
        """Return the beat to send now; ``succeeded`` or ``failed`` must follow."""
        self._tried_at = time.monotonic()
        self._refused = self._refusals
        return WorkerBeat(
            id=self._context.id,
            name=self._context.name,
            host=line(socket.gethostname()),
            pid=os.getpid(),
            version=installed_version(),
            queues=self._context.queues,
            types=tuple(self._context.types),
            refused={type: line(reason) for type, reason in self._refused.items()},
            slots=self._slots.capacity,
            running=self._slots.capacity - self._slots.free,
            age=self._tried_at - self._started,
        )

    def succeeded(self) -> None:
        """Note that the last beat was stored."""
        self.failures = 0

    def failed(self) -> None:
        """Note that the last beat was not stored: the next try comes sooner."""
        self.failures += 1

    @property
    def _has_changed(self) -> bool:
        return self._refused != self._refusals

    @property
    def _refusals(self) -> dict[str, str]:
        """Return the types that the worker has stopped to claim; all of them once it stops."""
        if self._context.stopping.is_set():
            return dict.fromkeys(self._context.types, "it is stopping")
        # Copied under the GIL: the main loop changes it while this runs in the keeper's thread.
        return dict(self._context.refused)

    async def _send(self, beat: WorkerBeat) -> None:
        try:
            async with asyncio.timeout(LONGEST_BEAT):
                await self._ask(partial(self._beat_and_count, beat))
        except Exception as error:
            self.failed()
            self._log_unlisted(str(error) or "no answer")
        else:
            self.succeeded()
            if self._is_unlisted_logged:
                logger.info("worker %s is in the list of workers again", beat.name)
            self._is_unlisted_logged = False

    async def _beat_and_count(self, beat: WorkerBeat, state: StateAdapter) -> None:
        await state.beat([beat])
        self._beats += 1
        if self._beats > CENSUS and self._beats % CENSUS:
            return
        self._context.live_workers.count = len(await state.workers())

    def _log_unlisted(self, reason: str) -> None:
        """Log once that the worker is not listed: at the second try, and not while the database is away for all."""
        is_new = self.failures > 1 and not (self._is_unlisted_logged or self._context.outage.is_on)
        level = logging.WARNING if is_new else logging.DEBUG
        logger.log(level, "worker %s is missing from the list of workers: %s", self._context.name, reason)
        self._is_unlisted_logged = self._is_unlisted_logged or is_new

    async def _remove(self) -> None:
        with suppress(Exception):
            if self._beating is not None:
                await asyncio.wait([self._beating])  # a beat that is stored later would list the worker again
            await self._ask(lambda state: state.remove_workers([self._context.id]))
