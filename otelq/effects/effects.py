"""The pending effects of one client: transitions that wait for the end of a transaction, and their callbacks."""

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
"""Seconds between two checks of a transaction whose driver does not report its end."""
CLOSE_TIMEOUT: Final = 5.0
"""Seconds in which callbacks must end when their client is closed."""
LOOKUP_PAUSES: Final = (0.05, 0.5, 1.5, 5.0)
"""Seconds between look-ups of a commit in doubt: its cause may last as long as a restart of the server."""

OnCommitKnown = Callable[[bool], None]
"""A function that is called with True after a commit, with False after a rollback."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class _PendingEffects:
    """Transitions written in an open transaction, and callbacks that run if these turn out to be committed."""

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
        """Look up whether the transitions are committed, and apply the result."""
        await self.effects.resolve(self)


class _EndedTransaction(Transaction):
    """A transaction of otelq's own that ended in an unknown way; stands in where there is no handle any more."""

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
        """Those of transactions whose driver does not report the end."""
        self._pending: dict[_PendingEffects, None] = {}
        """All writes in open transactions, in order: an ordered set."""
        self._poller: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._due_callbacks: list[PendingCallback] = []
        self._scopes: set[TransactionScope] = set()
        """The transactions that the client itself began."""
        self._closing = asyncio.Event()

    def open(self) -> None:
        """Start for the running event loop."""
        self._closing = asyncio.Event()

    def follow(
        self, transitions: Sequence[Transition], *, tx: Transaction | None = None, on_known: OnCommitKnown | None = None
    ) -> None:
        """
        Report transitions: at once, or after the commit of ``tx``.

        ``on_known`` is called once it is known whether they were committed; it must not raise.
        """
        if tx is None:
            self._report(transitions)
            if on_known is not None:
                on_known(True)
            return
        writes = _PendingEffects(self, tx, transitions, _ignore if on_known is None else on_known, enclosing_block())
        self._pending[writes] = None
        # Another client may write in this client's transaction. `undecided` of this client must find that, too.
        for scope in enclosing():
            if isinstance(scope, TransactionScope):
                scope.written.add(writes)
        if not tx.watch(writes.end):
            self._poll_for_end(writes)

    def apply_end(self, writes: _PendingEffects, *, committed: bool, known: bool = True) -> None:
        """Report or drop pending writes, once; ``known`` is False if the look-up had no answer."""
        # The driver's event and a look-up may both arrive; the first one counts.
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
        Return the transitions in transactions whose end is not known yet.

        These were written by this client, or by another client in a transaction that this one began.
        """
        writes = [*self._pending, *(one for scope in self._scopes for one in scope.written)]
        return [transition for one in writes if not one.is_resolved for transition in one.transitions]

    def look_up_commit(self, writes: _PendingEffects) -> None:
        """Look up, in a task of its own, whether a transaction with an unknown end was committed."""
        task = spawn(self._resolve_in_doubt(writes), context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve_in_doubt(self, writes: _PendingEffects) -> None:
        """Look the writes up several times before they count as rolled back."""
        # A server that lost its client may still be busy with the COMMIT.
        for pause in LOOKUP_PAUSES[:2]:
            if await self._is_committed(writes) is not False:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
        await self.resolve(writes)

    @contextmanager
    def resolve_lost_commit(self) -> Generator[None]:
        """Look up the transitions of a verb in the block if the reply to its COMMIT was lost."""
        try:
            yield
        except Unavailable as error:
            in_doubt = [one for one in error.in_doubt if isinstance(one, Transition)]
            if in_doubt:
                self.look_up_commit(_PendingEffects(self, _EndedTransaction(), in_doubt, _ignore, None))
            raise

    async def resolve(self, writes: _PendingEffects) -> None:
        """Look the writes up with another connection, and report or drop them if the transaction is over."""
        # Asked before the look-up: a commit between the two would otherwise be taken for a rollback.
        is_over = await writes.tx.is_over()
        seen = await self._is_committed(writes)
        if seen is None and is_over:
            self._telemetry.count_unknown(max(1, len(writes.transitions)))
        if seen or is_over:
            self.apply_end(writes, committed=seen is True, known=seen is not None)

    async def _is_committed(self, writes: _PendingEffects) -> bool | None:
        """Return whether the transitions are committed; None if that is unknown, or if there are none."""
        if not writes.transitions:
            return None
        try:
            with self._telemetry.silence():
                seen = await self._were_committed(writes.transitions)
            # One transaction wrote all of them, so that one answer is enough.
            known = [one for one in seen if one is not None]
            return all(known) if known else None
        except OtelqError as error:
            logger.warning("whether %d transitions were committed is not known: %s", len(writes.transitions), error)
            return None

    async def _were_committed(self, transitions: Sequence[Transition]) -> Sequence[bool | None]:
        """Ask the database until it answers; ``close`` ends the pauses between the tries."""
        for pause in LOOKUP_PAUSES:
            try:
                return await self._state.were_committed(transitions)
            except Unavailable:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), pause)
        return await self._state.were_committed(transitions)

    async def close(self) -> None:
        """Resolve all pending writes; count those of transactions that are still open as unknown."""
        self._closing.set()
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait([self._poller])
            self._poller = None
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT)
        await asyncio.sleep(0)  # drivers report an end in the turn of the loop after it
        for writes in [writes for writes in self._pending if writes in self._polled or await writes.tx.is_over()]:
            await self.resolve(writes)
        self._telemetry.count_unknown(sum(len(writes.transitions) for writes in self._polled))
        self._polled.clear()
        self._start_due_callbacks()
        await self._end_callbacks()

    async def _end_callbacks(self) -> None:
        """Wait for running callbacks, then cancel them: one may wait for the client that is being closed."""
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
            except Exception:  # hints may be lost: polls find what is committed
                logger.exception("hints of a commit could not be published")

    def _poll_for_end(self, writes: _PendingEffects) -> None:
        self._polled.add(writes)
        # The end of a block resolves its writes at once, without waiting for the poller.
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
        """Make callbacks without ``tx=`` that are added in the block wait for this transaction."""
        scope = TransactionScope(current(), tx, self.add_callback)
        # Not reset at the end: a generator may be closed in another task, where the token is invalid. An ended scope is
        # skipped instead, by `is_active`.
        innermost.set(scope)
        self._scopes.add(scope)
        try:
            yield scope
        finally:
            scope.is_over = True
            self._scopes.discard(scope)

    def run_after_commit(self, scope: TransactionScope) -> None:
        """Run the callbacks of a transaction that the client committed itself and whose driver reports no end."""
        self._schedule_callbacks(scope.unreported, committed=True)

    def after_commit(self, callback: Callback, *, tx: object) -> None:
        """
        Run a callback after the commit of a caller's transaction, which the driver or the block around it reports.

        Raises:
            InvalidArgument: the state adapter refuses ``tx``, or neither reports its end.
        """
        transaction = self._state.join(tx)
        pending = PendingCallback(check_callback(callback), contextvars.copy_context(), transaction)
        if self.add_callback(pending, transaction):
            return
        block = enclosing_block()
        if block is None:
            raise InvalidArgument("tx", "does not report its end; open `async with otelq.after_commit():` around it")
        block.add([pending])

    def add_callback(self, pending: PendingCallback, tx: Transaction) -> bool:
        """Run a callback after the commit of ``tx``; return False if its driver does not report that."""
        return tx.watch(partial(self._ended, pending, tx))

    def _ended(self, pending: PendingCallback, tx: Transaction, ending: Ending) -> None:
        if ending is Ending.UNKNOWN:
            # In the next turn, when every watcher knows of this end, so that otelq's own writes are being looked up.
            asyncio.get_running_loop().call_soon(self._wait_for_related_writes, pending, tx)
        else:
            self._schedule_callbacks([pending], committed=ending is Ending.COMMITTED)

    def _wait_for_related_writes(self, pending: PendingCallback, tx: Transaction) -> None:
        """Run a callback if otelq's own writes in its transaction, which can be looked up, were committed."""
        related = next((writes for writes in reversed(self._pending) if writes.tx.handle is tx.handle), None)
        if related is None:
            logger.warning("%r does not run: whether its transaction was committed is not known", pending.callback)
        else:
            related.callbacks.append(pending)

    def _schedule_callbacks(self, pending: Iterable[PendingCallback], *, committed: bool) -> None:
        if not committed:
            return
        if not self._due_callbacks:
            # In the next turn, after the telemetry and the hints of this commit.
            asyncio.get_running_loop().call_soon(self._start_due_callbacks)
        self._due_callbacks += pending

    def _start_due_callbacks(self) -> None:
        due, self._due_callbacks = self._due_callbacks, []
        if due:
            task = spawn(run_callbacks(due), context=contextvars.Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _ignore(_: bool) -> None:
    pass
