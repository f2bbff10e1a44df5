"""Gates: a task of an actor stops there until the scheduler lets it take its next step."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar


class Gate:
    """The point where a task stops, before each of its steps."""

    def __init__(self) -> None:
        self.step: str | None = None
        """The step that waits to be taken; None while the task is on its way."""
        self.session: int | None = None
        """The server's id of the connection that the steps run on, where it is known."""
        self._stopped = asyncio.Event()
        self._opened = asyncio.Event()

    async def stop(self, step: str) -> None:
        """Wait, in the task, until the scheduler opens the gate."""
        # The step is set before the event: the scheduler, woken by the event, reads the step.
        self.step = step
        self._opened.clear()
        self._stopped.set()
        await self._opened.wait()

    def open(self) -> str:
        """Let the task take the step that waits, and return the step's name."""
        assert self.step is not None, "no task waits at this gate"
        step, self.step = self.step, None
        self._stopped.clear()
        self._opened.set()
        return step

    async def stopped(self) -> None:
        """Wait, in the scheduler, until the task has stopped here again."""
        await self._stopped.wait()


# A context variable reaches the statements below all layers of the adapter, without a parameter in any of them.
_GATE: ContextVar[Gate | None] = ContextVar("gate", default=None)


def current_gate() -> Gate | None:
    """Return the gate of the running task; None if it is no actor's."""
    return _GATE.get()


def set_gate(gate: Gate) -> None:
    """Set the gate of the running task."""
    _GATE.set(gate)


async def pause(step: str) -> None:
    """Stop before a step, in the task of an actor; other tasks go on."""
    gate = current_gate()
    if gate is not None:
        await gate.stop(step)
