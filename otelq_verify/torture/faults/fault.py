"""The interface of a fault."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from otelq.uninterrupted import finish

from ..fleet import Process
from ..scene import RunScene

T = TypeVar("T")


class Fault(Protocol):
    """Something that goes wrong."""

    @property
    def name(self) -> str:
        """Return its name in reports."""
        ...

    def suits(self, scene: RunScene, /) -> bool:
        """Return True if it can strike there."""
        ...

    async def strike(self, scene: RunScene, /) -> str | None:
        """
        Strike and undo it, also if cancelled meanwhile. Return what it hit, or None for nothing.

        Takes seconds, never minutes.
        """
        ...


async def busy(scene: RunScene) -> list[Process]:
    """Return the processes that are alive and hold leases."""
    leases = await scene.leases()
    return [process for process in scene.fleet.processes if process.is_alive and leases[process.name]]


async def for_certain(work: Coroutine[Any, Any, T]) -> T:
    """Run work that must not stop half-way: a cancel of this task waits for it."""
    return await finish(work)
