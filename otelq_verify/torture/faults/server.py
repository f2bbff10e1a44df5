"""The server that a run may break, where it is its own: what is in its power decides which faults suit it."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable


class Server(Protocol):
    """Where a database is."""

    @property
    def url(self) -> str:
        """The database where it is now, past every proxy; fail-over changes it."""
        ...


@runtime_checkable
class Restartable(Server, Protocol):
    """A server that may be stopped and started."""

    async def restart(self, mode: Literal["fast", "immediate"], /) -> None:
        """Stop the server, ``immediate`` as in a crash, and start it again; returns when it accepts connections."""
        ...


@runtime_checkable
class Replicated(Server, Protocol):
    """A server with a synchronous standby."""

    async def stop(self) -> None:
        """End the server as a crash would; returns when nothing of it is left."""
        ...

    async def promote(self) -> None:
        """Make the standby of the server that was stopped the primary; ``url`` is then its."""
        ...

    async def stand_by(self) -> None:
        """Make a new standby; returns when commits wait for it."""
        ...


@runtime_checkable
class Fillable(Server, Protocol):
    """A database on a file system of its own, which is small."""

    async def fill_disk(self, *, log: bool) -> None:
        """Leave no byte free where the data are; with ``log``, none to go on with the log of what is written, too."""
        ...

    async def free_disk(self) -> str:
        """
        Make room again, and start the server if it fell; what came of the full disk.

        Undoes ``fill_disk``, wherever that was interrupted.
        """
        ...
