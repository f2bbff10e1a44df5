"""
Renews the leases of running attempts, in a thread and with a connection of its own; and reports that the worker lives.

A handler that blocks the event loop for a while must not cost other attempts their leases. One that blocks it for ever
must: its process does no work any more. So the keeper goes on while the main loop stalls, up to ``MAX_STALL`` leases.
After that it treats the process as dead, logs all stacks, and lets the leases run out for the reapers of other workers.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import TypeVar

from ..errors import Unavailable
from ..logs import Log
from ..loop import DATABASE_ERRORS, Loop
from ..model import Renewal, SettleResult
from ..ports.notify import Hint, HintKind
from ..ports.state import StateAdapter
from .active_job import ActiveJob
from .context import WorkerContext
from .outcomes import reason_of
from .registration import Registration
from .slots import Slots

logger = Log("otelq.worker")

MAX_STALL = 10
"""Lease lengths without a turn of the main loop after which the process counts as dead."""
RENEW_AFTER = 1 / 3
"""The age at which a lease is renewed, as a fraction of its length. Several tries fit before it runs out."""
LARGEST_BATCH = 1_000

T = TypeVar("T")


def current_frames() -> list[FrameType]:
    """Return the current frame of every thread of the process."""
    return list(sys._current_frames().values())  # pyright: ignore[reportPrivateUsage]  # documented, and has no other name


class Renewals(Loop):
    """The loop that renews; runs in the keeper's thread, or in the main loop if the store allows no second adapter."""

    def __init__(
        self,
        context: WorkerContext,
        slots: Slots,
        state: StateAdapter,
        *,
        main: asyncio.AbstractEventLoop,
        on_fatal: Callable[[Exception], object],
        is_sibling: bool,
    ) -> None:
        super().__init__("keeper", on_fatal=on_fatal, outage=context.outage)
        self._context = context
        self._slots = slots
        self._state = state
        self._main = main
        self._shortest = min(definition.lease for definition in context.definitions.values())
        self._main_turn_at = time.monotonic()
        self._stalled = False
        self._unopened = self._is_sibling = is_sibling
        self._registration = Registration(context, slots, interval=state.beat_interval, ask=self._ask)
        self._is_fallback_logged = False
        """The log has said that the keeper has no connection of its own."""

    async def tick(self) -> float:
        """Renew every lease that is older than a third of its length; then send a beat if one is due."""
        # A stalled main loop does not run this callback, and the time of its last turn grows old.
        self._main.call_soon_threadsafe(self._note_main_turn)
        if self._unopened:
            with suppress(*DATABASE_ERRORS):  # logged once there is something to renew
                await self._open()
        if self._is_stalled():
            return self._shortest * RENEW_AFTER
        now = time.monotonic()
        due = [active for active in self._slots.active_jobs() if not active.done and active.age(now) >= RENEW_AFTER]
        for first in range(0, len(due), LARGEST_BATCH):
            await self._renew(due[first : first + LARGEST_BATCH])
        self._registration.beat_if_due(with_renewals=bool(due))
        return min(self._shortest * RENEW_AFTER / 2, 5.0)

    async def _renew(self, active_jobs: list[ActiveJob]) -> None:
        # Taken before the statement: the database counts the lease from a later moment, so this errs on the safe side.
        asked = time.monotonic()
        results = await self._renew_leases(
            [Renewal(active.job.lease, active.definition.lease) for active in active_jobs]
        )
        for active, result in zip(active_jobs, results, strict=True):
            match result:
                case SettleResult.DONE:
                    active.renewed_at = asked
                case SettleResult.LOST | SettleResult.CANCELLED:
                    # Tasks belong to the main loop; only it may cancel them.
                    self._main.call_soon_threadsafe(active.cancel, reason_of(result))
                case SettleResult.BUSY:
                    pass  # another transaction has locked the row; the next tick renews again

    async def _renew_leases(self, renewals: Sequence[Renewal]) -> Sequence[SettleResult]:
        """Renew with the keeper's own connection; if that fails, with one of the main loop's."""
        try:
            if self._unopened:
                await self._open()
            with self._context.engine.telemetry.silence():
                results = await self._state.renew(renewals)
        except DATABASE_ERRORS as error:
            if not self._is_sibling:
                raise
            self._log_fallback(error)
            return await self._in_main_loop(lambda state: state.renew(renewals))
        self._is_fallback_logged = False
        return results

    async def _open(self) -> None:
        with self._context.engine.telemetry.silence():
            await self._state.open(migrate=False)
        self._unopened = False

    async def leave(self) -> None:
        """Remove the worker from the registry, if the database does that soon."""
        await self._registration.leave()

    async def _ask(self, verb: Callable[[StateAdapter], Awaitable[T]]) -> T:
        """Call a verb with the keeper's own connection; if there is none, with one of the main loop's."""
        if self._unopened:
            return await self._in_main_loop(verb)
        with self._context.engine.telemetry.silence():
            return await verb(self._state)

    async def _in_main_loop(self, verb: Callable[[StateAdapter], Awaitable[T]]) -> T:
        async def ask() -> T:
            with self._context.engine.telemetry.silence():
                return await verb(self._context.engine.state)

        asked = asyncio.run_coroutine_threadsafe(ask(), self._main)
        # Limited: a main loop that is blocked would never answer, and the keeper must get to its stall check.
        try:
            async with asyncio.timeout(self._shortest * RENEW_AFTER):
                return await asyncio.wrap_future(asked)
        except TimeoutError:
            raise Unavailable("the keeper has no connection of its own, and the main loop is busy") from None

    def _log_fallback(self, error: Exception) -> None:
        if not self._is_fallback_logged:
            logger.warning("the keeper has no connection of its own, and uses the main loop's: %s", error)
        self._is_fallback_logged = True

    def _note_main_turn(self) -> None:
        self._main_turn_at = time.monotonic()

    @property
    def main_is_stalled(self) -> bool:
        """Return whether the main loop has had no turn for so long that the process counts as dead; from any thread."""
        return time.monotonic() - self._main_turn_at > MAX_STALL * self._shortest

    def _is_stalled(self) -> bool:
        stalled = self.main_is_stalled
        if stalled and not self._stalled:
            stacks = "\n".join("".join(traceback.format_stack(frame)) for frame in current_frames())
            logger.critical("the event loop has stalled; its leases are no longer renewed\n%s", stacks)
        self._stalled = stalled
        return stalled


