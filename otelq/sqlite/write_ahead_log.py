"""The write-ahead log of a database file, whose time and size show without SQLite that somebody has written."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic
from typing import Final

INTERVAL: Final = 0.02 if os.name == "posix" else 0.05
"""Seconds between two looks. A file system that writes times of open files late needs the dearer question each time."""
FRESH: Final = 0.1
"""
Seconds after a change of the file in which it may change again unseen.

A commit can be read only once the file is on disk, which is after its time has changed; and a second write within one
tick of the system's clock leaves the same time.
"""
CERTAIN: Final = 0.25
"""Seconds after which the file may have changed whatever its time says: a disk may have taken longer than that."""


class WriteAheadLog:
    """
    Looks at the log of one database: a system call in place of a query in another thread.

    It is never opened here: closing a file would end the locks that SQLite has on it for this process.
    """

    def __init__(self, path: Path) -> None:
        self._path = f"{path}-wal"
        self._seen: tuple[int, int] | None = None
        self._fresh_until = 0.0
        self._ask_at = 0.0

    def has_changed(self) -> bool:
        """Return whether it may have changed since the last call."""
        now, found = monotonic(), self._look()
        if found != self._seen:
            self._seen, self._fresh_until = found, now + FRESH
        if os.name == "posix" and self._fresh_until < now < self._ask_at:
            return False
        self._ask_at = now + CERTAIN
        return True

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None  # the last connection has removed it, and the next one makes it again
        return found.st_mtime_ns, found.st_size
