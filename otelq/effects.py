"""
What follows a commit: transitions become telemetry and hints, but only once they are known to be committed.

Transitions of otelq's own transactions are told at once. Those written in a caller's transaction wait for its end:
the driver says it, or the ids are looked up once the transaction is over. What cannot be known is counted.

Callbacks of the application can hang on the same commit; they run after what otelq itself has to tell.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, overload
from weakref import WeakSet

from .errors import InvalidArgument, OtelqError
from .model import Status, Transition, Verb
from .ports.notify import Hint, HintKind, NotifyAdapter
from .ports.state import Ending, StateAdapter, Transaction
from .telemetry import Telemetry
from .transitions import closes_chain

logger = logging.getLogger("otelq.effects")

LOOK_AGAIN = 0.05
"""Seconds between two looks at a transaction whose driver does not tell its end."""

Told = Callable[[bool], None]
"""Called with whether the transitions were committed."""

Callback: TypeAlias = Callable[[], object]
"""What an application hangs on a commit; what it returns is awaited, if it can be."""

_scope: ContextVar[_Scope | None] = ContextVar("otelq_after_commit", default=None)
_everybody: WeakSet[Effects] = WeakSet()
"""The effects of all open clients, among whom one knows how to follow a caller's transaction."""


@dataclass(eq=False, slots=True)
class _Hung:
    """A callback that waits for a commit; ``tx`` is that which was named for it."""

    callback: Callback
    context: contextvars.Context
    tx: Transaction | None = None


@dataclass(eq=False, slots=True)
class _Held:
    """Transitions written in a transaction that is still open, and callbacks whose fate is theirs."""

    effects: Effects
    tx: Transaction
    transitions: Sequence[Transition]
    told: Told
    block: _Block | None
    settled: bool = field(default=False)
    hung: list[_Hung] = field(default_factory=list[_Hung])

    def end(self, ending: Ending) -> None:
        if ending is Ending.UNKNOWN:
            self.effects.look_up(self)
        else:
            self.effects.release(self, committed=ending is Ending.COMMITTED)


