"""
The writer: one connection a process, and one commit for all that wait for it.

Verbs that come while a commit is on its way to the disk gather and share the next one. Each runs in a savepoint, so
that one that fails takes nothing of its neighbours with it; none learns its result before the commit.
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
from .errors import END_IT, Locked, translating
from .rows import clock, micros
from .session import SqliteSession, Verb, run
from .statements import SqliteStatements

T = TypeVar("T")

_GROUP = 128
"""How many verbs share a commit at most, so that the first does not wait for an endless last."""


class _Waiting(Generic[T]):
    __slots__ = ("future", "now", "since", "verb")

    def __init__(self, verb: Verb[T], now: datetime | None) -> None:
        self.verb = verb
        self.now = now
        self.since = time.monotonic()
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()


class Writer:
    """Runs verbs in groups. ``lock`` is held while anybody in this process writes to the file."""

    def __init__(self, lane: ConnectionThread, settings: Settings, queries: SqliteStatements) -> None:
        self.lock = asyncio.Lock()
        self._lane = lane
        self._settings = settings
        self._queries = queries
        self._waiting: deque[_Waiting[Any]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def do(self, verb: Verb[T], now: datetime | None) -> T:
        """
        Run ``verb`` in a transaction and return its result once that is committed.

        A caller that is cancelled before its group began leaves nothing; after that the group goes on without it.
        """
        waiting = _Waiting(verb, now)
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            # An empty context: what runs for one caller carries nothing of another's.
            self._task = spawn(self._work_off(), context=Context())
        return await waiting.future

    async def drain(self) -> None:
        """Wait until nobody waits."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _work_off(self) -> None:
        while self._waiting:
            held = self.lock.locked()
            if not await self._acquire():
                self._give_up()
                continue
            try:
                group = self._next_group()
                await self._commit(group, waited=held)
            finally:
                self.lock.release()

    async def _acquire(self) -> bool:
        """Wait for the lock no longer than the one who waits longest may."""
        left = self._waiting[0].since + self._settings.busy_timeout - time.monotonic()
        try:
            async with asyncio.timeout(max(left, 0)):
                return await self.lock.acquire()
        except TimeoutError:
            return False

    def _give_up(self) -> None:
        waiting = self._waiting.popleft()
        if not waiting.future.done():
            text = f"cannot write to {self._settings.path}: a transaction of this process is open; {END_IT}"
            waiting.future.set_exception(Locked(text))

    def _next_group(self) -> list[_Waiting[Any]]:
        group: list[_Waiting[Any]] = []
        while self._waiting and len(group) < _GROUP:
            waiting = self._waiting.popleft()
            if not waiting.future.done():
                group.append(waiting)
        return group

    async def _commit(self, group: Sequence[_Waiting[Any]], *, waited: bool) -> None:
        if not group:
            return
        try:
            results = await self._lane.run(lambda connection: self._transact(connection, group, waited))
        except Exception as error:
            results = [error] * len(group)
        except asyncio.CancelledError:
            for waiting in group:
                waiting.future.cancel()
            raise
        for waiting, result in zip(group, results, strict=True):
            if waiting.future.done():
                continue
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)

    def _transact(self, connection: sqlite3.Connection, group: Sequence[_Waiting[Any]], waited: bool) -> list[object]:
        waited = begin_immediate(connection, self._settings) or waited
        with translating(f"cannot write to {self._settings.path}"):
            try:
                session = SqliteSession(self._queries, connection, waited=waited)
                results = [self._attempt(session, connection, waiting) for waiting in group]
                with translating(f"cannot commit to {self._settings.path}"):
                    connection.execute("COMMIT")
                return results
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _attempt(self, session: SqliteSession, connection: sqlite3.Connection, waiting: _Waiting[Any]) -> object:
        """The result of one verb, or its error; whatever a verb that failed wrote is taken back."""
        connection.execute("SAVEPOINT verb")
        try:
            with translating(f"cannot write to {self._settings.path}"):
                result = run(waiting.verb(session, clock() if waiting.now is None else micros(waiting.now)))
        except Exception as error:
            if not connection.in_transaction:
                # A full disk or a failing one ends the whole transaction, the neighbours' writes with it.
                raise
            connection.execute("ROLLBACK TO verb")
            result = error
        connection.execute("RELEASE verb")
        return result