class Keeper:
    """Starts and stops the renewals and beats, in a thread if the store allows a second adapter."""

    def __init__(self, context: WorkerContext, slots: Slots, *, on_fatal: Callable[[Exception], None]) -> None:
        self._context = context
        self._slots = slots
        self._on_fatal = on_fatal
        self._loop: asyncio.AbstractEventLoop | None = None
        self._renewals: Renewals | None = None
        self._thread: threading.Thread | None = None
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    def start(self) -> None:
        """Start to renew leases."""
        main = asyncio.get_running_loop()
        self._context.on_refused.append(self.wake)
        sibling = self._context.engine.state.sibling()
        if sibling is None:
            self._loop = main
            self._renewals = self._renewals_on(main, self._context.engine.state, self._on_fatal)
            return self._renewals.start()
        self._loop = asyncio.new_event_loop()
        self._renewals = self._renewals_on(
            main, sibling, lambda error: main.call_soon_threadsafe(self._on_fatal, error), is_sibling=True
        )
        work = partial(self._run_thread, self._loop, sibling, ended=partial(main.call_soon_threadsafe, self._ended.set))
        self._thread = threading.Thread(target=work, name="otelq keeper", daemon=True)
        self._thread.start()

    def on_hint(self, hint: Hint) -> None:
        """Renew at once after a hint that a lease was revoked; the answer ends its attempt."""
        if hint.kind is not HintKind.REVOKED:
            return
        for active in self._slots.active_jobs():
            if active.job.lease.chain_id == hint.subject:
                active.renewed_at = float("-inf")  # older than any lease, so that the next tick asks for it
                self.wake()

    def wake(self) -> None:
        """Renew what is due at once, and send a beat if the worker has something new to say."""
        if self._loop is not None and self._renewals is not None:
            with suppress(RuntimeError):  # the thread has ended meanwhile, and its loop is closed
                self._loop.call_soon_threadsafe(self._renewals.wake)

    @property
    def problem(self) -> str | None:
        """Return why the last renewal did not succeed; None if it did."""
        return self._renewals.problem if self._renewals is not None else "has not started"

    @property
    def main_is_stalled(self) -> bool:
        """Return whether the event loop of the handlers has stalled, so that its process counts as dead."""
        return self._renewals is not None and self._renewals.main_is_stalled

    async def stop(self) -> None:
        """End the loop and its thread. Stopping twice is fine."""
        if self._renewals is None or self._loop is None:
            return
        if self._thread is None:
            await self._renewals.stop()
            return await self._renewals.leave()
        thread, self._thread = self._thread, None
        self._loop.call_soon_threadsafe(self._stopping.set)
        # An event instead of a join in an executor: the application's own work may fill the default executor.
        await self._ended.wait()
        thread.join()
        self._renewals = None

    def _renewals_on(
        self,
        main: asyncio.AbstractEventLoop,
        state: StateAdapter,
        on_fatal: Callable[[Exception], object],
        *,
        is_sibling: bool = False,
    ) -> Renewals:
        return Renewals(self._context, self._slots, state, main=main, on_fatal=on_fatal, is_sibling=is_sibling)

    def _run_thread(
        self, loop: asyncio.AbstractEventLoop, sibling: StateAdapter, *, ended: Callable[[], object]
    ) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(self._run_until_stopped(sibling))
        finally:
            with suppress(RuntimeError):  # the main loop is closed: nothing waits for the thread any more
                ended()

    async def _run_until_stopped(self, sibling: StateAdapter) -> None:
        assert self._renewals is not None
        self._renewals.start()
        await self._stopping.wait()
        await self._renewals.stop()
        await self._renewals.leave()
        await sibling.close()
