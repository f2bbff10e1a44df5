"""
What follows a commit: transitions become telemetry and hints, but only once they are known to be committed.

Transitions of otelq's own transactions are told at once. Those written in a caller's transaction wait for its end:
the driver says it, or the ids are looked up once the transaction is over. What cannot be known is counted.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from .errors import OtelqError
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

_blocks: ContextVar[list[_Held] | None] = ContextVar("otelq_after_commit", default=None)


@dataclass(eq=False, slots=True)
class _Held:
    """Transitions written in a transaction that is still open."""

    effects: Effects
    tx: Transaction
    transitions: Sequence[Transition]
    told: Told
    settled: bool = field(default=False)

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
        self._watcher: asyncio.Task[None] | None = None
        self._lookups: set[asyncio.Task[None]] = set()

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
        held = _Held(self, tx, transitions, _nobody if told is None else told)
        if not tx.watch(held.end):
            self._wait_for(held)

    def release(self, held: _Held, *, committed: bool) -> None:
        """Tell or drop what was held, once."""
        if held.settled:
            return
        held.settled = True
        self._held.discard(held)
        if committed:
            self._tell(held.transitions)
        held.told(committed)

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
            self.release(held, committed=seen is True)

    async def _is_present(self, held: _Held) -> bool | None:
        """Whether the transitions are committed; None if that cannot be known, as where there are none to look for."""
        if not held.transitions:
            return None
        try:
            with self._telemetry.silence():
                return all(await self._state.present(held.transitions))
        except OtelqError as error:
            logger.warning("whether %d transitions were committed is not known: %s", len(held.transitions), error)
            return None

    async def close(self) -> None:
        """Settle what can be settled; what hangs in a transaction that is still open is given up as unknown."""
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

    def _tell(self, transitions: Sequence[Transition]) -> None:
        self._telemetry.project(transitions)
        if hints := hints_of(transitions):
            self._notify.publish(hints)

    def _wait_for(self, held: _Held) -> None:
        self._held.add(held)
        block = _blocks.get()
        if block is not None:
            block.append(held)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.get_running_loop().create_task(
                self._watch(), name="otelq effects", context=contextvars.Context()
            )

    async def _watch(self) -> None:
        while self._held:
            await asyncio.sleep(LOOK_AGAIN)
            for held in [held for held in self._held if not held.tx.active]:
                await self.resolve(held)


@asynccontextmanager
async def after_commit() -> AsyncGenerator[None]:
    """
    Tell the effects of what is written inside when the block ends, where the driver does not tell of commits.

    Open it round the transaction: ``async with otelq.after_commit(): ...begin, start(tx=), commit``. Without it the
    effects follow too, some 50 ms later. On asyncpg and in ``client.transaction()`` it is not needed.
    """
    held: list[_Held] = []
    token = _blocks.set(held)
    try:
        yield
    finally:
        _blocks.reset(token)
        for item in held:
            await item.effects.resolve(item)


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
