"""Opens and closes a client, in the one process and event loop that it belongs to."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import weakref
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from ..errors import WrongLoop
from ..spawn import spawn
from ..uninterrupted import finish
from .change_poller import ChangePoller
from .engine import Engine

logger = logging.getLogger("otelq.client")

Close = Callable[[], Awaitable[None]]


class Lifecycle:
    """
    Opens and closes an engine, and knows the process and event loop that opened it.

    Args:
        engine: the engine to open.
        migrate: whether to bring the schema up to date.
        parts: functions that close users of the engine, called before it is closed, in this order.
    """

    def __init__(self, engine: Engine, *, migrate: bool, parts: Sequence[Close]) -> None:
        self._engine = engine
        self._migrate = migrate
        self._parts = parts
        self._owner: tuple[asyncio.AbstractEventLoop, int] | None = None
        self._opening: asyncio.Lock | None = None
        self._change_poller: ChangePoller | None = None
        self._close_warning: weakref.finalize[..., Any] | None = None

    @property
    def is_open(self) -> bool:
        """Return whether the engine is open, in whichever process and event loop."""
        return self._owner is not None

    async def open(self) -> None:
        """Open everything, once, or check that it is open here; see ``Client.open`` for the errors."""
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:  # a second call meanwhile would connect once more
            if self._owner is None:
                await self._open()
        self.check()

    async def close(self) -> None:
        """Close everything; a second call does nothing."""
        if self._owner is None:
            return
        self.check()
        self._owner = self._opening = None  # from now on every call raises, also while the parts are closing
        if self._close_warning is not None:
            self._close_warning.detach()
        await finish(self._close())  # a cancel must not leave connections open

    def check(self) -> None:
        """Raise ``WrongLoop`` unless the engine is open, and in this process and event loop."""
        if self._owner is None:
            raise WrongLoop("the client is not open; use `async with otelq.connect(...)`, or await client.open()")
        loop, pid = self._owner
        if pid != os.getpid():
            raise WrongLoop("the client was opened before a fork; connect anew in the child process")
        if loop is not asyncio.get_running_loop():
            raise WrongLoop("the client was opened in another event loop; connect anew in this one")

    async def _open(self) -> None:
        await self._open_adapters()
        self._engine.telemetry.open()
        self._engine.telemetry.observe_listener(self._hears)
        self._engine.effects.open()
        self._owner = (asyncio.get_running_loop(), os.getpid())
        self._close_warning = weakref.finalize(self, _warn_unclosed, self._engine.state.name, os.getpid())
        if self._engine.state.watch_interval is not None:
            self._change_poller = ChangePoller(self._engine, interval=self._engine.state.watch_interval)
            self._change_poller.start()

    def _hears(self) -> bool | None:
        notify = self._engine.notify
        return notify.is_hearing if notify.is_listening else None

    async def _open_adapters(self) -> None:
        with self._engine.telemetry.silence():
            await self._engine.state.open(migrate=self._migrate)
            try:
                await spawn(self._open_notifier(), context=contextvars.Context())
            except BaseException:  # a cancel too: nobody would close the connections of the store
                await finish(self._engine.state.close())
                raise

    async def _open_notifier(self) -> None:
        """Open the notifier in a context of its own, which its tasks keep: silent, and without anything of a caller."""
        with self._engine.telemetry.silence():
            await self._engine.notify.open()

    async def _close(self) -> None:
        engine = self._engine
        async with AsyncExitStack() as stack:  # runs from the last to the first, even if one of them raises
            stack.callback(engine.telemetry.close)
            stack.enter_context(engine.telemetry.silence())
            for close in (engine.state.close, engine.notify.close, engine.effects.close, *reversed(self._parts)):
                stack.push_async_callback(close)
            if self._change_poller is not None:
                stack.push_async_callback(self._change_poller.stop)


def _warn_unclosed(system: str, pid: int) -> None:
    """Log that an open client was dropped or left open at exit; not in a forked child, which did not open it."""
    if os.getpid() == pid:
        logger.warning(
            "a client of %s was never closed; use `async with otelq.connect(...)`, or await client.aclose()", system
        )
