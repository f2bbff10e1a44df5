"""Transactions to write in, the adapter's own and the caller's, and how one learns of their end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ..errors import InvalidArgument, Unavailable
from ..ports.state import Ending, Transaction
from .database import in_time
from .errors import DRIVER_ERRORS, is_lost

Ended = Callable[[Ending], None]

_CONTROL: Final = re.compile(
    r"""(?ix) ^ \s* (?:
        (?P<commit> commit | end) (?: \s+ (?: work | transaction))? (?: \s+ and \s+ (?:no \s+)? chain)?
      | (?P<rollback> rollback | abort) (?: \s+ (?: work | transaction))? (?: \s+ and \s+ (?:no \s+)? chain)?
      | rollback (?: \s+ (?: work | transaction))? \s+ to (?: \s+ savepoint)? \s+ (?P<back_to> \S+)
      | savepoint \s+ (?P<savepoint> \S+)
      | release (?: \s+ savepoint)? \s+ (?P<release> \S+)
    ) \s* $"""
)
_MAY_CONTROL: Final = re.compile(r"(?i)\b(commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b")
_COMMENTS: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


class PostgresTransaction(Transaction):
    """A transaction on an asyncpg connection."""

    def __init__(self, connection: Any, watcher: Watcher) -> None:
        self.connection = connection
        self._watcher = watcher

    @property
    def handle(self) -> Any:
        return self.connection

    @property
    def active(self) -> bool:
        return not self._watcher.is_over and is_open(self.connection)

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        """
        Tell how it ends, learnt from the statements that pass on the connection.

        An error that aborted the transaction is seen in statements of the connection itself; after one in a cursor,
        a ``COPY`` or a prepared statement that the caller swallowed, a COMMIT counts as one.
        """
        self._watcher.add(ended)
        return True

    async def commit(self, block: Any, *, timeout: float) -> None:
        """
        Commit what the adapter began; once it is sent, a cancellation waits for it, ``timeout`` seconds at most.

        Raises:
            Unavailable: it failed, or its result is not known.
        """
        sent = asyncio.ensure_future(in_time(self.connection, block.commit(), timeout=timeout))
        try:
            await asyncio.shield(sent)
        except asyncio.CancelledError:
            await asyncio.wait([sent])
            self._end(sent)
            raise
        except Exception:
            pass
        self._end(sent)

    async def roll_back(self, block: Any, *, timeout: float) -> None:
        """Roll back what the adapter began; if the connection is gone, the server does."""
        with suppress(*DRIVER_ERRORS, TimeoutError):
            await in_time(self.connection, block.rollback(), timeout=timeout)
        self._watcher.end(Ending.ROLLED_BACK)

    def _end(self, sent: asyncio.Future[None]) -> None:
        error = sent.exception()
        if error is None:
            if self._watcher.end_by_commit() is not Ending.COMMITTED:
                raise Unavailable("the transaction was rolled back, because a statement in it had failed")
            return
        is_refused = isinstance(error, asyncpg.PostgresError) and not is_lost(error)
        self._watcher.end(Ending.ROLLED_BACK if is_refused else Ending.UNKNOWN)
        raise Unavailable(f"the commit failed, or its result is not known: {error}") from error


class Watcher:
    """
    Follows one transaction on one connection, savepoints and all.

    It hears of a statement after its end. What was written belongs to the innermost savepoint of that moment;
    rolling back to a savepoint that the watcher never saw takes all it knows with it.
    """

    def __init__(self, connection: Any, forget: Callable[[], object]) -> None:
        self.is_over = False
        self.is_aborted: bool | None = False
        """None: a statement broke off in a way that leaves this open."""
        self._connection = connection
        self._forget = forget
        self._listens = False
        self._is_doubtful = False
        """One transaction may have ended unheard and another begun: whose end comes next is not known."""
        self._frames: list[tuple[str | None, list[Ended]]] = [(None, [])]

    def add(self, ended: Ended) -> None:
        self.listen()
        self._frames[-1][1].append(ended)

    def listen(self) -> None:
        if not self._listens:
            self._listens = True
            self._connection.add_query_logger(self._heard)
            self._connection.add_termination_listener(self._died)

    def end(self, ending: Ending) -> None:
        """The transaction is over; whoever comes later changes nothing."""
        if self.is_over:
            return
        self.is_over = True
        self._stop()
        self._tell(Ending.UNKNOWN if self._is_doubtful else ending, since=0)
        self._forget()

    def end_by_commit(self) -> Ending:
        """The server said yes to a COMMIT; of an aborted transaction, it then made a rollback."""
        ending = {False: Ending.COMMITTED, True: Ending.ROLLED_BACK, None: Ending.UNKNOWN}[self.is_aborted]
        self.end(ending)
        return ending

    def _stop(self) -> None:
        if self._listens:
            self._connection.remove_query_logger(self._heard)
            self._connection.remove_termination_listener(self._died)

    def _tell(self, ending: Ending, *, since: int) -> None:
        told = [ended for _, frame in self._frames[since:] for ended in frame]
        self._frames[since:] = []
        for ended in told:
            ended(ending)

    def _died(self, connection: object) -> None:
        self.end(Ending.UNKNOWN)

    def _heard(self, record: Any) -> None:
        if self.is_over:
            return
        text = _COMMENTS.sub(" ", record.query).strip().rstrip(";")
        if control := _CONTROL.match(text):
            self._control(control.lastgroup or "", (control[control.lastgroup or 0]).lower(), record.exception)
        elif ";" in text and _MAY_CONTROL.search(text):
            self._may_have_ended(record.exception)
        elif record.exception is not None:
            self._broke(record.exception)

    def _control(self, kind: str, name: str, error: BaseException | None) -> None:
        if error is not None:
            self._control_failed(kind, error)
            return
        match kind:
            case "commit":
                self.end_by_commit()
            case "rollback":
                self.end(Ending.ROLLED_BACK)
            case "savepoint":
                self._frames.append((name, []))
            case "release":
                self._release(name)
            case _:
                self._back_to(name)

    def _control_failed(self, kind: str, error: BaseException) -> None:
        if kind not in ("commit", "rollback"):
            self._broke(error)
        elif isinstance(error, asyncpg.PostgresError) and not is_lost(error):
            self.end(Ending.ROLLED_BACK)
        else:
            self.end(Ending.ROLLED_BACK if kind == "rollback" else Ending.UNKNOWN)

    def _may_have_ended(self, error: BaseException | None) -> None:
        """Several statements, or a block such as DO: while a transaction is open, ask at its end, not before."""
        if not is_open(self._connection):
            return self.end(Ending.UNKNOWN)
        self._is_doubtful = True
        if error is not None:
            self._broke(error)

    def _broke(self, error: BaseException) -> None:
        if isinstance(error, asyncpg.PostgresError):
            self.is_aborted = True
        elif not self.is_aborted and not isinstance(error, asyncpg.InterfaceError):
            self.is_aborted = None

    def _release(self, name: str) -> None:
        start = self._find(name)
        released = [ended for _, frame in self._frames[start:] for ended in frame]
        self._frames[start:] = []
        self._base().extend(released)

    def _back_to(self, name: str) -> None:
        start = self._find(name)
        self.is_aborted = False
        self._tell(Ending.ROLLED_BACK, since=start)
        self._frames.append((name, []) if start else (None, []))

    def _base(self) -> list[Ended]:
        if not self._frames:
            self._frames.append((None, []))
        return self._frames[-1][1]

    def _find(self, name: str) -> int:
        """The frame of the innermost savepoint of this name; the bottom for one from before our time."""
        return next((i for i in range(len(self._frames) - 1, 0, -1) if self._frames[i][0] == name), 0)


class Watchers:
    """The transactions that are followed, one on a connection."""

    def __init__(self) -> None:
        self._by_connection: WeakKeyDictionary[Any, PostgresTransaction] = WeakKeyDictionary()

    def join(self, tx: object) -> PostgresTransaction:
        """
        The transaction that is open on a connection.

        Raises:
            InvalidArgument: it is not a connection of asyncpg, or no transaction is open.
        """
        if not isinstance(tx, (asyncpg.Connection, PoolConnectionProxy)):
            raise InvalidArgument("tx", f"is {type(tx).__name__}; give the asyncpg connection of your transaction")
        if not is_open(tx):
            raise InvalidArgument("tx", "has no open transaction; open one with `async with connection.transaction():`")
        raw = _raw(tx)
        known = self._by_connection.get(raw)
        return known if known and known.active else self.follow(tx)

    def follow(self, connection: Any) -> PostgresTransaction:
        """Begin to follow the transaction that is open on ``connection``."""
        raw = _raw(connection)
        watcher = Watcher(raw, lambda: self._by_connection.pop(raw, None))
        transaction = self._by_connection[raw] = PostgresTransaction(connection, watcher)
        return transaction


def is_open(connection: Any) -> bool:
    """Whether a transaction is open on the connection."""
    try:
        return not connection.is_closed() and connection.is_in_transaction()
    except asyncpg.InterfaceError:
        return False


def _raw(connection: Any) -> Any:
    """The connection itself, not the loan of it that a pool hands out."""
    return getattr(connection, "_con", connection)
