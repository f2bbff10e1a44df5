"""Actors: tasks that make one operation after the other, alone or in one transaction, and stop before each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from otelq.errors import OtelqError
from otelq.model import Transition
from otelq.ports.state import StateAdapter, Transaction

from .gates import Gate, pause, set_gate

Work = Callable[[StateAdapter, Transaction | None], Awaitable[Sequence[Transition]]]
"""A verb with its arguments; it gives the transitions."""


@dataclass(frozen=True, slots=True)
class ActorCall:
    """One verb, and the promises about it."""

    name: str
    work: Work
    never_waits: bool = False
    """Whether it is a worker's: it must not wait for any open transaction."""
    learns_what_to_lock: bool = False
    """Whether it locks some chains before it knows the others, so that deadlocks happen, and it is tried again."""


@dataclass(frozen=True, slots=True)
class Script:
    """The operations of an actor, each alone or all inside one transaction, which commits or rolls back."""

    operations: tuple[ActorCall, ...]
    inside: bool = False
    commits: bool = True


class RolledBack(Exception):
    """Raised to end a transaction on purpose."""


class Actor:
    """A running script, on an adapter of its own, as if in its own process."""

    def __init__(self, name: str, script: Script, adapter: StateAdapter) -> None:
        self.name = name
        self.script = script
        self.adapter = adapter
        self.gate = Gate()
        self.now_doing: ActorCall | None = None
        self.is_inside = False
        """Whether its transaction is open."""
        self.waits_on: frozenset[Actor] = frozenset()
        """The actors for whose locks it waits."""
        self.met_a_deadlock = False
        self.steps: list[str] = []
        """The steps of its operation that it took so far."""
        self.made: list[Transition] = []
        """The transitions that it committed."""
        self.error: Exception | None = None
        # An empty context: an actor must not inherit the gate or a transaction of the task that adds it.
        self.task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    @property
    def is_done(self) -> bool:
        return self.task.done()

    @property
    def is_stopped(self) -> bool:
        """Return True if it waits at its gate."""
        return not self.is_done and self.gate.step is not None

    @property
    def is_running(self) -> bool:
        """Return True if it runs, or waits for a lock."""
        return not self.is_done and self.gate.step is None

    @property
    def title(self) -> str:
        """Return its operations, in one line."""
        titles = ", ".join(operation.name for operation in self.script.operations)
        end = ("commit" if self.script.commits else "roll back") if self.script.inside else ""
        return f"in one transaction: {titles}; {end}" if end else titles

    @property
    def last(self) -> str:
        """Return its last step."""
        return self.steps[-1] if self.steps else ""

    async def moved(self) -> None:
        """Wait until it stops at its gate again, or is done."""
        stopping = asyncio.ensure_future(self.gate.stopped())
        try:
            await asyncio.wait([self.task, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()

    async def cancel(self) -> None:
        """End it where it is; what it did not commit is rolled back."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def _run(self) -> None:
        set_gate(self.gate)
        try:
            await (self._inside() if self.script.inside else self._alone())
        except OtelqError as error:
            self.error = error
        except RolledBack:
            self.made.clear()

    async def _alone(self) -> None:
        for operation in self.script.operations:
            self.made += await self._do(operation, None)

    async def _inside(self) -> None:
        await pause("begin")
        made: list[Transition] = []
        try:
            async with self.adapter.begin() as tx:
                self.is_inside = True
                for operation in self.script.operations:
                    made += await self._do(operation, tx)
                await pause("commit" if self.script.commits else "roll back")
                if not self.script.commits:
                    raise RolledBack
        finally:
            self.is_inside = False
        # After the commit: transitions of a transaction that failed or was rolled back never count.
        self.made += made

    async def _do(self, operation: ActorCall, tx: Transaction | None) -> Sequence[Any]:
        self.now_doing = operation
        await pause(operation.name)
        # Only the steps of this operation are of interest: ``_is_patient`` looks for two of them together.
        del self.steps[:-1]
        return await operation.work(self.adapter, tx)
