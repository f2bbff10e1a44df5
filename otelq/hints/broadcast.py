"""A notifier over any channel: hints as messages, sent after commits, heard on a connection of its own."""

from __future__ import annotations

import contextvars
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from ..ports.notify import Hint, HintKind, NotifyAdapter
from .awaited import AwaitedChains
from .channel import Channel
from .listener import Listener
from .messages import messages, ping, read
from .outbox import Outbox
from .receivers import Receivers

LOOK: Final = (Hint(HintKind.CHANGED, ""),)
"""Have everybody look once, as hints may have been missed."""


class BroadcastNotify(NotifyAdapter):
    """
    Passes hints on by a channel.

    Only an adapter with a receiver holds a connection that listens; one that only publishes holds none.

    Args:
        channel: carries the messages.
    """

    def __init__(self, channel: Channel) -> None:
        self.name = channel.name
        self._channel = channel
        self._context: contextvars.Context | None = None
        """That of the call which opened it; a client keeps spans of otelq's own statements out of it."""
        self._sender = secrets.token_hex(8)
        self._awaited = AwaitedChains()
        self._outbox = Outbox(self._send)
        self._receivers = Receivers(on_first=self._listen)
        self._listener = Listener(
            channel,
            receive=self._receive,
            ping=self._ping,
            on_change=lambda: self._receivers.deliver(LOOK),
        )

    @property
    def is_hearing(self) -> bool:  # type: ignore[override]  # it changes
        return self._listener.is_hearing

    @property
    def is_listening(self) -> bool:  # type: ignore[override]  # it changes
        return self._listener.is_running

    async def open(self) -> None:
        if not self._receivers.is_open:
            await self._channel.open()
        self._receivers.open()
        self._outbox.open()
        self._context = contextvars.copy_context()
        self._listen()

    async def close(self) -> None:
        self._context = None
        self._receivers.close()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._channel.close)
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
        if texts := messages(self._sender, hints):
            await self._channel.send(texts)

    async def _ping(self) -> None:
        await self._channel.send([ping(self._sender)])

    def _receive(self, text: str) -> None:
        message = read(text)
        if message is None or message.sender == self._sender:
            return  # one's own hints were delivered when they were published
        hints = list(message)
        for hint in hints:
            if hint.kind is HintKind.AWAITED:
                self._awaited.add(hint.subject)
        self._receivers.deliver(hints)