class Effects:
    """Turns committed transitions into telemetry and hints, for one client."""

    def __init__(self, *, state: StateAdapter, notify: NotifyAdapter, telemetry: Telemetry) -> None:
        self._state = state
        self._notify = notify
        self._telemetry = telemetry
        self._held: set[_Held] = set()
        self._open: dict[_Held, None] = {}
        """All that is held, in order, also that of which the driver tells."""
        self._watcher: asyncio.Task[None] | None = None
        self._lookups: set[asyncio.Task[None]] = set()
        self._due: list[_Hung] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Be found by callbacks that name a transaction."""
        self._loop = asyncio.get_running_loop()
        _everybody.add(self)

    @property
    def is_here(self) -> bool:
        """Whether the client is open in this event loop."""
        return self._loop is asyncio.get_running_loop()

    def follow(
        self, transitions: Sequence[Transition], *, tx: Transaction | None = None, told: Told | None = None
    ) -> None:
        """
        Tell what was written: at once, or after ``tx`` has committed.

        ``told`` is called when it is known whether it was; it must not raise.
        """
        if tx is None:
            self._tell(transitions)
            if told is not None:
                told(True)
            return
        held = _Held(self, tx, transitions, _nobody if told is None else told, _block())
        self._open[held] = None
        if not tx.watch(held.end):
            self._wait_for(held)

    def release(self, held: _Held, *, committed: bool, known: bool = True) -> None:
        """Tell or drop what was held, once; ``known`` says whether its end is, or was only given up."""
        if held.settled:
            return
        held.settled = True
        self._held.discard(held)
        if committed:
            self._tell(held.transitions)
        held.told(committed)
        self._open.pop(held, None)
        if held.block is not None and known:
            held.block.endings.append((held.tx, committed))
        self._run_or_drop(held.hung, committed=committed)

    def look_up(self, held: _Held) -> None:
        """Find out by the ids whether a transaction with an unknown end was committed."""
        task = asyncio.get_running_loop().create_task(self.resolve(held), context=contextvars.Context())
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def resolve(self, held: _Held) -> None:
        """Settle what is held by what a connection of our own can see."""
        is_over = not held.tx.active  # asked first: a commit meanwhile must not be taken for a rollback
        seen = await self._is_present(held)
        if seen is None and is_over:
            self._telemetry.count_unknown(max(1, len(held.transitions)))
        if seen or is_over:
            self.release(held, committed=seen is True, known=seen is not None)

    async def _is_present(self, held: _Held) -> bool | None:
        """Whether the transitions are committed; None if that cannot be known, as where there are none to look for."""
        if not held.transitions:
            return None
        try:
            with self._telemetry.silence():
                seen = await self._state.present(held.transitions)
            told = [one for one in seen if one is not None]  # they were written together: one that tells is enough
            return all(told) if told else None
        except OtelqError as error:
            logger.warning("whether %d transitions were committed is not known: %s", len(held.transitions), error)
            return None

    async def close(self) -> None:
        """Settle what can be settled; what hangs in a transaction that is still open is given up as unknown."""
        _everybody.discard(self)
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
            self._watcher = None
        if self._lookups:
            await asyncio.wait(self._lookups)
        for held in list(self._held):
            await self.resolve(held)
        self._telemetry.count_unknown(sum(len(held.transitions) for held in self._held))
        self._held.clear()
        self._start_due()
        while self._lookups:
            await asyncio.wait(self._lookups)

    def _tell(self, transitions: Sequence[Transition]) -> None:
        self._telemetry.project(transitions)
        if hints := hints_of(transitions):
            self._notify.publish(hints)

    def _wait_for(self, held: _Held) -> None:
        self._held.add(held)
        if held.block is not None:
            held.block.held.append(held)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.get_running_loop().create_task(
                self._watch(), name="otelq effects", context=contextvars.Context()
            )

    async def _watch(self) -> None:
        while self._held:
            await asyncio.sleep(LOOK_AGAIN)
            for held in [held for held in self._held if not held.tx.active]:
                await self.resolve(held)

    # Callbacks of the application

    @contextmanager
    def inside(self, tx: Transaction) -> Generator[None]:
        """Let callbacks that are hung from now on in this task, and name no transaction, wait for this one."""
        scope = _Inside(_current(), self, tx)
        _scope.set(scope)  # not set back at the end, which may come in another task: it counts while ``tx`` is open
        try:
            yield
        finally:
            scope.is_over = True

    def join(self, tx: object) -> Transaction:
        """The caller's transaction; raises as the state adapter does."""
        return self._state.join(tx)

    def hang(self, hung: _Hung, tx: Transaction) -> bool:
        """Run a callback after the commit of ``tx``; False where its driver does not tell of that."""
        return tx.watch(partial(self._ended, hung, tx))

    def _ended(self, hung: _Hung, tx: Transaction, ending: Ending) -> None:
        if ending is Ending.UNKNOWN:
            # First the others are told of this end, so that there is something to look up.
            asyncio.get_running_loop().call_soon(self._await_witness, hung, tx)
        else:
            self._run_or_drop([hung], committed=ending is Ending.COMMITTED)

    def _await_witness(self, hung: _Hung, tx: Transaction) -> None:
        """Let a callback share the fate of what otelq itself wrote in its transaction, which can be looked up."""
        witness = next((held for held in reversed(self._open) if held.tx.handle is tx.handle), None)
        if witness is None:
            logger.warning("%r does not run: whether its transaction was committed is not known", hung.callback)
        else:
            witness.hung.append(hung)

    def _run_or_drop(self, hung: Iterable[_Hung], *, committed: bool) -> None:
        if not committed:
            return
        if not self._due:
            asyncio.get_running_loop().call_soon(self._start_due)  # after all that is told of this commit
        self._due += hung

    def _start_due(self) -> None:
        due, self._due = self._due, []
        if due:
            task = asyncio.get_running_loop().create_task(_run(due), context=contextvars.Context())
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)


