"""
A process that kills itself on demand: it makes verbs on SQLite, each in a forked child.

It imports only what verbs need, has no threads, and forks for each order on its standard input; the answer goes to its
standard output. The child sees every statement of its connections, by a connection class of its own. At the chosen one
it kills itself with SIGKILL, or raises the error that SQLite would raise.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import Any, BinaryIO, TypeVar

from otelq.sqlite import adapter

from ..drivers import application
from .canceller import Canceller
from .points import CANCELS, Counting, Interruption, Point
from .scenario_kit import ArrangedScenario, World, perform
from .scenarios import BY_NAME
from .stages import StatementTrace

T = TypeVar("T")
LENGTH = 8
"""Bytes that say how long a message is."""
SYNCHRONOUS = "normal"
"""Not every commit waits for the disk: what a process wrote outlives that process in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbOrder:
    """A scenario by its name, with the rest of the arrangement, the interruption, and the database."""

    scenario: str
    world: World
    now: datetime
    ledger: str
    point: Point | None
    url: str
    schema: str
    driver: str

    @property
    def play(self) -> ArrangedScenario:
        return ArrangedScenario(scenario=BY_NAME[self.scenario], world=self.world, now=self.now, ledger=self.ledger)


class Tap:
    """Sees every statement of this process, once it is opened."""

    def __init__(self, point: Point | None) -> None:
        self.is_open = False
        self.counting = Counting(point)
        self.canceller = Canceller(point.fault if point else None)
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._point = point

    def pass_on(self, statement: str, connection: sqlite3.Connection, execute: Callable[[], T]) -> T:
        """Run a statement, or interrupt it if it is the one."""
        is_it = self.is_open and self.counting.is_at(statement)
        if not is_it or self._point is None:
            return execute()
        self.is_open = False
        match self._point.fault:
            case Interruption.CANCELLED | Interruption.SCOPED:
                self._cancel()
                return execute()
            case Interruption.KILLED:
                execute()
                os.kill(os.getpid(), signal.SIGKILL)
            case Interruption.FULL if statement == "ROLLBACK":
                return execute()  # which needs no disk space
            case Interruption.BROKEN if connection.in_transaction:
                connection.rollback()  # as SQLite does by itself when it cannot read or write
            case _:
                pass
        raise _error(self._point.fault)

    def _cancel(self) -> None:
        """Cancel the verb from the thread of a connection, and wait until that has happened."""
        if threading.get_ident() == self._thread:
            return self.canceller.strike()
        is_done = threading.Event()

        def cancel() -> None:
            self.canceller.strike()
            is_done.set()

        # The statement must not run before the cancel has arrived: otherwise their order would be left to chance.
        self._loop.call_soon_threadsafe(cancel)
        is_done.wait()


def _error(fault: Interruption) -> sqlite3.OperationalError:
    if fault is Interruption.FULL:
        return _coded(sqlite3.OperationalError("database or disk is full"), sqlite3.SQLITE_FULL)
    return _coded(sqlite3.OperationalError("disk I/O error"), sqlite3.SQLITE_IOERR)


def _coded(error: sqlite3.OperationalError, code: int) -> sqlite3.OperationalError:
    error.sqlite_errorcode = code
    return error


def tapped(tap: Tap) -> type[sqlite3.Connection]:
    """Return a class of connections whose statements pass through a tap."""

    class TappedCursor(sqlite3.Cursor):
        def execute(self, sql: str, parameters: Any = (), /) -> Any:
            return tap.pass_on(sql, self.connection, lambda: super(TappedCursor, self).execute(sql, parameters))

    class Tapped(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            return tap.pass_on(sql, self, lambda: super(Tapped, self).execute(sql, parameters))

        def cursor(self, factory: Any = None) -> Any:
            return super().cursor(TappedCursor)

        def commit(self) -> None:
            self._end("COMMIT", super().commit)

        def rollback(self) -> None:
            self._end("ROLLBACK", super().rollback)

        def _end(self, statement: str, end: Callable[[], None]) -> None:
            if self.in_transaction:
                tap.pass_on(statement, self, end)

    return Tapped


async def perform_order(order: VerbOrder) -> StatementTrace:
    """Make the verb, in a process that may be killed by it."""
    tap = Tap(order.point)
    # This process is there for nothing else.
    sqlite3.Connection = Tapped = tapped(tap)  # type: ignore[misc]  # a class in the place of another
    sqlite3.connect = partial(sqlite3.connect, factory=Tapped)  # type: ignore[assignment]  # it has overloads
    async with application(order.url, order.driver, size=2) as app:
        state = adapter(app.target, schema=order.schema, synchronous=SYNCHRONOUS)
        await state.open(migrate=False)
        problems = await app.faults()  # opens them all
        tap.is_open = True
        result = await perform(order.play, state, app, tap.canceller)
        tap.is_open = False
        if order.point and order.point.fault in CANCELS:
            problems += await app.faults()
        await state.close()
    return StatementTrace(
        statements=tap.counting.sent, result=result, problem="; ".join([*tap.counting.problems, *problems])
    )


def main() -> None:
    """Fork for each order. The child answers with a trace; if it dies, its exit code is the answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it, and ends this process by its input
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(LENGTH):
        order: VerbOrder = pickle.loads(source.read(int.from_bytes(head)))
        _load(order)
        # The parent has no threads and no event loop, so a fork is safe, and much quicker than a new interpreter.
        child = os.fork()
        if not child:
            # Not asyncio.run: it waits for tasks that it cancels, and one of SQLAlchemy's that closes a connection of
            # aiosqlite never ends if a cancel has stopped the thread of that connection before.
            _answer(sink, asyncio.new_event_loop().run_until_complete(perform_order(order)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            _answer(sink, os.waitstatus_to_exitcode(status))


def _load(order: VerbOrder) -> None:
    """Import what the children would import each for itself."""
    if order.driver.startswith("sqlalchemy"):
        import_module("sqlalchemy.dialects.sqlite.aiosqlite")
        import_module("otelq.sqlite.sqlalchemy")


def _answer(sink: BinaryIO, answer: object) -> None:
    message = pickle.dumps(answer)
    sink.write(len(message).to_bytes(LENGTH) + message)
    sink.flush()


if __name__ == "__main__":
    main()
