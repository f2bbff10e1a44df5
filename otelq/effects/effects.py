"""Turns committed transitions into telemetry and hints."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from ..errors import InvalidArgument, OtelqError, Unavailable
from ..logs import Log
from ..model import Transition
from ..ports.notify import NotifyAdapter
from ..ports.state import Ending, StateAdapter, Transaction
from ..spawn import spawn
from ..telemetry import Telemetry
from .hints import hints_of
from .scopes import (
    AfterCommitBlock,
    Callback,
    PendingCallback,
    TransactionScope,
    check_callback,
    current,
    enclosing,
    enclosing_block,
    innermost,
    run,
)

logger = Log("otelq.effects")

LOOK_AGAIN = 0.05
"""Seconds between two looks at a transaction whose driver does not tell its end."""
CLOSING: Final = 5.0
"""Seconds that callbacks have to end when their client is closed."""
PAUSES: Final = (0.05, 0.5, 1.5, 5.0)
"""Seconds between tries to look up what was committed: what left a commit in doubt may last as long as a restart."""

TransitionSpan = Callable[[bool], None]
"""Called with whether the transitions were committed."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class _PendingEffects:
    """Transitions written in a transaction that is still open, and callbacks whose fate is theirs."""

    effects: Effects
    tx: Transaction
    transitions: Sequence[Transition]
    told: TransitionSpan
    block: AfterCommitBlock | None
    settled: bool = field(default=False)
    pending: list[PendingCallback] = field(default_factory=list[PendingCallback])

    def end(self, ending: Ending) -> None:
        if ending is Ending.UNKNOWN:
            self.effects.look_up(self)
        else:
            self.effects.release(self, committed=ending is Ending.COMMITTED)

    async def resolve(self) -> None:
        """Settle it by what can be seen."""
        await self.effects.resolve(self)


class _EndedTransaction(Transaction):
    """A transaction that has ended, nobody knows how."""

    @property
    def handle(self) -> None:
        return None

    @property
    def active(self) -> bool:
        return False

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return False


