"""Hints on a subject of NATS."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from math import ceil
from typing import Any, Final
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.aio.msg import Msg

from otelq.errors import InvalidArgument, Unavailable
from otelq.hints import Channel, finish

RECONNECT_PAUSE: Final = 0.25
"""Seconds between two tries of the connection that sends; hints of the time between are dropped."""
SCHEMES: Final = ("nats", "tls", "ws", "wss")


def check_servers(target: object, options: Mapping[str, Any]) -> list[str]:
    """Return the servers that a URL names, or raise for what is no such URL, or for an unknown option."""
    if not isinstance(target, str):
        raise InvalidArgument("notify", f"is {type(target).__name__}; give a URL such as nats://host:4222")
    servers = [server.strip() for server in target.split(",")]
    for server in servers:
        if not _has_host(server):
            raise InvalidArgument("notify", "names a server without a host; give nats://host:4222,nats://host2:4222")
    known = inspect.signature(Client.connect).parameters
    for name in options:
        if name not in known:
            raise InvalidArgument(name, "is no option of nats.connect")
    return servers


def _has_host(server: str) -> bool:
    try:
        parts = urlsplit(server)
        return parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its port is no number: a part of a password with a slash in it, perhaps, so it is not shown
        return False


def check_subject(subject: str | None, schema: str) -> str:
    """Return the subject; that of a schema holds no character that has a meaning in NATS."""
    if subject is None:
        return "otelq.hints." + "".join(each if each.isalnum() else f"_{ord(each):x}_" for each in schema)
    if not subject or any(each.isspace() or each in "*>" for each in subject) or "" in subject.split("."):
        raise InvalidArgument("subject", f"is {subject!r}; give words with dots between them, without wildcards")
    return subject


class NatsChannel(Channel):
    """
    Publishes texts through one connection, which reconnects, and listens on another, which is made anew.

    Args:
        servers: the URLs of one cluster.
        subject: the subject.
        timeout: seconds that connecting may take.
        options: further options of ``nats.connect``.
    """

    name = "nats"
    unheard = (
        "a message that was published in NATS is not heard by its subscribers: jobs of other processes are found by "
        "polling. Give connect() the servers of one cluster, and a user who may publish and subscribe, as notify="
    )

    def __init__(self, servers: Sequence[str], *, subject: str, timeout: float, options: Mapping[str, Any]) -> None:
        self._servers = list(servers)
        self._subject = subject
        self._timeout = timeout
        self._options = options
        self._sender: Client | None = None
        self._connecting = asyncio.Lock()

    async def open(self) -> None:
        """Connect when there is something to send, as nothing may depend on NATS."""

    async def close(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            await finish(_close(sender))

    async def send(self, texts: Sequence[str]) -> None:
        sender = await self._connected()
        if not sender.is_connected:
            raise Unavailable("NATS is away")  # what it would buffer arrives when nobody needs it any more
        for text in texts:
            await sender.publish(self._subject, text.encode())
        await sender.flush(ceil(self._timeout))  # else a connection that has died would take messages for a while

    async def _connected(self) -> Client:
        async with self._connecting:  # the outbox and the listener send at the same time
            if self._sender is None or self._sender.is_closed:
                self._sender = await self._connect(max_reconnect_attempts=-1, reconnect_time_wait=RECONNECT_PAUSE)
            return self._sender

    @asynccontextmanager
    async def listen(self, receive: Callable[[str], None], *, lost: Callable[[], None]) -> AsyncGenerator[None]:
        async def hear(message: Msg) -> None:
            receive(message.data.decode(errors="replace"))

        async def ended(*_: object) -> None:
            lost()

        client: Any = await self._connect(allow_reconnect=False, disconnected_cb=ended, closed_cb=ended)
        try:
            await client.subscribe(self._subject, cb=hear)
            await client.flush(ceil(self._timeout))  # the server knows of the subscription
            yield
        finally:
            await finish(_close(client))

    async def _connect(self, **own: Any) -> Client:
        client = Client()
        connecting = asyncio.get_running_loop().create_task(self._connect_in_time(client, own))
        try:
            # A cancel waits for the end: nats-py passes it to ``asyncio.wait_for``, which may drop the new connection.
            await asyncio.wait([connecting])
            connecting.result()
        except BaseException:
            await finish(_abandon(connecting, client))
            raise
        return client

    async def _connect_in_time(self, client: Client, own: Mapping[str, Any]) -> None:
        async with asyncio.timeout(self._timeout):
            await client.connect(self._servers, error_cb=_ignore, **{**self._options, **own})


async def _abandon(connecting: asyncio.Task[None], client: Client) -> None:
    """Wait until a client has connected, or failed to, and close it."""
    await asyncio.gather(connecting, return_exceptions=True)  # its error as well: nobody else asks for it
    await _close(client)


async def _close(client: Client) -> None:
    await client.close()
    await asyncio.sleep(0)  # the socket is closed in the next turn of the event loop, which may be the last one


async def _ignore(error: Exception) -> None:
    """Leave an error to the call that meets it; the default logs each with its traceback."""
