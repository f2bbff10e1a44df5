"""Where a client lives: the process and event loop that opened it, and what it opens and closes there."""

from __future__ import annotations

import asyncio
import logging
import os
import weakref
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

from ..definitions import Middleware, overrides
from ..errors import WrongLoop
from ..finish import finish
from ..ports.state import Transaction
from .coalescer import Coalescer
from .engine import Engine
from .waiting import Waiter
from .watching import Watcher

logger = logging.getLogger("otelq.client")


class Home:
    """What the rooms of a client share: its engine, and the rule where it may be used."""

    def __init__(self, engine: Engine, *, migrate: bool = True, middleware: Sequence[Middleware] = ()) -> None:
        self._engine = engine
        self._migrate = migrate
        self._middleware = tuple(one for one in middleware if overrides(one, "start"))
        self._home: tuple[asyncio.AbstractEventLoop, int] | None = None
        self._opening: asyncio.Lock | None = None
        self._coalescer = Coalescer(engine)
        self._waiter: Waiter | None = None
        self._watcher: Watcher | None = None
        self._forgotten: weakref.finalize[..., Any] | None = None

    async def open(self) -> Self:
        """
        Connect, and bring the schema up to date if ``migrate`` was not switched off.

        Raises:
            Unavailable: the database was not reached within the connect timeout.
            InvalidArgument: the URL cannot be read, or the given pool is too small.
            OtelqError: the server refuses the login, or the database, the schema or a privilege is missing.
            WrongLoop: it is open already, elsewhere.
        """
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:  # whoever opens it meanwhile would connect a second time
            if self._home is None:
                await self._open()
        self._check_home()
        return self

    async def _open(self) -> None:
        with self._engine.telemetry.silence():
            await self._engine.state.open(migrate=self._migrate)
            try:
                await self._engine.notify.open()
            except BaseException:
                await finish(self._engine.state.close())
                raise
        self._engine.telemetry.open()
        self._engine.effects.open()
        self._home = (asyncio.get_running_loop(), os.getpid())
        self._forgotten = weakref.finalize(self, _warn, self._engine.state.name, os.getpid())
        self._waiter = Waiter(self._engine)
        if self._engine.state.watch_interval is not None:
            self._watcher = Watcher(self._engine, interval=self._engine.state.watch_interval)
            self._watcher.start()

    async def aclose(self) -> None:
        """Let go of all connections that the client made. Closing twice is fine; what the caller made stays open."""
        if self._home is None:
            return
        self._check_home()
        self._home = self._opening = None
        if self._forgotten is not None:
            self._forgotten.detach()
        await finish(self._close())

    async def _close(self) -> None:
        engine = self._engine
        async with AsyncExitStack() as rooms:  # left from the last to the first, whatever one of them raises
            rooms.callback(engine.telemetry.close)
            rooms.enter_context(engine.telemetry.silence())
            for close in (engine.state.close, engine.notify.close, engine.effects.close, self._coalescer.close):
                rooms.push_async_callback(close)
            if self._waiter is not None:
                rooms.push_async_callback(self._waiter.close)
            if self._watcher is not None:
                rooms.push_async_callback(self._watcher.stop)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def engine(self) -> Engine:
        """What workers and commands share with the client; not for applications."""
        self._check_home()
        return self._engine

    @asynccontextmanager
    async def transaction(self, kind: type[Any] | None = None, /) -> AsyncGenerator[Any]:
        """
        A transaction of the client's database, to pass as ``tx``: committed when the block ends well.

        It yields what the client's driver calls a connection, or a session where ``connect`` was given a factory of
        them; with ``kind``, one of that class, as ``AsyncSession`` of an engine. On SQLite and in memory it holds the
        only write lock until the block ends.

        Raises:
            InvalidArgument: there are none of that kind.
        """
        async with self.engine.transaction(kind) as transaction:
            yield transaction.handle

    def _check_home(self) -> None:
        if self._home is None:
            raise WrongLoop("the client is not open; use `async with otelq.connect(...)`, or await client.open()")
        loop, pid = self._home
        if pid != os.getpid():
            raise WrongLoop("the client was opened before a fork; connect anew in the child process")
        if loop is not asyncio.get_running_loop():
            raise WrongLoop("the client was opened in another event loop; connect anew in this one")

    def _join(self, tx: object | None) -> Transaction | None:
        return None if tx is None else self._engine.state.join(tx)


def _warn(system: str, pid: int) -> None:
    """Say that a client was dropped, or the program ended, while it was open; in a forked child it is not its own."""
    if os.getpid() == pid:
        logger.warning(
            "a client of %s was never closed; use `async with otelq.connect(...)`, or await client.aclose()", system
        )
