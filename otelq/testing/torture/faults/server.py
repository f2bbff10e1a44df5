"""The server that a run may break, where it is its own."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Literal, Protocol

Ability = Literal["restart", "fail over", "fill"]


class Server(Protocol):
    """A database server, or the file system of a database file."""

    @property
    def url(self) -> str:
        """The database where it is now, past every proxy; fail-over changes it."""
        ...

    @property
    def abilities(self) -> AbstractSet[Ability]:
        """Which of the following can be done here."""
        ...

    async def restart(self, mode: Literal["fast", "immediate"], /) -> None:
        """Stop the server, ``immediate`` as a crash, and start it again; returns when it accepts connections."""
        ...

    async def stop(self) -> None:
        """End the server as a crash would; returns when nothing of it is left."""
        ...

    async def promote(self) -> None:
        """Make the standby of the server that was stopped the primary; ``url`` is then its."""
        ...

    async def stand_by(self) -> None:
        """Make a new standby; returns when commits wait for it."""
        ...

    async def fill_disk(self) -> None:
        """Leave no byte free where the data are."""
        ...

    async def free_disk(self) -> str:
        """
        Make room again, and start the server if it fell; what came of the full disk.

        Undoes ``fill_disk``, wherever that was interrupted.
        """
        ...