async def _run(hung: Iterable[_Hung]) -> None:
    """Run callbacks, one after the other; one that raises harms neither the others nor what was committed."""
    for one in hung:
        try:
            await asyncio.get_running_loop().create_task(_call(one.callback), context=one.context)
        except Exception:
            logger.exception("%r, which followed a commit, failed; the commit stands", one.callback)


async def _call(callback: Callback) -> None:
    result = callback()
    if inspect.isawaitable(result):
        await result


class _Scope(ABC):
    """Something that a task is inside of, whose end says whether callbacks run."""

    def __init__(self, parent: _Scope | None) -> None:
        self.parent = parent
        self.is_over = False

    @property
    def counts(self) -> bool:
        return not self.is_over

    @abstractmethod
    def adopt(self, hung: Sequence[_Hung]) -> None:
        """Decide on these callbacks."""


class _Inside(_Scope):
    """A transaction that otelq itself began."""

    def __init__(self, parent: _Scope | None, effects: Effects, tx: Transaction) -> None:
        super().__init__(parent)
        self._effects = effects
        self._tx = tx

    @property
    def counts(self) -> bool:
        return not self.is_over and self._tx.active

    def adopt(self, hung: Sequence[_Hung]) -> None:
        for one in hung:
            self._effects.hang(one, self._tx)


class _Block(_Scope):
    """A block round a transaction, or round a savepoint if it stands in another scope."""

    def __init__(self, parent: _Scope | None) -> None:
        super().__init__(parent)
        self.held: list[_Held] = []
        self.endings: list[tuple[Transaction, bool]] = []
        """What is known of transactions that otelq wrote in: whether they were committed."""
        self._hung: list[_Hung] = []

    def adopt(self, hung: Sequence[_Hung]) -> None:
        self._hung += hung

    async def end(self, *, well: bool) -> None:
        """Tell what is known by now, and run what was hung here, or leave it to the scope round this one."""
        self.is_over = True
        for held in self.held:
            await held.effects.resolve(held)
        outer = _live(self.parent)
        if not well:
            return
        if outer is None:
            await _run([one for one in self._hung if self._is_committed(one)])
        else:
            outer.adopt(self._hung)
            if isinstance(outer, _Block):
                outer.endings += self.endings

    def _is_committed(self, hung: _Hung) -> bool:
        if hung.tx is not None and hung.tx.active:
            logger.warning("%r does not run: its transaction is open at the end of the block", hung.callback)
            return False
        handle = None if hung.tx is None else hung.tx.handle
        known = [committed for tx, committed in self.endings if handle is None or tx.handle is handle]
        return any(known) or not known


def _live(scope: _Scope | None) -> _Scope | None:
    while scope is not None and not scope.counts:
        scope = scope.parent
    return scope


def _current() -> _Scope | None:
    """The innermost scope that this task is inside of."""
    return _live(_scope.get())


def _block() -> _Block | None:
    scope = _current()
    while scope is not None and not isinstance(scope, _Block):
        scope = _live(scope.parent)
    return scope


