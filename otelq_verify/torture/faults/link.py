"""One connection by way of the proxy, under the conditions of the network."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from .messages import IDLE, Messages, is_commit

Direction = Literal["up", "down"]
"""To the server, and to the client."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]

CHUNK: Final = 1 << 16
TRICKLE_PAUSE: Final = 0.002
"""Seconds between two pieces of what only trickles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConditions:
    """The faults of a network; by default it has none."""

    latency: float = 0.0
    """Seconds by which all is late, each way."""
    piece: int | None = None
    """The size in bytes of the pieces in which data trickles; None for no pieces."""
    deaf: frozenset[Direction] = frozenset()
    """Where bytes are dropped without a word, and the news that the other has hung up with them."""
    refusing: bool = False
    """Whether new connections are reset."""
    losing: float = 0.0
    """The chance that a finished reply is lost, and its connection reset."""
    cutting: float = 0.0
    """The chance that a connection is reset as soon as its COMMIT was forwarded."""


CLEAR: Final = LinkConditions()


class ProxyLink:
    """One connection. ``counts`` counts the faults that it met."""

    def __init__(
        self,
        client: Ends,
        server: Ends,
        *,
        conditions: Callable[[], LinkConditions],
        chance: random.Random,
        counts: Counter[str],
    ) -> None:
        self._client = client
        self._server = server
        self._conditions = conditions
        self._chance = chance
        self._counts = counts
        self._lost: set[Direction] = set()
        self._severed = asyncio.Event()

    @property
    def port(self) -> int:
        """Return the port by which the server knows it."""
        name: tuple[str, int] = self._server[1].get_extra_info("sockname")
        return name[1]

    async def forward(self) -> None:
        """Forward until one side has disconnected and the other may notice."""
        pumps = [asyncio.create_task(self._up()), asyncio.create_task(self._down())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.cut()

    def cut(self) -> None:
        """Reset both sides."""
        reset(self._client[1])
        reset(self._server[1])

    def clear(self) -> None:
        """End the faults. Where bytes are missing the server sees a disconnect, and the client sees nothing."""
        if self._lost:
            self._severed.set()
            reset(self._server[1])

    async def _up(self) -> None:
        messages = Messages(begins_untyped=True)
        with suppress(OSError):
            while data := await self._client[0].read(CHUNK):
                if not self._drops("up", data):
                    await self._send_up(messages.feed(data))
        # The client has disconnected, and the server must not learn it before the conditions are clear.
        if self._drops("up", b""):
            await self._severed.wait()

    async def _send_up(self, whole: list[bytes]) -> None:
        last = self._first_to_cut(whole)
        await self._send(b"".join(whole[: last + 1]), self._server[1])
        if last < len(whole):
            self._counts["cut after COMMIT"] += 1
            self.cut()

    def _first_to_cut(self, whole: list[bytes]) -> int:
        cutting = self._conditions().cutting
        found = (n for n, message in enumerate(whole) if is_commit(message) and self._chance.random() < cutting)
        return next(found, len(whole)) if cutting else len(whole)

    async def _down(self) -> None:
        messages = Messages(begins_untyped=False)
        with suppress(OSError):
            while data := await self._server[0].read(CHUNK):
                if self._drops("down", data):
                    continue
                whole = messages.feed(data)
                # Only a reply after which the server is idle: then the work is committed, and the client cannot know.
                if IDLE in whole and self._chance.random() < self._conditions().losing:
                    self._counts["lost reply"] += 1
                    return self.cut()
                await self._send(b"".join(whole), self._client[1])
        if self._drops("down", b""):
            await asyncio.Event().wait()  # the client sees nothing; it ends this when it disconnects

    def _drops(self, direction: Direction, data: bytes) -> bool:
        """Return True if these bytes, or the end of the stream, get lost; all later ones do as well."""
        if direction in self._conditions().deaf:
            self._lost.add(direction)
            self._counts["bytes dropped"] += len(data)
        # After a gap in the stream no later byte may pass: the other side would read it as part of a lost message.
        return direction in self._lost or self._severed.is_set()

    async def _send(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        conditions = self._conditions()
        if conditions.latency:
            self._counts["late"] += 1
            await asyncio.sleep(conditions.latency)
        size = conditions.piece or len(data)
        for first in range(0, len(data), size or 1):
            writer.write(data[first : first + size])
            await writer.drain()
            if conditions.piece:
                self._counts["pieces"] += 1
                await asyncio.sleep(TRICKLE_PAUSE)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, whatever is still to be sent."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None and not writer.transport.is_closing():
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
