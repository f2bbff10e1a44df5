"""Hints by LISTEN and NOTIFY: sent through the connections that there are, heard on one of its own."""

from __future__ import annotations

import contextvars
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from ..hints import AwaitedChains, Outbox, Receivers, messages, ping, read
from ..logs import Log
from ..ports.notify import Hint, HintKind, NotifyAdapter
from .database import PostgresDatabase
from .drivers import Source
from .listener import Listener

LOOK: Final = (Hint(HintKind.CHANGED, ""),)
"""Have everybody look once, as hints may have been missed."""

logger = Log("otelq.notify")


class PostgresNotify(NotifyAdapter):
    """
    Passes hints on by NOTIFY.

    A message is sent by a statement of its own, after the commit that it is about, so that no verb can fail by it. Only
    an adapter with a receiver holds a connection that listens; one that only publishes holds none.

    Args:
        database: what messages are sent through.
        source: returns an unopened source whose one connection listens.
        owns_database: open and close the database, which nobody else uses.
    """

    name = "postgresql"

    def __init__(self, database: PostgresDatabase, *, source: Callable[[], Source], owns_database: bool) -> None:
        self._database = database
        self._owns_database = owns_database
        self._channel = f"otelq_hints_{database.queries.schema}"
        self._context: contextvars.Context | None = None
        """That of the call which opened it; a client keeps spans of otelq's own statements out of it."""
        self._sender = secrets.token_hex(8)
        self._awaited = AwaitedChains()
        self._outbox = Outbox(self._send)
        self._receivers = Receivers(on_first=self._listen)
        self._listener = Listener(
            source,
            channel=self._channel,
            receive=self._receive,
            ping=self._ping,
            on_change=lambda: self._receivers.deliver(LOOK),
            timeout=database.command_timeout,
        )

    @property
    def is_hearing(self) -> bool:  # type: ignore[override]  # it changes
        return self._listener.is_hearing

    async def open(self) -> None:
        if self._owns_database and not self._receivers.is_open:
            await self._database.open()
        self._receivers.open()
        self._outbox.open()
        self._context = contextvars.copy_context()
        self._listen()

    async def close(self) -> None:
        was_open = self._receivers.is_open
        self._context = None
        self._receivers.close()
        async with AsyncExitStack() as stack:
            if self._owns_database and was_open:
                stack.push_async_callback(self._database.close)
            stack.push_async_callback(self._listener.stop)
            await self._outbox.close()
        self._awaited.clear()

    def publish(self, hints: Sequence[Hint]) -> None:
        if self._receivers.is_open:
            self._receivers.deliver(hints)
            self._outbox.add([hint for hint in hints if self._is_for_others(hint)])

    def subscribe(self, receive: Callable[[Hint], None]) -> Callable[[], None]:
        return self._receivers.subscribe(receive)

    def _listen(self) -> None:
        if self._receivers and self._context is not None:
            self._listener.start(context=self._context.copy())

    def _is_for_others(self, hint: Hint) -> bool:
        """Return whether a hint is sent: most chains have nobody who waits for them, and "closed" is for waiters."""
        if hint.kind is HintKind.CLOSED:  # without a connection that hears announcements it is not known who waits
            return not self._listener.is_hearing or hint.subject in self._awaited
        return True

    async def _send(self, hints: Sequence[Hint]) -> None:
        await self._notify(messages(self._sender, hints))

    async def _ping(self) -> None:
        await self._notify([ping(self._sender)])

    async def _notify(self, texts: Sequence[str]) -> None:
        if texts:
            await self._database.run(lambda session: session.rows("notify", self._channel, texts))

    def _receive(self, text: str) -> None:
        message = read(text)
        if message is None or message.sender == self._sender:
            return  # one's own hints were delivered when they were published
        hints = list(message)
        for hint in hints:
            if hint.kind is HintKind.AWAITED:
                self._awaited.add(hint.subject)
        self._receivers.deliver(hints)
