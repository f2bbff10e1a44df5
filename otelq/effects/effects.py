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
    run_callbacks,
)

logger = Log("otelq.effects")

POLL_PAUSE = 0.05
"""Seconds between two looks at a transaction whose driver does not tell its end."""
CLOSE_TIMEOUT: Final = 5.0
"""Seconds that callbacks have to end when their client is closed."""
LOOKUP_PAUSES: Final = (0.05, 0.5, 1.5, 5.0)
"""Seconds between tries to look up what was committed: what left a commit in doubt may last as long as a restart."""

OnCommitKnown = Callable[[bool], None]
"""Called with whether the transitions were committed."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class _PendingEffects:
    """Transitions written in a transaction that is still open, and callbacks whose fate is theirs."""

    effects: Effects
    tx: Transaction
    transitions: Sequence[Transition]
    on_known: OnCommitKnown
    block: AfterCommitBlock | None
    is_resolved: bool = field(default=False)
    callbacks: list[PendingCallback] = field(default_factory=list[PendingCallback])

    def end(self, ending: Ending) -> None:
        if ending is Ending.UNKNOWN:
            self.effects.look_up_commit(self)
        else:
            self.effects.apply_end(self, committed=ending is Ending.COMMITTED)

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
        self._polled: set[_PendingEffects] = set()
        self._pending: dict[_PendingEffects, None] = {}
        """All that is held, in order, also that of which the driver tells."""
        self._poller: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._due_callbacks: list[PendingCallback] = []
        self._scopes: set[TransactionScope] = set()
        """The transactions that the client itself began."""
        self._closing = asyncio.Event()

    def open(self) -> None:
        """Begin, in the running event loop."""
        self._closing = asyncio.Event()

    def follow(
        self, transitions: Sequence[Transition], *, tx: Transaction | None = None, on_known: OnCommitKnown | None = None
    ) -> None:
        """
        Tell what was written: at once, or after ``tx`` has committed.

        ``on_known`` is called when it is known whether it was; it must not raise.
        """
        if tx is None:
            self._report(transitions)
            if on_known is not None:
                on_known(True)
            return
        writes = _PendingEffects(self, tx, transitions, _ignore if on_known is None else on_known, enclosing_block())
        self._pending[writes] = None
        for scope in enclosing():
            if isinstance(scope, TransactionScope):
                scope.written.add(writes)
        if not tx.watch(writes.end):
            self._poll_for_end(writes)

    def apply_end(self, writes: _PendingEffects, *, committed: bool, known: bool = True) -> None:
        """Tell or drop what was held, once; ``known`` says whether its end is, or was only given up."""
        if writes.is_resolved:
            return
        writes.is_resolved = True
        self._polled.discard(writes)
        if committed:
            self._report(writes.transitions)
        writes.on_known(committed)
        self._pending.pop(writes, None)
        if writes.block is not None and known:
            writes.block.known_ends.append((writes.tx, committed))
        self._schedule_callbacks(writes.callbacks, committed=committed)

    def undecided(self) -> list[Transition]:
        """
        Return what was written in transactions whose end is not known yet.

        That is by this client, and by others inside of a transaction that this one began.
        """
        writes = [*self._pending, *(one for scope in self._scopes for one in scope.written)]
        return [transition for one in writes if not one.is_resolved for transition in one.transitions]

    def look_up_commit(self, writes: _PendingEffects) -> None:
        """Find out by the ids whether a transaction with an unknown end was committed."""
        task = spawn(self._resolve_in_doubt(writes), context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve_in_doubt(self, writes: _PendingEffects) -> None:
        """A server whose client has gone may still be at the COMMIT: what is not there yet is looked for again."""
        for pause in LOOKUP_PAUSES[:2]:
            if await self._is_committed(writes) is not False:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
        await self.resolve(writes)

    @contextmanager
    def resolve_lost_commit(self) -> Generator[None]:
        """Look up what a verb of the block committed, perhaps, in a transaction of its own whose end was lost."""
        try:
            yield
        except Unavailable as error:
            in_doubt = [one for one in error.in_doubt if isinstance(one, Transition)]
            if in_doubt:
                self.look_up_commit(_PendingEffects(self, _EndedTransaction(), in_doubt, _ignore, None))
            raise

    async def resolve(self, writes: _PendingEffects) -> None:
        """Settle what is held by what a connection of our own can see."""
        is_over = await writes.tx.is_over()  # asked first: a commit meanwhile must not be taken for a rollback
        seen = await self._is_committed(writes)
        if seen is None and is_over:
            self._telemetry.count_unknown(max(1, len(writes.transitions)))
        if seen or is_over:
            self.apply_end(writes, committed=seen is True, known=seen is not None)

    async def _is_committed(self, writes: _PendingEffects) -> bool | None:
        """Whether the transitions are committed; None if that cannot be known, as where there are none to look for."""
        if not writes.transitions:
            return None
        try:
            with self._telemetry.silence():
                seen = await self._were_committed(writes.transitions)
            known = [one for one in seen if one is not None]  # they were written together: one that tells is enough
            return all(known) if known else None
        except OtelqError as error:
            logger.warning("whether %d transitions were committed is not known: %s", len(writes.transitions), error)
            return None

    async def _were_committed(self, transitions: Sequence[Transition]) -> Sequence[bool | None]:
        """What the database says, once it says anything; who closes does not wait for that."""
        for pause in LOOKUP_PAUSES:
            try:
                return await self._state.were_committed(transitions)
            except Unavailable:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), pause)
        return await self._state.were_committed(transitions)

    async def close(self) -> None:
        """Settle what can be settled; what hangs in a transaction that is still open is given up as unknown."""
        self._closing.set()
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait([self._poller])
            self._poller = None
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT)
        await asyncio.sleep(0)  # what a driver has heard by now, it tells in the next turn of the loop
        for writes in [writes for writes in self._pending if writes in self._polled or await writes.tx.is_over()]:
            await self.resolve(writes)
        self._telemetry.count_unknown(sum(len(writes.transitions) for writes in self._polled))
        self._polled.clear()
        self._start_due_callbacks()
        await self._end_callbacks()

    async def _end_callbacks(self) -> None:
        """Wait for callbacks that run, but not for ever: one may wait for the very client that is being closed."""
        if not self._tasks:
            return
        _, unfinished = await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT)
        for task in unfinished:
            task.cancel()
        if unfinished:
            logger.warning(
                "%d callbacks after commits did not end within %g s and are cancelled", len(unfinished), CLOSE_TIMEOUT
            )
            await asyncio.wait(unfinished, timeout=CLOSE_TIMEOUT)

    def _report(self, transitions: Sequence[Transition]) -> None:
        self._telemetry.record_transitions(transitions)
        if hints := hints_of(transitions):
            try:
                self._notify.publish(hints)
            except Exception:  # it is committed, and polls find it
                logger.exception("hints of a commit could not be published")

    def _poll_for_end(self, writes: _PendingEffects) -> None:
        self._polled.add(writes)
        if writes.block is not None:
            writes.block.uncertain.append(writes)
        if self._poller is None or self._poller.done():
            self._poller = spawn(self._poll(), name="otelq effects", context=contextvars.Context())

    async def _poll(self) -> None:
        while self._polled:
            await asyncio.sleep(POLL_PAUSE)
            for writes in list(self._polled):
                if await writes.tx.is_over():
                    await self.resolve(writes)

    # Callbacks of the application

    @contextmanager
    def callback_scope(self, tx: Transaction) -> Generator[TransactionScope]:
        """Let callbacks that are hung from now on in this task, and name no transaction, wait for this one."""
        scope = TransactionScope(current(), tx, self.add_callback)
        innermost.set(scope)  # not set back at the end, which may come in another task: it counts while ``tx`` is open
        self._scopes.add(scope)
        try:
            yield scope
        finally:
            scope.is_over = True
            self._scopes.discard(scope)

    def run_after_commit(self, scope: TransactionScope) -> None:
        """Run the callbacks of a transaction that the client itself has committed, and whose driver tells nothing."""
        self._schedule_callbacks(scope.unreported, committed=True)

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
        block.add([pending])

    def add_callback(self, pending: PendingCallback, tx: Transaction) -> bool:
        """Run a callback after the commit of ``tx``; False where its driver does not tell of that."""
        return tx.watch(partial(self._ended, pending, tx))

    def _ended(self, pending: PendingCallback, tx: Transaction, ending: Ending) -> None:
        if ending is Ending.UNKNOWN:
            # First the others are told of this end, so that there is something to look up.
            asyncio.get_running_loop().call_soon(self._wait_for_related_writes, pending, tx)
        else:
            self._schedule_callbacks([pending], committed=ending is Ending.COMMITTED)

    def _wait_for_related_writes(self, pending: PendingCallback, tx: Transaction) -> None:
        """Let a callback share the fate of what otelq itself wrote in its transaction, which can be looked up."""
        related = next((writes for writes in reversed(self._pending) if writes.tx.handle is tx.handle), None)
        if related is None:
            logger.warning("%r does not run: whether its transaction was committed is not known", pending.callback)
        else:
            related.callbacks.append(pending)

    def _schedule_callbacks(self, pending: Iterable[PendingCallback], *, committed: bool) -> None:
        if not committed:
            return
        if not self._due_callbacks:
            asyncio.get_running_loop().call_soon(self._start_due_callbacks)  # after all that is told of this commit
        self._due_callbacks += pending

    def _start_due_callbacks(self) -> None:
        due, self._due_callbacks = self._due_callbacks, []
        if due:
            task = spawn(run_callbacks(due), context=contextvars.Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _ignore(_: bool) -> None:
    pass
