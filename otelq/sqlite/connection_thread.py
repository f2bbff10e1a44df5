"""One connection of SQLite in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import SystemRandom
from typing import TypeVar

from msgspec import Struct

from ..errors import OtelqError, Unavailable
from ..uninterrupted import finish
from .errors import Locked, is_busy, is_worth_waiting, translating

_RANDOM = SystemRandom()  # the numbers of `random` are the application's, which may have seeded it

T = TypeVar("T")

_MIN_VERSION = (3, 38)
_EXCLUSIVE_HINT = "a connection with PRAGMA locking_mode = EXCLUSIVE, or a long transaction, keeps others out"
_MAX_RETRY_DELAY = 0.005


class Settings(Struct, frozen=True, kw_only=True):
    """How connections are opened; ``path`` is absolute."""

    path: Path
    synchronous: str = "full"
    busy_timeout: float = 5.0


class ConnectionThread:
    """A connection and its thread: what is sent down the lane runs one after the other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="otelq-sqlite")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        await finish(self._submit(self._connect))  # else `close` would come before there is something to close

    def _connect(self) -> None:
        self._connection = connect(self._settings)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` with the connection; its errors are its own to translate."""
        if self._connection is None:
            raise Unavailable(f"{self._settings.path}: the adapter is closed")
        return await self._submit(work, self._connection)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._submit(connection.close)
        self._thread.shutdown(wait=False)

    async def _submit(self, work: Callable[..., T], *args: object) -> T:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
        except RuntimeError as error:  # the interpreter is on its way out, and other threads are not yet
            raise Unavailable(f"{self._settings.path}: {error}") from error
        return await running


def connect(settings: Settings) -> sqlite3.Connection:
    """
    A connection in write-ahead mode that begins no transaction by itself.

    Raises:
        Unavailable: the file cannot be opened.
        OtelqError: it is no database, or SQLite is too old.
    """
    if sqlite3.sqlite_version_info < _MIN_VERSION:
        raise OtelqError(f"SQLite is {sqlite3.sqlite_version}; otelq needs {'.'.join(map(str, _MIN_VERSION))}")
    if not settings.path.parent.is_dir():
        raise Unavailable(f"cannot open {settings.path}: the directory {settings.path.parent} does not exist")
    _make_private(settings.path)
    with translating(f"cannot open {settings.path}"):
        # Not by `sqlite3.connect`: that is what tools replace that trace the application's statements.
        connection = sqlite3.Connection(settings.path, timeout=0, isolation_level=None)
        connection.text_factory = read_text
        try:
            retry_while_locked(lambda: _configure(connection, settings), timeout=settings.busy_timeout)
        except BaseException as error:
            connection.close()
            if is_busy(error):
                raise Locked(f"cannot open {settings.path}: {error}; {_EXCLUSIVE_HINT}") from error
            raise
    return connection


def _make_private(path: Path) -> None:
    """
    Make the file if there is none, for its owner alone; SQLite gives the files beside it the same mode.

    Raises:
        Unavailable: it is a link that leads nowhere, and somebody else may have said where the file is to be made.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if not path.exists():
            raise Unavailable(f"cannot open {path}: it is a link to a file that does not exist; make that") from None
    except OSError:
        pass  # SQLite says it better


def read_text(stored: bytes) -> str:
    """What is stored as text; where it is none, which SQLite does not look at, one row shall not hide the others."""
    return stored.decode(errors="replace")


def _configure(connection: sqlite3.Connection, settings: Settings) -> None:
    connection.execute(f"PRAGMA synchronous = {settings.synchronous}")
    connection.execute("PRAGMA temp_store = memory")
    (mode,) = connection.execute("PRAGMA journal_mode = wal").fetchone()
    if mode != "wal":
        raise OtelqError(f"{settings.path}: SQLite offers journal mode {mode!r} here, and otelq needs 'wal'")


def begin_immediate(connection: sqlite3.Connection, settings: Settings) -> bool:
    """
    Take the write lock; returns whether somebody else had it.

    Raises:
        Locked: not within ``busy_timeout``.
    """
    with translating(f"cannot write to {settings.path}"):
        return retry_while_locked(lambda: connection.execute("BEGIN IMMEDIATE"), timeout=settings.busy_timeout)[1]


def is_free(connection: sqlite3.Connection) -> bool:
    """Whether nobody holds the write lock at this moment."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if is_busy(error):
            return False
        raise
    connection.execute("ROLLBACK")
    return True


def retry_while_locked(work: Callable[[], T], *, timeout: float) -> tuple[T, bool]:
    """
    Repeat ``work`` while the database is locked; also returns whether it was.

    SQLite's own busy handler naps up to 100 ms, far longer than a transaction here takes.
    """
    deadline = time.monotonic() + timeout
    waited = False
    while True:
        try:
            return work(), waited
        except sqlite3.OperationalError as error:
            if not is_worth_waiting(error) or time.monotonic() >= deadline:
                raise
        waited = True
        time.sleep(retry_delay())


def retry_delay() -> float:
    """Seconds until the next try; spread, so that processes do not step on each other's feet."""
    return _RANDOM.uniform(_MAX_RETRY_DELAY / 10, _MAX_RETRY_DELAY)
