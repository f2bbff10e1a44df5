"""What a fault is, and what it may touch."""

from __future__ import annotations

import random
from collections import Counter
from typing import Protocol

from ..fleet import Fleet, Process
from .network import Network
from .server import Server


class Scene(Protocol):
    """A run that is under way."""

    @property
    def chance(self) -> random.Random:
        """All that a fault leaves to chance it asks of this, so that a seed tells the run."""
        ...

    @property
    def fleet(self) -> Fleet:
        """The worker processes."""
        ...

    @property
    def network(self) -> Network:
        """What is between the workers and the database."""
        ...

    @property
    def server(self) -> Server | None:
        """The database's server, where it is ours to break."""
        ...

    @property
    def lease(self) -> float:
        """The longest lease of the workload in seconds."""
        ...

    @property
    def reap_interval(self) -> float:
        """That of the workers, in seconds."""
        ...

    async def leases(self) -> Counter[str]:
        """How many leases each worker holds, by its name."""
        ...


class Fault(Protocol):
    """Something that goes wrong."""

    @property
    def name(self) -> str:
        """What a report calls it."""
        ...

    def suits(self, scene: Scene, /) -> bool:
        """Whether it can strike there."""
        ...

    async def strike(self, scene: Scene, /) -> str | None:
        """
        Do it and undo it, also if cancelled meanwhile; what it hit, or None if that was nothing.

        Takes seconds, never minutes.
        """
        ...


async def busy(scene: Scene) -> list[Process]:
    """The processes that live and hold leases."""
    leases = await scene.leases()
    return [process for process in scene.fleet.processes if process.is_alive and leases[process.name]]
