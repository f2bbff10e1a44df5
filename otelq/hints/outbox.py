"""Hints on their way to other processes: sent at once, and merged into fewer messages under load."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from ..logs import Log
from ..ports.notify import Hint, HintKind
from ..spawn import spawn

WINDOW: Final = 0.025
"""Seconds within which other processes are told once that jobs of a type are due, however many are."""
CLOSING: Final = 2.0
"""Seconds that the last message has to be sent when the outbox is closed."""
MOST: Final = 10_000
"""Hints that wait to be sent; what comes beyond is dropped, and found by polling."""

logger = Log("otelq.hints")

Send = Callable[[Sequence[Hint]], Awaitable[None]]


class Outbox:
    """
    Sends hints by one task, as long as there are any.

    A hint is sent at once when nothing is under way. What comes while a message is sent goes into the next one. That
    jobs of one type are due is sent once in ``WINDOW`` seconds: a worker that looks claims all of them.

    ``send`` may raise: the hints are dropped, and one warning is logged until it succeeds again.
    """

    def __init__(self, send: Send, *, window: float = WINDOW) -> None:
        self._send = send
        self._window = window
        self._pending: dict[tuple[HintKind, str], Hint] = {}
        self._sent: dict[str, float] = {}
        """When a hint was last sent about each job type, for as long as another would come too soon."""
        self._task: asyncio.Task[None] | None = None
        self._context: contextvars.Context | None = None
        self._is_failing = False

    def open(self) -> None:
        """Send from now on, in a copy of the current context."""
        self._context = contextvars.copy_context()

    def add(self, hints: Sequence[Hint]) -> None:
        """Send hints soon, without waiting; never raises."""
        if self._context is None:
            return
        for hint in hints:
            self._keep(hint)
        if self._pending and (self._task is None or self._task.done()):
            self._task = spawn(self._run(), name="otelq outbox", context=self._context.copy())

    async def close(self) -> None:
        """Send what is left, in bounded time, and nothing after that."""
        self._context = None  # the task ends after the message that it sends now
        task, self._task = self._task, None
        if task is not None:
            await asyncio.wait([task], timeout=CLOSING)
            task.cancel()
            await asyncio.wait([task])
        left = list(self._pending.values())
        self._pending.clear()
        self._sent.clear()
        if left:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSING):
                    await self._try(left)

    def _keep(self, hint: Hint) -> None:
        key = hint.kind, hint.subject
        earlier = self._pending.get(key)
        if earlier is None and len(self._pending) >= MOST:
            return
        if earlier is None or hint.delay < earlier.delay:
            self._pending[key] = hint

    async def _run(self) -> None:
        while self._pending and self._context is not None:
            now = asyncio.get_running_loop().time()
            hints, pause = self._take(now)
            if hints:
                await self._try(hints)
            elif pause:
                await asyncio.sleep(pause)

    def _take(self, now: float) -> tuple[list[Hint], float]:
        """Return the hints that may be sent now; where there are none, how long to wait for the first."""
        self._sent = {type: at for type, at in self._sent.items() if at + self._window > now}
        waiting = {key for key in self._pending if key[0] is HintKind.DUE and key[1] in self._sent}
        hints = [self._pending.pop(key) for key in tuple(self._pending) if key not in waiting]
        self._sent |= {hint.subject: now for hint in hints if hint.kind is HintKind.DUE}
        return hints, min((self._sent[type] for _, type in waiting), default=now) + self._window - now

    async def _try(self, hints: Sequence[Hint]) -> None:
        try:
            await self._send(hints)
        except Exception as error:
            if not self._is_failing:
                reason = str(error) or type(error).__name__  # that of a timeout says nothing
                logger.warning("hints cannot be sent; others find jobs by polling: %s", reason)
            self._is_failing = True
        else:
            if self._is_failing:
                logger.info("hints are sent again")
            self._is_failing = False
