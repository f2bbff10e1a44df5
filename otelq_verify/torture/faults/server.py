"""Servers that a run may break; the abilities of one decide which faults suit it."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable


class Server(Protocol):
    """The server of a database."""

    @property
    def url(self) -> str:
        """Return the present URL of the database, past every proxy; fail-over changes it."""
        ...


@runtime_checkable
class Restartable(Server, Protocol):
    """A server that may be restarted."""

    async def restart(self, mode: Literal["fast", "immediate"], /) -> None:
        """Stop the server, ``immediate`` as in a crash, and start it again; return when it accepts connections."""
        ...


@runtime_checkable
class Replicated(Server, Protocol):
    """A server with a synchronous standby."""

    async def stop(self) -> None:
        """End the server as a crash would; return when nothing of it is left."""
        ...

    async def promote(self) -> None:
        """Make the standby of the stopped server the primary; ``url`` is then its own."""
        ...

    async def stand_by(self) -> None:
        """Start a new standby; return when commits wait for it."""
        ...


@runtime_checkable
class Fillable(Server, Protocol):
    """A database on a small file system of its own."""

    async def fill_disk(self, *, log: bool) -> None:
        """Fill the disk of the data; with ``log``, that of the write-ahead log as well."""
        ...

    async def free_disk(self) -> str:
        """
        Free the disk, and start the server if it stopped; return the effect of the full disk.

        Undoes ``fill_disk``, wherever that was interrupted.
        """
        ...