class Effects:
    """Turns committed transitions into telemetry and hints, for one client."""

    def __init__(self, *, state: StateAdapter, notify: NotifyAdapter, telemetry: Telemetry) -> None:
        self._state = state
        self._notify = notify
        self._telemetry = telemetry
        self._held: set[_PendingEffects] = set()
        self._open: dict[_PendingEffects, None] = {}
        """All that is held, in order, also that of which the driver tells."""
        self._watcher: asyncio.Task[None] | None = None
        self._lookups: set[asyncio.Task[None]] = set()
        self._due: list[PendingCallback] = []
        self._own: set[TransactionScope] = set()
        """The transactions that the client itself began."""
        self._closing = asyncio.Event()

    def open(self) -> None:
        """Begin, in the running event loop."""
        self._closing = asyncio.Event()

    def follow(
        self, transitions: Sequence[Transition], *, tx: Transaction | None = None, told: TransitionSpan | None = None
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
        held = _PendingEffects(self, tx, transitions, _ignore_ending if told is None else told, enclosing_block())
        self._open[held] = None
        for scope in enclosing():
            if isinstance(scope, TransactionScope):
                scope.written.add(held)
        if not tx.watch(held.end):
            self._wait_for(held)

    def release(self, held: _PendingEffects, *, committed: bool, known: bool = True) -> None:
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
        self._run_or_drop(held.pending, committed=committed)

    def undecided(self) -> list[Transition]:
        """
        Return what was written in transactions whose end is not known yet.

        That is by this client, and by others inside of a transaction that this one began.
        """
        held = [*self._open, *(one for scope in self._own for one in scope.written)]
        return [change for one in held if not one.settled for change in one.transitions]

    def look_up(self, held: _PendingEffects) -> None:
        """Find out by the ids whether a transaction with an unknown end was committed."""
        task = spawn(self._resolve_in_doubt(held), context=contextvars.Context())
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def _resolve_in_doubt(self, held: _PendingEffects) -> None:
        """A server whose client has gone may still be at the COMMIT: what is not there yet is looked for again."""
        for pause in PAUSES[:2]:
            if await self._is_present(held) is not False:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
        await self.resolve(held)

    @contextmanager
    def resolve_lost_commit(self) -> Generator[None]:
        """Look up what a verb of the block committed, perhaps, in a transaction of its own whose end was lost."""
        try:
            yield
        except Unavailable as error:
            made = [one for one in error.in_doubt if isinstance(one, Transition)]
            if made:
                self.look_up(_PendingEffects(self, _EndedTransaction(), made, _ignore_ending, None))
            raise

    async def resolve(self, held: _PendingEffects) -> None:
        """Settle what is held by what a connection of our own can see."""
        is_over = await held.tx.is_over()  # asked first: a commit meanwhile must not be taken for a rollback
        seen = await self._is_present(held)
        if seen is None and is_over:
            self._telemetry.count_unknown(max(1, len(held.transitions)))
        if seen or is_over:
            self.release(held, committed=seen is True, known=seen is not None)

    async def _is_present(self, held: _PendingEffects) -> bool | None:
        """Whether the transitions are committed; None if that cannot be known, as where there are none to look for."""
        if not held.transitions:
            return None
        try:
            with self._telemetry.silence():
                seen = await self._look(held.transitions)
            told = [one for one in seen if one is not None]  # they were written together: one that tells is enough
            return all(told) if told else None
        except OtelqError as error:
            logger.warning("whether %d transitions were committed is not known: %s", len(held.transitions), error)
            return None

    async def _look(self, transitions: Sequence[Transition]) -> Sequence[bool | None]:
        """What the database says, once it says anything; who closes does not wait for that."""
        for pause in PAUSES:
            try:
                return await self._state.were_committed(transitions)
            except Unavailable:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), pause)
        return await self._state.were_committed(transitions)

    async def close(self) -> None:
        """Settle what can be settled; what hangs in a transaction that is still open is given up as unknown."""
        self._closing.set()
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
            self._watcher = None
        if self._lookups:
            await asyncio.wait(self._lookups, timeout=CLOSING)
        await asyncio.sleep(0)  # what a driver has heard by now, it tells in the next turn of the loop
        for held in [held for held in self._open if held in self._held or await held.tx.is_over()]:
            await self.resolve(held)
        self._telemetry.count_unknown(sum(len(held.transitions) for held in self._held))
        self._held.clear()
        self._start_due()
        await self._end_callbacks()

    async def _end_callbacks(self) -> None:
        """Wait for callbacks that run, but not for ever: one may wait for the very client that is being closed."""
        if not self._lookups:
            return
        _, left = await asyncio.wait(self._lookups, timeout=CLOSING)
        for task in left:
            task.cancel()
        if left:
            logger.warning("%d callbacks after commits did not end within %g s and are cancelled", len(left), CLOSING)
            await asyncio.wait(left, timeout=CLOSING)

    def _tell(self, transitions: Sequence[Transition]) -> None:
        self._telemetry.project(transitions)
        if hints := hints_of(transitions):
            try:
                self._notify.publish(hints)
            except Exception:  # it is committed, and polls find it
                logger.exception("hints of a commit could not be published")

    def _wait_for(self, held: _PendingEffects) -> None:
        self._held.add(held)
        if held.block is not None:
            held.block.held.append(held)
        if self._watcher is None or self._watcher.done():
            self._watcher = spawn(self._watch(), name="otelq effects", context=contextvars.Context())

    async def _watch(self) -> None:
        while self._held:
            await asyncio.sleep(LOOK_AGAIN)
            for held in list(self._held):
                if await held.tx.is_over():
                    await self.resolve(held)

    # Callbacks of the application

    @contextmanager
    def inside(self, tx: Transaction) -> Generator[TransactionScope]:
        """Let callbacks that are hung from now on in this task, and name no transaction, wait for this one."""
        scope = TransactionScope(current(), tx, self.add_callback)
        innermost.set(scope)  # not set back at the end, which may come in another task: it counts while ``tx`` is open
        self._own.add(scope)
        try:
            yield scope
        finally:
            scope.is_over = True
            self._own.discard(scope)

    def committed(self, scope: TransactionScope) -> None:
        """Run the callbacks of a transaction that the client itself has committed, and whose driver tells nothing."""
        self._run_or_drop(scope.left, committed=True)

    def after_commit(self, callback: Callback, *, tx: object) -> None:
        """
        Run a callback after the commit of a caller's transaction: of which the driver tells, or the block round it.

        Raises:
            InvalidArgument: as the state adapter does for ``tx``, or there is neither.
        """
        transaction = self._state.join(tx)
        pending = PendingCallback(check_callback(callback), contextvars.copy_context(), transaction)
        if self.add_callback(pending, transaction):
            return
        block = enclosing_block()
        if block is None:
            raise InvalidArgument("tx", "does not tell of its end; open `async with otelq.after_commit():` round it")
        block.adopt([pending])

    def add_callback(self, pending: PendingCallback, tx: Transaction) -> bool:
        """Run a callback after the commit of ``tx``; False where its driver does not tell of that."""
        return tx.watch(partial(self._ended, pending, tx))

    def _ended(self, pending: PendingCallback, tx: Transaction, ending: Ending) -> None:
        if ending is Ending.UNKNOWN:
            # First the others are told of this end, so that there is something to look up.
            asyncio.get_running_loop().call_soon(self._await_witness, pending, tx)
        else:
            self._run_or_drop([pending], committed=ending is Ending.COMMITTED)

    def _await_witness(self, pending: PendingCallback, tx: Transaction) -> None:
        """Let a callback share the fate of what otelq itself wrote in its transaction, which can be looked up."""
        witness = next((held for held in reversed(self._open) if held.tx.handle is tx.handle), None)
        if witness is None:
            logger.warning("%r does not run: whether its transaction was committed is not known", pending.callback)
        else:
            witness.pending.append(pending)

    def _run_or_drop(self, pending: Iterable[PendingCallback], *, committed: bool) -> None:
        if not committed:
            return
        if not self._due:
            asyncio.get_running_loop().call_soon(self._start_due)  # after all that is told of this commit
        self._due += pending

    def _start_due(self) -> None:
        due, self._due = self._due, []
        if due:
            task = spawn(run(due), context=contextvars.Context())
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)


def _ignore_ending(_: bool) -> None:
    pass
