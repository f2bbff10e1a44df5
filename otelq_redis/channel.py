"""Hints by PUBLISH and SUBSCRIBE."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from redis.asyncio import RedisCluster

from otelq.hints import Channel, finish

from .servers import RedisClient, Redises, close


class RedisChannel(Channel):
    """
    Sends texts by PUBLISH through one client, and listens by SUBSCRIBE on a client of its own.

    Args:
        make: returns a new client that has not connected yet.
        channel: the name of the channel in Redis.
        timeout: seconds that connecting, and sending a message, may take.
    """

    name = "redis"
    unheard = (
        "a message that was published in Redis is not heard by SUBSCRIBE: jobs of other processes are found by "
        "polling. Give connect() the address of the same server, or of a user who may use the channel, as notify="
    )

    def __init__(self, make: Redises, *, channel: str, timeout: float) -> None:
        self._make = make
        self._channel = channel
        self._timeout = timeout
        self._sender: RedisClient | None = None

    async def open(self) -> None:
        """Make the client; it connects when there is something to send, as nothing may depend on Redis."""
        self._sender = self._make()

    async def close(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            await finish(close(sender))

    async def send(self, texts: Sequence[str]) -> None:
        if self._sender is None:
            return
        async with asyncio.timeout(self._timeout):
            for text in texts:
                await self._sender.publish(self._channel, text)

    @asynccontextmanager
    async def listen(self, receive: Callable[[str], None], *, lost: Callable[[], None]) -> AsyncGenerator[None]:
        client = self._make()
        pubsub: Any = None
        reading: asyncio.Task[None] | None = None
        try:
            if isinstance(client, RedisCluster):
                await cast(Any, client).initialize()  # it learns of its nodes
            pubsub = client.pubsub(ignore_subscribe_messages=True)
            async with asyncio.timeout(self._timeout):
                await pubsub.subscribe(self._channel)
            reading = asyncio.get_running_loop().create_task(_read(pubsub, receive, lost))
            yield
        finally:
            await finish(_end(client, pubsub, reading))  # a cancel meanwhile must leave no connection


async def _end(client: RedisClient, pubsub: Any, reading: asyncio.Task[None] | None) -> None:
    """Close what listens, and the client, as far as they were opened."""
    try:
        if reading is not None:
            reading.cancel()
        if pubsub is not None:
            await pubsub.aclose()
        while reading is not None and not reading.done():
            # The client may swallow a cancel while it connects again; without a connection it ends by itself.
            reading.cancel()
            await asyncio.wait([reading], timeout=0.1)
    finally:
        await close(client)


async def _read(pubsub: Any, receive: Callable[[str], None], lost: Callable[[], None]) -> None:
    """Pass on messages until the connection ends."""
    try:
        while True:
            message = await pubsub.get_message(timeout=None)
            if message is not None and message["type"] in ("message", "smessage"):
                data = message["data"]
                receive(data.decode(errors="replace") if isinstance(data, bytes) else str(data))
    except Exception:  # whatever ended it: the listener connects again, and logs what that says
        lost()
