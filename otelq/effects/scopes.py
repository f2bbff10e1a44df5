"""Scopes that decide when after-commit callbacks run: blocks, and transactions that otelq began."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeAlias
from weakref import WeakSet

from ..errors import InvalidArgument, OtelqError
from ..logs import Log
from ..model import Transition
from ..ports.state import Transaction
from ..spawn import spawn

logger = Log("otelq.effects")

Callback: TypeAlias = Callable[[], object]
"""A function to call after a commit; an awaitable that it returns is awaited."""

innermost: ContextVar[CallbackScope | None] = ContextVar("otelq_after_commit", default=None)


@dataclass(eq=False, slots=True)
class PendingCallback:
    """A callback that waits for a commit; ``tx`` is the transaction that was given for it, if any."""

    callback: Callback
    context: contextvars.Context
    tx: Transaction | None = None


class UncertainWrites(Protocol):
    """Transitions written in a transaction whose end may have to be looked up."""

    @property
    def transitions(self) -> Sequence[Transition]: ...
    @property
    def is_resolved(self) -> bool: ...

    async def resolve(self) -> None:
        """Look up whether the transitions are committed, and apply the result."""
        ...


def check_callback(callback: Callback) -> Callback:
    """Return the callback; raise ``InvalidArgument`` if it cannot be called."""
    if not callable(callback):
        raise InvalidArgument("callback", f"is {callback!r}; give a function without parameters")
    return callback


async def run_callbacks(callbacks: Iterable[PendingCallback]) -> None:
    """Run callbacks one after the other; log an error and go on with the next."""
    for pending in callbacks:
        # A task for each: it runs in the context in which the callback was registered.
        try:
            await spawn(_call(pending.callback), context=pending.context)
        except Exception:
            logger.exception("%r, an after-commit callback, failed; the commit is not affected", pending.callback)


async def _call(callback: Callback) -> None:
    """Call a callback; turn ``SystemExit`` and the like, which in a task end the event loop, into an error."""
    try:
        result = callback()
        if inspect.isawaitable(result):
            await result
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as end:
        task = asyncio.current_task()
        # A cancel of this task comes from `close` and must pass. A CancelledError without one is the callback's own.
        if task is not None and task.cancelling():
            raise
        raise OtelqError(f"a callback raised {type(end).__name__}") from end


class CallbackScope(ABC):
    """A scope around the current code whose end decides whether callbacks run."""

    def __init__(self, parent: CallbackScope | None) -> None:
        self.parent = parent
        self.is_over = False

    @property
    def is_active(self) -> bool:
        return not self.is_over

    @abstractmethod
    def add(self, pending: Sequence[PendingCallback]) -> None:
        """Run or drop these callbacks when the scope ends."""


class TransactionScope(CallbackScope):
    """A transaction that otelq began."""

    def __init__(
        self,
        parent: CallbackScope | None,
        tx: Transaction,
        add_callback: Callable[[PendingCallback, Transaction], bool],
    ) -> None:
        super().__init__(parent)
        self._tx = tx
        self._add_callback = add_callback
        self.unreported: list[PendingCallback] = []
        """Callbacks that the driver will not run, as it reports no end; ``Effects.run_after_commit`` runs them."""
        self.written: WeakSet[UncertainWrites] = WeakSet()
        """Writes of any client in a caller's transaction since this one began; mostly in this one."""

    @property
    def is_active(self) -> bool:
        return not self.is_over and self._tx.active

    def add(self, pending: Sequence[PendingCallback]) -> None:
        # Given to the driver at once, which also drops them with a savepoint that is rolled back.
        self.unreported += [callback for callback in pending if not self._add_callback(callback, self._tx)]


class AfterCommitBlock(CallbackScope):
    """A block around a transaction, or around a savepoint if it is inside another scope."""

    def __init__(self, parent: CallbackScope | None) -> None:
        super().__init__(parent)
        self.uncertain: list[UncertainWrites] = []
        self.known_ends: list[tuple[Transaction, bool]] = []
        """Transactions in which otelq wrote, each with True if it was committed."""
        self._callbacks: list[PendingCallback] = []

    def add(self, pending: Sequence[PendingCallback]) -> None:
        self._callbacks += pending

    async def end(self, *, succeeded: bool) -> None:
        """Resolve the writes of the block, then run its callbacks, or pass them to the scope around it."""
        self.is_over = True
        for uncertain in self.uncertain:
            await uncertain.resolve()
        # A block in a transaction is a savepoint of it: only the end of the outermost scope decides.
        outer = nearest_active(self.parent)
        if not succeeded:
            return
        if outer is None:
            await run_callbacks([callback for callback in self._callbacks if self._is_committed(callback)])
        else:
            outer.add(self._callbacks)
            if isinstance(outer, AfterCommitBlock):
                outer.known_ends += self.known_ends

    def _is_committed(self, pending: PendingCallback) -> bool:
        # Only transactions with writes of otelq have a known end. Without any, leaving the block counts as a commit.
        handle = None if pending.tx is None else pending.tx.handle
        known = [committed for tx, committed in self.known_ends if handle is None or tx.handle is handle]
        if not known and pending.tx is not None and pending.tx.active:
            logger.warning("%r does not run: its transaction is open at the end of the block", pending.callback)
            return False
        return any(known) or not known


def nearest_active(scope: CallbackScope | None) -> CallbackScope | None:
    while scope is not None and not scope.is_active:
        scope = scope.parent
    return scope


def current() -> CallbackScope | None:
    """Return the innermost scope that this task is inside of."""
    return nearest_active(innermost.get())


def enclosing() -> Generator[CallbackScope]:
    """Yield the scopes that this task is inside of, the innermost first."""
    scope = current()
    while scope is not None:
        yield scope
        scope = nearest_active(scope.parent)


def enclosing_block() -> AfterCommitBlock | None:
    """Return the innermost block that this task is inside of."""
    return next((scope for scope in enclosing() if isinstance(scope, AfterCommitBlock)), None)
