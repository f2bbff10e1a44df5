"""The connection that listens: kept open, tried for silence, and opened again when it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import SystemRandom
from typing import Final, NoReturn

from ..errors import Unavailable
from ..logs import Log
from ..loop import Loop
from ..spawn import spawn
from .channel import Channel

QUIET: Final = 8.0
"""Seconds without a message after which the connection is tried; the pings of one listener are heard by all."""
ECHO: Final = 1.0
"""Seconds within which a message that was sent to all has to be heard."""
DEAF_PAUSE: Final = 60.0
"""Seconds until a connection is tried again that was open and heard nothing, as behind a transaction pooler."""
SLOW_PAUSE: Final = 1.0
"""Seconds until that after the first time: a process that has just started on a busy machine may have been slow."""

_RANDOM = SystemRandom()  # the numbers of `random` are the application's, which may have seeded it

logger = Log("otelq.notify")


class Listener(Loop):
    """
    Hears what is sent on a channel; one tick lasts as long as one connection.

    Args:
        channel: the channel to listen on.
        receive: called with the text of each message.
        ping: sends a message on the channel, by another connection.
        on_change: called when it begins to hear, and when it hears no more.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        receive: Callable[[str], None],
        ping: Callable[[], Awaitable[None]],
        on_change: Callable[[], object],
    ) -> None:
        super().__init__("listener", on_fatal=_give_up)
        self._channel = channel
        self._receive = receive
        self._ping = ping
        self._on_change = on_change
        self._heard = asyncio.Event()
        self._work: asyncio.Task[bool] | None = None
        self._is_lost = False
        self._unheard = 0
        """The number of connections in a row that heard nothing."""
        self._has_heard = False
        """What it listened on was heard before, so nothing keeps messages from it for good."""
        self.is_hearing = False
        """Whether messages of other processes arrive just now."""

    async def tick(self) -> float:
        """Listen until the connection is lost; return at once only where nothing can be heard."""
        # A task of its own: ``stop`` ends it, wherever it waits, without a cancel of the loop.
        self._work = spawn(self._listen(), name="otelq listener")
        await asyncio.wait([self._work])
        if self._work.cancelled() or self._work.result():
            return 0.0
        return SLOW_PAUSE if self._unheard == 1 else DEAF_PAUSE

    async def stop(self) -> None:
        """Close the connection and end. Stopping twice is fine."""
        self.begin_stop()
        self._heard.set()  # ends a wait where the cancel is swallowed
        if self._work is not None:
            self._work.cancel()
        await super().stop()

    async def _listen(self) -> bool:
        """Listen until the connection is lost; return False if nothing is heard, nor ever was."""
        self._is_lost = False
        try:
            async with self._channel.listen(self._hear, lost=self._lose):
                if not await self._is_echoed():
                    if self._has_heard:
                        raise Unavailable(f"{self._channel.name} answers, and passes on no messages")
                    return self._note_deafness()
                self._begin_to_hear()
                try:
                    await self._stay()
                finally:
                    self._end_hearing()  # before the connection is closed, which may take its time
        except Unavailable:
            raise
        except Exception as error:  # a channel raises what its driver raises; a wrong password may be repaired as well
            reason = str(error) or type(error).__name__  # that of a timeout says nothing
            raise Unavailable(f"cannot listen by {self._channel.name}: {reason}") from error

    def _hear(self, text: str) -> None:
        self._heard.set()
        self._receive(text)

    def _lose(self) -> None:
        self._is_lost = True
        self._heard.set()  # whoever waits for a message need not wait for longer

    async def _is_echoed(self) -> bool:
        """Send a message to all, and return whether it, or another, is heard in time."""
        self._heard.clear()
        await self._ping()
        return await self._is_heard(ECHO)

    async def _is_heard(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        if self._stopping:
            raise asyncio.CancelledError  # again: a driver may have swallowed that of ``stop`` while it connected
        if self._is_lost:
            raise Unavailable("the connection that listens was lost")
        return self._heard.is_set()

    async def _stay(self) -> NoReturn:
        """
        Watch the connection until it is lost, or silent though there is something to hear.

        It counts as silent at once if a ping is not heard in time, but is given up only where the ping was sent: a pool
        without a free connection says nothing about this one.
        """
        while True:
            # Jittered, so that one of many listeners pings for all: the others hear that ping.
            quiet = QUIET + _RANDOM.uniform(0.0, 0.5)
            self._heard.clear()
            if not await self._is_heard(quiet):
                await self._try_echo()

    async def _try_echo(self) -> None:
        echo = spawn(self._is_echoed(), name="otelq echo")
        try:
            await asyncio.wait([echo], timeout=ECHO)
            if not echo.done():
                self._end_hearing()
            is_echoed = await echo
        finally:
            echo.cancel()
        if not is_echoed:
            raise Unavailable("the connection that listens was silent for too long")
        if not self.is_hearing:
            self._begin_to_hear()

    def _begin_to_hear(self) -> None:
        self.is_hearing, self._unheard, self._has_heard = True, 0, True
        self.recovered()
        self._on_change()  # what was sent before was not heard: everybody looks once

    def _end_hearing(self) -> None:
        if self.is_hearing:
            self.is_hearing = False
            self._on_change()

    def _note_deafness(self) -> bool:
        self._outage.end(self.name)  # it does not work again: nothing is logged but the warning
        self._unheard += 1
        if self._unheard == 2:
            logger.warning("%s", self._channel.unheard)
        return False


def _give_up(error: Exception) -> None:
    logger.error("hints of other processes are not heard any more, and jobs are found by polling: %s", error)
