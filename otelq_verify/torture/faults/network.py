"""
The network between workers and database: a TCP proxy that can misbehave on demand.

It runs in a thread with an event loop of its own, so that it reacts at once, whatever the run is busy with.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from ...wire import open_connection
from .link import CHUNK, CLEAR, LinkConditions, ProxyLink, reset

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds within which the proxy's thread must have answered."""

_ENCRYPTED: Final = {"require", "verify-ca", "verify-full"}


class Direct:
    """No network that could misbehave: a file, or a server that is reached as it is."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Proxy:
    """
    A TCP proxy before a PostgreSQL server: a context manager; ``url`` leads through it.

    A connection of which bytes were dropped never speaks again: its client has to find that out by itself. The server
    learns of it when the conditions are clear again, as by a keepalive.
    """

    def __init__(self, url: str, *, seed: int = 0) -> None:
        self.counts: Counter[str] = Counter()
        """The faults so far; only ever grows."""
        self.target = url
        self._chance = random.Random(seed)
        self._conditions = CLEAR
        self._links: set[ProxyLink] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._port = 0
        self._thread = threading.Thread(target=self._run, name="otelq torture proxy", daemon=True)
        self._ready: Future[int] = Future()

    def __enter__(self) -> Self:
        self._thread.start()
        self._port = self._ready.result(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    @property
    def url(self) -> str:
        """Return the database's URL by way of the proxy."""
        url = urlsplit(self.target)
        user, at, _ = url.netloc.rpartition("@")
        options = dict(parse_qsl(url.query)) | {"sslmode": "disable"}
        return url._replace(netloc=f"{user}{at}127.0.0.1:{self._port}", query=urlencode(options)).geturl()

    def ports(self) -> Sequence[int]:
        """Return the ports from which the server is reached now, one for each connection."""
        return self._ask(lambda: sorted(link.port for link in self._links))

    def cut(self, share: float = 1.0) -> int:
        """Reset each connection with this chance; return how many."""
        return self._ask(lambda: self._cut(share))

    @contextmanager
    def under(self, conditions: LinkConditions) -> Generator[None]:
        """Misbehave while the block runs."""
        self._ask(lambda: self._turn(conditions))
        try:
            yield
        finally:
            self._ask(lambda: self._turn(CLEAR))

    def retarget(self, url: str) -> None:
        """Direct new connections to another server; reset those to the last one."""

        def retarget() -> None:
            self.target = url
            self._cut(1.0)

        self._ask(retarget)

    # In the proxy's own thread

    def _run(self) -> None:
        # The loop exists before its thread, so that other threads can send work to it from the first moment.
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        try:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        except OSError as error:
            # The starting thread waits for this future, and raises the error.
            return self._ready.set_exception(error)
        self._ready.set_result(server.sockets[0].getsockname()[1])
        await self._ended.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._ended.is_set():
            return reset(writer)
        task = self._loop.create_task(self._attend(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._leave(task, writer))

    def _leave(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        """Reset a connection also if its task was cancelled before it began, so that nothing in it could."""
        self._tasks.discard(task)
        reset(writer)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._conditions.deaf:
                await self._ignore(reader)
            elif self._conditions.refusing:
                self.counts["refused"] += 1
            else:
                await self._lead(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the server is not there, which the client learns by a reset, or the proxy ends

    async def _ignore(self, reader: asyncio.StreamReader) -> None:
        self.counts["never answered"] += 1
        while await reader.read(CHUNK):
            pass  # until the client gives up

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        url = urlsplit(self.target)
        server = await open_connection(url.hostname, url.port or 5432)
        link = ProxyLink(
            (reader, writer), server, conditions=lambda: self._conditions, chance=self._chance, counts=self.counts
        )
        self._links.add(link)
        try:
            await link.forward()
        finally:
            self._links.discard(link)

    def _cut(self, share: float) -> int:
        cut = [link for link in self._links if self._chance.random() < share]
        for link in cut:
            link.cut()
        return len(cut)

    def _turn(self, conditions: LinkConditions) -> None:
        self._conditions = conditions
        if not conditions.deaf:
            for link in self._links:
                link.clear()

    def _ask(self, work: Callable[[], T]) -> T:
        """Run a function in the proxy's thread."""
        done: Future[T] = Future()

        def do() -> None:
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(do)
        return done.result(PATIENCE)


Network = Proxy | Direct


def network_for(url: str, *, seed: int = 0) -> Network:
    """Return a proxy before a PostgreSQL server with TCP and without TLS; else a direct connection."""
    parts = urlsplit(url)
    is_plain = dict(parse_qsl(parts.query)).get("sslmode") not in _ENCRYPTED
    if parts.scheme in ("postgresql", "postgres") and parts.hostname and is_plain:
        return Proxy(url, seed=seed)
    return Direct(url)
