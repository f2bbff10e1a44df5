"""A proxy before PostgreSQL that can keep notifications from arriving, as a transaction pooler does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from otelq_verify.wire import open_connection

_NOTIFICATION = b"A"


class DeafProxy:
    """Passes everything on; while ``is_deaf`` is set, no notification."""

    def __init__(self, url: str, *, is_deaf: bool) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_deaf = is_deaf
        self.dropped = asyncio.Event()
        """Set when a notification was kept back."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return self._target._replace(netloc=f"postgres@127.0.0.1:{port}", query="sslmode=disable").geturl()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._forward(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._leave(task, writer))

    def _leave(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self._tasks.discard(task)
        writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await open_connection(self._target.hostname, self._target.port)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                async with asyncio.TaskGroup() as both:
                    both.create_task(_copy(reader, server_writer))
                    both.create_task(self._filter(server_reader, writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass  # one side has hung up
        finally:
            server_writer.transport.abort()

    async def _filter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
            if head[:1] == _NOTIFICATION and self.is_deaf:
                self.dropped.set()
                continue
            writer.write(head + body)
            await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    raise OSError("the client has hung up")
