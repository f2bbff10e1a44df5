"""What a fault is."""

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
        """What a report calls it."""
        ...

    def suits(self, scene: RunScene, /) -> bool:
        """Whether it can strike there."""
        ...

    async def strike(self, scene: RunScene, /) -> str | None:
        """
        Do it and undo it, also if cancelled meanwhile; what it hit, or None if that was nothing.

        Takes seconds, never minutes.
        """
        ...


async def busy(scene: RunScene) -> list[Process]:
    """The processes that live and hold leases."""
    leases = await scene.leases()
    return [process for process in scene.fleet.processes if process.is_alive and leases[process.name]]


async def for_certain(work: Coroutine[Any, Any, T]) -> T:
    """Do what must not stop half-way: a cancel of this task waits for it."""
    return await finish(work)
