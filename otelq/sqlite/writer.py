"""
The writer: one connection in a process, and one commit for all verbs that wait for it.

Verbs that arrive while a commit is on its way to the disk gather, and share the next one (group commit). Each runs in a
savepoint, so that one that fails does not undo its neighbours. A verb returns after the commit.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from datetime import datetime
from typing import Any, Generic, TypeVar

from ..spawn import spawn
from .connection_thread import ConnectionThread, Settings, begin_immediate
from .errors import END_SOONER, Locked, translating
from .rows import now_micros, to_micros
from .session import SqliteSession, Verb, run
from .statements import SqliteStatements

T = TypeVar("T")

_MAX_GROUP = 128
"""The largest number of verbs in one commit, so that under load the first one does not wait for ever."""


class _PendingVerb(Generic[T]):
    __slots__ = ("future", "now", "since", "verb")

    def __init__(self, verb: Verb[T], now: datetime | None) -> None:
        self.verb = verb
        self.now = now
        self.since = time.monotonic()
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()


class Writer:
    """Runs verbs in groups. ``lock`` is held while any task of this process writes to the file."""

    def __init__(self, thread: ConnectionThread, settings: Settings, statements: SqliteStatements) -> None:
        self.lock = asyncio.Lock()
        self._thread = thread
        self._settings = settings
        self._statements = statements
        self._pending: deque[_PendingVerb[Any]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def write(self, verb: Verb[T], now: datetime | None) -> T:
        """
        Run ``verb`` in a transaction, and return its result after the commit.

        If the caller is cancelled before its group begins, the verb is not run. After that the group goes on without
        it.
        """
        pending = _PendingVerb(verb, now)
        self._pending.append(pending)
        # One task at a time runs groups; verbs that arrive meanwhile are in its next group.
        if self._task is None or self._task.done():
            # An empty context: the task runs verbs of many callers, and must not carry the context of the first.
            self._task = spawn(self._run_groups(), context=Context())
        return await pending.future

    async def drain(self) -> None:
        """Wait until no verb waits."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run_groups(self) -> None:
        while self._pending:
            held = self.lock.locked()  # asked before the wait: the verbs had to wait for a transaction
            if not await self._acquire():
                self._time_out_first()
                continue
            try:
                group = self._next_group()
                await self._commit_group(group, waited_for_lock=held)
            finally:
                self.lock.release()

    async def _acquire(self) -> bool:
        """Wait for the lock; return False when the oldest verb has waited for ``busy_timeout``."""
        left = self._pending[0].since + self._settings.busy_timeout - time.monotonic()
        try:
            async with asyncio.timeout(max(left, 0)):
                return await self.lock.acquire()
        except TimeoutError:
            return False

    def _time_out_first(self) -> None:
        pending = self._pending.popleft()
        if not pending.future.done():
            text = f"cannot write to {self._settings.path}: a transaction of this process is open; {END_SOONER}"
            pending.future.set_exception(Locked(text))

    def _next_group(self) -> list[_PendingVerb[Any]]:
        group: list[_PendingVerb[Any]] = []
        while self._pending and len(group) < _MAX_GROUP:
            pending = self._pending.popleft()
            if not pending.future.done():  # else its caller was cancelled
                group.append(pending)
        return group

    async def _commit_group(self, group: Sequence[_PendingVerb[Any]], *, waited_for_lock: bool) -> None:
        if not group:
            return
        try:
            results = await self._thread.run(lambda connection: self._run_group(connection, group, waited_for_lock))
        except Exception as error:
            # No verb of the group is committed: each caller gets the error.
            results = [error] * len(group)
        except asyncio.CancelledError:
            for pending in group:
                pending.future.cancel()
            raise
        for pending, result in zip(group, results, strict=True):
            if pending.future.done():
                continue
            if isinstance(result, Exception):
                pending.future.set_exception(result)
            else:
                pending.future.set_result(result)

    def _run_group(
        self, connection: sqlite3.Connection, group: Sequence[_PendingVerb[Any]], waited_for_lock: bool
    ) -> list[object]:
        # `reap` skips its round if the lock was held, by this process or by another.
        waited_for_lock = begin_immediate(connection, self._settings) or waited_for_lock
        with translating(f"cannot write to {self._settings.path}"):
            try:
                session = SqliteSession(self._statements, connection, waited_for_lock=waited_for_lock)
                results = [self._run_verb(session, connection, pending) for pending in group]
                with translating(f"cannot commit to {self._settings.path}"):
                    connection.execute("COMMIT")
                return results
            finally:
                # Also after a COMMIT that failed: SQLite then leaves the transaction open.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _run_verb(self, session: SqliteSession, connection: sqlite3.Connection, pending: _PendingVerb[Any]) -> object:
        """Run one verb; return its result, or its error after its writes are undone."""
        # A savepoint for each verb: its error undoes its own writes, and the group is committed all the same.
        connection.execute("SAVEPOINT verb")
        try:
            with translating(f"cannot write to {self._settings.path}"):
                result = run(pending.verb(session, now_micros() if pending.now is None else to_micros(pending.now)))
        except Exception as error:
            if not connection.in_transaction:
                # At some errors, such as a full disk, SQLite rolls back the whole transaction: the group fails.
                raise
            connection.execute("ROLLBACK TO verb")
            result = error
        connection.execute("RELEASE verb")
        return result