@overload
def after_commit() -> AbstractAsyncContextManager[None]: ...
@overload
def after_commit(callback: Callback, *, tx: object | None = None) -> None: ...
def after_commit(
    callback: Callback | None = None, *, tx: object | None = None
) -> AbstractAsyncContextManager[None] | None:
    """
    Hang a callback on a commit; or, without one, open a block round a transaction whose driver tells of no commit.

    ``otelq.after_commit(callback)`` runs ``callback()``, which may be a coroutine function, after the commit and never
    after a rollback: not if a savepoint in which it was hung is rolled back either. It belongs to ``tx``, or else to
    the innermost of these that the task is inside of: ``client.transaction()``, ``attempt.completion()``, a block.
    Callbacks run after otelq's own effects, in the order in which they were hung, one after the other and each in a
    copy of the context in which it was hung. One that raises is logged. A process that dies before runs none: what
    must happen is a job.

    ``async with otelq.after_commit(): ...begin, start(tx=), commit`` tells the effects of what is written inside when
    the block ends. It is of use with a connection of aiosqlite or psycopg, which tell of no commit; without it the
    effects follow some 50 ms later. There the end of the block stands for the end of the transaction: leave it by an
    exception to have no callback run. If the transaction was rolled back and the block is left well all the same,
    callbacks run unless otelq wrote in it, for only that can be looked up. A block in a block is a savepoint: left by
    an exception, it drops its callbacks.

    Raises:
        InvalidArgument: there is nothing to belong to, or ``tx`` is such a connection outside a block.
    """
    if callback is None:
        return _opened_block()
    if not callable(callback):
        raise InvalidArgument("callback", f"is {callback!r}; give a function without parameters")
    _hang(callback, tx)
    return None


@asynccontextmanager
async def _opened_block() -> AsyncGenerator[None]:
    block = _Block(_current())
    token = _scope.set(block)
    well = False
    try:
        yield
        well = True
    finally:
        _scope.reset(token)
        await block.end(well=well)


def _hang(callback: Callback, tx: object | None) -> None:
    context = contextvars.copy_context()
    if tx is not None:
        return _hang_on(_Hung(callback, context), tx)
    scope = _current()
    if scope is None:
        raise InvalidArgument(
            "tx", "is missing: give the transaction, or call this in client.transaction() or otelq.after_commit()"
        )
    scope.adopt([_Hung(callback, context)])


def _hang_on(hung: _Hung, tx: object) -> None:
    """Let the first client that is told of the end of the transaction follow it; else the block does."""
    problem = InvalidArgument("tx", "can be followed by no client of this process; open one first")
    for effects in [effects for effects in _everybody if effects.is_here]:
        try:
            hung.tx = effects.join(tx)
        except InvalidArgument as error:
            problem = error
            continue
        if effects.hang(hung, hung.tx):
            return
    block = _block()
    if hung.tx is None:
        raise problem
    if block is None:
        raise InvalidArgument("tx", "does not tell of its end; open `async with otelq.after_commit():` round it")
    block.adopt([hung])


def hints_of(transitions: Sequence[Transition]) -> list[Hint]:
    """The hints that others can use: what is due and when, which chains are closed, which leases are revoked."""
    hints: dict[tuple[HintKind, str], Hint] = {}
    for transition in transitions:
        if transition.target is Status.READY:
            hints[HintKind.DUE, transition.type] = Hint(HintKind.DUE, transition.type)
        elif transition.target is Status.SCHEDULED:
            _earliest(hints, transition)
        elif closes_chain(transition.verb, transition.target) or transition.verb is Verb.DELETE:
            hints[HintKind.CLOSED, transition.chain_id] = Hint(HintKind.CLOSED, transition.chain_id)
        if transition.source is Status.RUNNING and transition.verb in _REVOKING:
            hints[HintKind.REVOKED, transition.chain_id] = Hint(HintKind.REVOKED, transition.chain_id)
    return list(hints.values())


_REVOKING = frozenset({Verb.CANCEL, Verb.COMPLETE_EXTERNALLY, Verb.TAKE_OVER, Verb.DELETE})


def _earliest(hints: dict[tuple[HintKind, str], Hint], transition: Transition) -> None:
    if transition.due_at is None:
        return
    delay = max(0.0, (transition.due_at - transition.at).total_seconds())
    known = hints.get((HintKind.DUE, transition.type))
    if known is None or delay < known.delay:
        hints[HintKind.DUE, transition.type] = Hint(HintKind.DUE, transition.type, delay)


def _nobody(_: bool) -> None:
    pass
