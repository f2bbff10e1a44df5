"""A SQLite connection in a thread of its own."""

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

_RANDOM = SystemRandom()  # not `random`: the application may have seeded that, and expects its numbers

T = TypeVar("T")

_MIN_VERSION = (3, 38)
_EXCLUSIVE_HINT = "a connection with PRAGMA locking_mode = EXCLUSIVE, or a long transaction, keeps others out"
_MAX_RETRY_DELAY = 0.005


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of connections; ``path`` is absolute."""

    path: Path
    synchronous: str = "full"
    busy_timeout: float = 5.0


class ConnectionThread:
    """A connection and its thread. Calls run one after the other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # SQLite blocks. A thread of its own keeps it from the event loop, and from an executor that others may fill.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="otelq-sqlite")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        # Uninterrupted: after a cancel, `close` must find the connection that the thread has opened.
        await finish(self._submit(self._connect))

    def _connect(self) -> None:
        self._connection = connect(self._settings)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` with the connection. Errors of the driver are not translated."""
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
        except RuntimeError as error:  # the interpreter shuts down while this thread still runs
            raise Unavailable(f"{self._settings.path}: {error}") from error
        return await running


def connect(settings: Settings) -> sqlite3.Connection:
    """
    Open a connection in write-ahead mode that begins no transaction by itself.

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
        # Not `sqlite3.connect`: tools that trace the application's statements replace it.
        # A timeout of 0 turns SQLite's busy handler off; `retry_while_locked` waits instead.
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
    Create the file for its owner alone, if there is none. SQLite gives the files beside it the same mode.

    Raises:
        Unavailable: it is a link without a target. Somebody else may have chosen where the file would be created.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if not path.exists():
            raise Unavailable(f"cannot open {path}: it is a link to a file that does not exist; make that") from None
    except OSError:
        pass  # SQLite's own error says more


def read_text(stored: bytes) -> str:
    """Return stored text. SQLite does not check it, and invalid bytes in one row must not hide the other rows."""
    return stored.decode(errors="replace")


def _configure(connection: sqlite3.Connection, settings: Settings) -> None:
    # WAL: readers see the last commit while a writer works, and do not wait for it.
    connection.execute(f"PRAGMA synchronous = {settings.synchronous}")
    connection.execute("PRAGMA temp_store = memory")
    (mode,) = connection.execute("PRAGMA journal_mode = wal").fetchone()
    if mode != "wal":
        raise OtelqError(f"{settings.path}: SQLite offers journal mode {mode!r} here, and otelq needs 'wal'")


def begin_immediate(connection: sqlite3.Connection, settings: Settings) -> bool:
    """
    Take the write lock; return whether another connection had it.

    Raises:
        Locked: not within ``busy_timeout``.
    """
    with translating(f"cannot write to {settings.path}"):
        return retry_while_locked(lambda: connection.execute("BEGIN IMMEDIATE"), timeout=settings.busy_timeout)[1]


def is_free(connection: sqlite3.Connection) -> bool:
    """Return whether no connection holds the write lock at this moment."""
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
    Repeat ``work`` while the database is locked; return its result, and whether it was locked.

    SQLite's own busy handler waits up to 100 ms between tries, far longer than a transaction takes here.
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
    """Return the seconds until the next try: random, so that processes do not try in step."""
    return _RANDOM.uniform(_MAX_RETRY_DELAY / 10, _MAX_RETRY_DELAY)
