"""A proxy before PostgreSQL that loses replies, notifications or whole connections, as a network and poolers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

SentStatements = Sequence[str]
"""The statements that a connection has sent since its last transaction ended, the one at hand last."""
StatementTest = Callable[[SentStatements], bool]
"""A test of the last statement; it is called once for each statement, in the order of sending."""

NOTIFICATION = b"A"
"""The kind of the server's message that carries a NOTIFY."""
END_OF_COPY = "-- the end of what is copied"
"""Stands for the message that follows the data of a COPY, which has an answer of its own."""


async def open_connection(host: str | None, port: int | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection. If the caller is cancelled meanwhile, close it: asyncio would drop it unclosed."""
    opening = asyncio.ensure_future(asyncio.open_connection(host, port))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        with suppress(OSError):
            _, writer = await opening
            writer.transport.abort()
        raise


class LossyProxy:
    """
    Forwards the connections of one event loop. After ``lose`` it loses one reply, and the connection with it.

    It follows the protocol only as far as it must: messages with a type and a length, statements by their text, and
    prepared ones by their name. The URL must name a host, and the way there is not encrypted.

    Args:
        url: the URL of the database.
        drops: the kinds of the server's messages that are dropped; it may change meanwhile.
    """

    def __init__(self, url: str, *, drops: Collection[bytes] = ()) -> None:
        self.drops = drops
        self.dropped = asyncio.Event()
        """Set once a message was dropped."""
        self._target = urlsplit(url)
        self._forwarding: set[_Link] = set()
        self._losses: list[StatementTest] = []
        self._cuts: list[StatementTest] = []
        self._stalls: list[StatementTest] = []
        self._freezes: list[StatementTest] = []
        self._server: asyncio.Server
        self._links: set[asyncio.Task[None]] = set()
        self.frozen = asyncio.Event()
        """Set once a client is frozen by ``freeze_after``."""
        self.lost: list[str] = []
        """The statements whose replies were lost, or that were never sent."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Return the database's URL by way of the proxy."""
        port = self._server.sockets[0].getsockname()[1]
        who = self._target.netloc.rpartition("@")[0] or "postgres"
        return self._target._replace(netloc=f"{who}@127.0.0.1:{port}", query="sslmode=disable").geturl()

    def lose(self, which: StatementTest) -> None:
        """Lose the reply to the next statement that passes the test, and the connection with it."""
        self._losses.append(which)

    def cut_before(self, which: StatementTest) -> None:
        """Cut the connection instead of sending the next statement that passes the test."""
        self._cuts.append(which)

    def stall_at(self, which: StatementTest) -> None:
        """Hold back the next statement that passes the test, and everything after it; answer nothing."""
        self._stalls.append(which)

    def freeze_after(self, which: StatementTest) -> None:
        """
        Let the server see its client disconnect after its reply to the next statement that passes the test.

        The client sees nothing of that: no reply, no error, no end of the connection.
        """
        self._freezes.append(which)

    def freeze(self, which: StatementTest | None = None) -> None:
        """
        Make connections half-open: nothing passes any more, and neither side sees an end. New ones are whole.

        Args:
            which: a test of what a connection has sent last; None for all of them.
        """
        for link in self._forwarding:
            link.is_frozen = link.is_frozen or which is None or bool(link.sent and which(link.sent))

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._server.is_serving():  # accepted while the proxy closed: its task would never be cancelled
            return writer.transport.abort()
        task = asyncio.get_running_loop().create_task(self._forward(reader, writer))
        self._links.add(task)
        task.add_done_callback(lambda task: self._leave(task, writer))

    def _leave(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        """Cut a connection also if its task was cancelled before it began, so that nothing in it could."""
        self._links.discard(task)
        writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError, OSError):  # the client sees a reset if the proxy ends, or has no server
            server = await open_connection(self._target.hostname, self._target.port)
            link = _Link(self, client=(reader, writer), server=server)
            self._forwarding.add(link)
            try:
                await link.forward()
            finally:
                self._forwarding.discard(link)

    def is_to_be_lost(self, sent: SentStatements) -> bool:
        return self._take(self._losses, sent)

    def is_to_be_cut(self, sent: SentStatements) -> bool:
        return self._take(self._cuts, sent)

    def is_to_be_stalled(self, sent: SentStatements) -> bool:
        return self._take(self._stalls, sent)

    def is_to_be_frozen(self, sent: SentStatements) -> bool:
        return self._take(self._freezes, sent)

    def _take(self, tests: list[StatementTest], sent: SentStatements) -> bool:
        for test in tests:
            if test(sent):
                tests.remove(test)
                self.lost.append(sent[-1])
                return True
        return False


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection."""

    def __init__(self, proxy: LossyProxy, *, client: Ends, server: Ends) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._texts: dict[bytes, str] = {}
        self.sent: list[str] = []
        self._losing = False
        self._freezing = False
        self._stalled = False
        self.is_frozen = False

    async def forward(self) -> None:
        tasks = [asyncio.create_task(self._to_server()), asyncio.create_task(self._to_client())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            try:
                await asyncio.gather(*tasks, return_exceptions=True)
                await _close(self._server[1])
            finally:
                self._server[1].transport.abort()  # also if the proxy ends, and cancels this, meanwhile

    async def _to_server(self) -> None:
        reader, writer = self._client[0], self._server[1]
        length = await reader.readexactly(4)  # the first message has no type
        writer.write(length + await reader.readexactly(int.from_bytes(length) - 4))
        while True:
            kind, body = await self._message(reader)
            if (text := self._text(kind, body)) and self._is_cut_by(text):
                # The server must roll back before the client learns of the loss: otherwise the client could connect
                # again, and find the old transaction still open, with its locks.
                self._losing = True
                writer.write_eof()
                return await _for_ever()  # until the server has hung up, having undone what was open
            if self._stalled:
                await reader.read()  # until the client hangs up
                return
            writer.write(kind + (len(body) + 4).to_bytes(4) + body)
            await writer.drain()

    async def _to_client(self) -> None:
        reader, writer = self._server[0], self._client[1]
        while True:
            kind, body = await self._message(reader)
            if kind in self._proxy.drops:
                self._proxy.dropped.set()
            elif not self._losing:
                writer.write(kind + (len(body) + 4).to_bytes(4) + body)
                await writer.drain()
            elif kind in _LAST:  # the server has finished, and what was to be committed is
                return await self._leave()

    async def _message(self, reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
        head = await reader.readexactly(5)
        body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
        if self.is_frozen:
            await _for_ever()
        return head[:1], body

    async def _leave(self) -> None:
        """Disconnect from the server; end the client's connection too, unless the client is frozen."""
        await _hang_up(self._server)
        if self._freezing:
            self._stalled = True
            self._proxy.frozen.set()
            await _for_ever()

    def _is_cut_by(self, text: str) -> bool:
        self.sent.append(text)
        if self._proxy.is_to_be_cut(self.sent):
            return True
        self._stalled = self._proxy.is_to_be_stalled(self.sent)
        self._freezing = self._freezing or self._proxy.is_to_be_frozen(self.sent)
        self._losing = self._losing or self._freezing or self._proxy.is_to_be_lost(self.sent)
        if text.startswith(("COMMIT", "ROLLBACK")):
            self.sent.clear()
        return False

    def _text(self, kind: bytes, body: bytes) -> str | None:
        """Return the statement that this message makes the server run, or None."""
        match kind:
            case b"Q":
                return body.rstrip(b"\0").decode()
            case b"P":
                name, text = body.split(b"\0", 2)[:2]
                self._texts[name] = text.decode()
                return None
            case b"B":
                return self._texts[body.split(b"\0", 2)[1]]
            case b"c":
                return END_OF_COPY
            case _:
                return None


_LAST = (b"Z", b"G")
"""After these the server waits: for the next statement, or for what is to be copied."""


async def _hang_up(server: Ends) -> None:
    """End the connection as if the client had died, and wait until the server has rolled back."""
    reader, writer = server
    with suppress(OSError):
        writer.write_eof()
        await reader.read()


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _close(writer: asyncio.StreamWriter) -> None:
    """Cut a connection, whatever is still to be sent."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
