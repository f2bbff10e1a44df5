"""
Servers of our own, to be crashed, failed over, and left without a byte of disk.

    with tortured("postgres18") as server:
        url = server.url

What a machine does not allow is left out: where no file system can be mounted, no disk is full.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, LiteralString

import psycopg

from otelq_verify.torture.faults import Server
from tests.servers import Cluster, prepared

from .disks import SmallDisk, can_mount, small_disk

DISK = 1 << 30
DATABASE = "tortured"
PATIENCE = 30.0

STOCK = 8
"""More segments than the log has in stock."""
_NEXT_SEGMENT: LiteralString = "SELECT pg_logical_emit_message(false, 'otelq', ''), pg_switch_wal()"

# A standby that lost its primary is back as soon as that is, and finds all that it has missed.
SETTINGS = {
    "wal_retrieve_retry_interval": "100ms",
    "wal_keep_size": "128MB",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
}


@contextmanager
def tortured(backend: str) -> Generator[Server]:
    """A database to be tortured: of `sqlite`, or of PostgreSQL with a standby, as in `postgres18`."""
    with ExitStack() as stack:
        if backend == "sqlite":
            yield stack.enter_context(_file())
        else:
            yield stack.enter_context(replicated(int(backend.removeprefix("postgres"))))


# SQLite


@dataclass
class File:
    """A file of SQLite."""

    url: str


@dataclass
class FileOnSmallDisk(File):
    """One on a file system that can be filled."""

    disk: SmallDisk

    async def fill_disk(self, *, log: bool) -> None:
        """Leave no byte for the file and its log, which share a disk."""
        await asyncio.to_thread(self.disk.fill)

    async def free_disk(self) -> str:
        """Make room."""
        await asyncio.to_thread(self.disk.free)
        return f"the file is {await asyncio.to_thread(_check, self.url)}"


def _check(url: str) -> str:
    """What SQLite says of a file."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)) as connection:
        [found] = connection.execute("PRAGMA quick_check").fetchone()
        return str(found)


@contextmanager
def _file(size: int = DISK) -> Generator[File]:
    folder = Path(tempfile.mkdtemp(prefix="otelq-tortured-"))
    try:
        with small_disk(folder, size=size) as disk:
            url = f"sqlite:///{folder}/otelq.db"
            yield FileOnSmallDisk(url, disk) if disk else File(url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# PostgreSQL


class Node:
    """One server, with its folder and, where the machine allows it, a small disk for its data."""

    def __init__(self, programs: Cluster, *, size: int, lay_out: Callable[[Cluster], None]) -> None:
        with ExitStack() as resources:
            folder = Path(tempfile.mkdtemp(prefix="otelq-tortured-"))
            resources.callback(shutil.rmtree, folder, ignore_errors=True)
            self.cluster = programs.beside(folder)
            self.cluster.data.mkdir()
            self.disk = resources.enter_context(small_disk(self.cluster.data, size=size, owner=programs.account))
            if self.disk is None:
                self.cluster.data.rmdir()  # whose owner would be the wrong one
            lay_out(self.cluster)
            resources.callback(self.cluster.stop, "immediate")
            self.cluster.start()
            self._resources = resources.pop_all()

    @property
    def url(self) -> str:
        """The database."""
        return f"{self.cluster.address}/{DATABASE}"

    def end(self) -> None:
        """End it as a crash would, and remove what it leaves."""
        self._resources.close()

    def do(self, *statements: LiteralString) -> None:
        """Run statements as a superuser, each by itself."""
        with self._connection() as connection:
            for statement in statements:
                connection.execute(statement)

    def wait_for(self, query: LiteralString) -> None:
        """Wait until a query gives true."""
        deadline = time.monotonic() + PATIENCE
        with self._connection() as connection:
            while connection.execute(query).fetchone() != (True,):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"waited {PATIENCE:g} s in vain for {query}")
                time.sleep(0.02)

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(f"{self.cluster.address}/postgres", autocommit=True, connect_timeout=5)

    def recover(self) -> bool:
        """See that it accepts connections; whether it had to be started for that."""
        with suppress(RuntimeError):  # it may fall while it recovers
            if self.cluster.is_running:
                self.cluster.wait_until_ready()
                return False
        self.cluster.stop("immediate")
        self.cluster.start()
        return True


class Postgres:
    """A primary, and a standby for which its commits wait."""

    def __init__(self, programs: Cluster, *, size: int) -> None:
        self._programs = programs
        self._size = size
        self._standby: Node | None = None
        self._primary = self._node(Cluster.initialise)
        self._primary.do(f"CREATE DATABASE {DATABASE}")

    @property
    def url(self) -> str:
        """The database on the primary of now."""
        return self._primary.url

    def end(self) -> None:
        """End both."""
        with ExitStack() as nodes:
            for node in (self._primary, self._standby):
                if node is not None:
                    nodes.callback(node.end)

    async def restart(self, mode: Literal["fast", "immediate"]) -> None:
        """Restart the primary; the standby is back as soon as that is."""
        await asyncio.to_thread(self._primary.cluster.stop, mode)
        await asyncio.to_thread(self._primary.cluster.start)

    async def stop(self) -> None:
        """End the primary for good."""
        await asyncio.to_thread(self._primary.end)

    async def promote(self) -> None:
        """Make the standby the primary, of which no commit waits for anybody."""
        assert self._standby is not None, "there is no standby"
        self._primary, self._standby = self._standby, None
        await asyncio.to_thread(self._primary.do, "SELECT pg_promote()")

    async def stand_by(self) -> None:
        """Make a standby, and let commits wait for it once it has caught up."""
        await asyncio.to_thread(self._stand_by)

    def _stand_by(self) -> None:
        self._standby = self._node(lambda cluster: cluster.copy(self._primary.cluster))
        self._primary.wait_for("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")
        self._primary.do("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        self._primary.wait_for("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'")

    def _node(self, lay_out: Callable[[Cluster], None]) -> Node:
        return Node(self._programs, size=self._size, lay_out=lay_out)


class PostgresOnSmallDisks(Postgres):
    """Where the disk of the primary can be filled."""

    async def fill_disk(self, *, log: bool) -> None:
        """Leave no byte; the log has segments in stock, which are used up where it is to be full as well."""
        await asyncio.to_thread(self._disk.fill)
        if log:
            await asyncio.to_thread(self._use_up_log)

    async def free_disk(self) -> str:
        """Make room, and start the server if it could not go on: it ends itself when it cannot write its log."""
        await asyncio.to_thread(self._disk.free)
        fell = await asyncio.to_thread(self._primary.recover)
        return "the server fell" if fell else "the server stood"

    def _use_up_log(self) -> None:
        with suppress(psycopg.Error):
            for _ in range(STOCK):
                self._primary.do(_NEXT_SEGMENT)

    @property
    def _disk(self) -> SmallDisk:
        assert self._primary.disk is not None
        return self._primary.disk


@contextmanager
def replicated(version: int, *, size: int = DISK) -> Generator[Postgres]:
    """PostgreSQL of this major version with a standby, on disks of this many bytes where they can be had."""
    with tempfile.TemporaryDirectory(prefix="otelq-tortured-") as home:
        programs = prepared(version, Path(home), SETTINGS)
        kind = PostgresOnSmallDisks if can_mount() else Postgres
        server = kind(programs, size=size)
        try:
            asyncio.run(server.stand_by())
            yield server
        finally:
            server.end()
