"""What a task is inside of whose end says whether callbacks run: blocks, and otelq's own transactions."""

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
    """A callback that waits for a commit; ``tx`` is that which was named for it."""

    callback: Callback
    context: contextvars.Context
    tx: Transaction | None = None


class UncertainWrites(Protocol):
    """Something written in a transaction whose end may have to be looked up."""

    @property
    def transitions(self) -> Sequence[Transition]: ...
    @property
    def is_resolved(self) -> bool: ...

    async def resolve(self) -> None:
        """Settle it by what can be seen."""
        ...


def check_callback(callback: Callback) -> Callback:
    """Refuse what cannot be called."""
    if not callable(callback):
        raise InvalidArgument("callback", f"is {callback!r}; give a function without parameters")
    return callback


async def run_callbacks(callbacks: Iterable[PendingCallback]) -> None:
    """Run callbacks, one after the other; one that raises harms neither the others nor what was committed."""
    for pending in callbacks:
        try:
            await spawn(_call(pending.callback), context=pending.context)
        except Exception:
            logger.exception("%r, which followed a commit, failed; the commit stands", pending.callback)


async def _call(callback: Callback) -> None:
    """Call it; what ends more than itself, as ``sys.exit()`` in a task ends the event loop, is an error like others."""
    try:
        result = callback()
        if inspect.isawaitable(result):
            await result
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as end:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise OtelqError(f"a callback raised {type(end).__name__}") from end


class CallbackScope(ABC):
    """Something that a task is inside of, whose end says whether callbacks run."""

    def __init__(self, parent: CallbackScope | None) -> None:
        self.parent = parent
        self.is_over = False

    @property
    def is_active(self) -> bool:
        return not self.is_over

    @abstractmethod
    def add(self, pending: Sequence[PendingCallback]) -> None:
        """Decide on these callbacks."""


class TransactionScope(CallbackScope):
    """A transaction that otelq itself began."""

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
        """Callbacks that wait for an end of which the driver does not tell: only who began it knows."""
        self.written: WeakSet[UncertainWrites] = WeakSet()
        """Writes in transactions of callers since it began, by whichever client: in this very one, most often."""

    @property
    def is_active(self) -> bool:
        return not self.is_over and self._tx.active

    def add(self, pending: Sequence[PendingCallback]) -> None:
        self.unreported += [callback for callback in pending if not self._add_callback(callback, self._tx)]


class AfterCommitBlock(CallbackScope):
    """A block round a transaction, or round a savepoint if it stands in another scope."""

    def __init__(self, parent: CallbackScope | None) -> None:
        super().__init__(parent)
        self.uncertain: list[UncertainWrites] = []
        self.known_ends: list[tuple[Transaction, bool]] = []
        """What is known of transactions that otelq wrote in: whether they were committed."""
        self._callbacks: list[PendingCallback] = []

    def add(self, pending: Sequence[PendingCallback]) -> None:
        self._callbacks += pending

    async def end(self, *, succeeded: bool) -> None:
        """Tell what is known by now, and run what was hung here, or leave it to the scope round this one."""
        self.is_over = True
        for uncertain in self.uncertain:
            await uncertain.resolve()
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
