"""
The notify port: hints that make others look at once. They may be lost, doubled or late.

A notifier carries hints between the clients of one store. Nothing depends on a hint: polling alone is correct. Hints
carry names and ids, never payloads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct


class HintKind(StrEnum):
    """The subject of a hint."""

    DUE = "due"
    """A job of type ``subject`` is due in ``delay`` seconds."""
    CLOSED = "closed"
    """The chain ``subject`` is closed; sent to others only if one of them announced within a minute that it waits."""
    REVOKED = "revoked"
    """The lease on the open job of chain ``subject`` was ended by request."""
    AWAITED = "awaited"
    """Somebody waits for the end of the chain ``subject``; repeated every 30 seconds for as long as they wait."""
    TAKEN = "taken"
    """A worker has claimed all jobs that the hints with the origin ``subject`` were about, so others need not look."""
    CHANGED = "changed"
    """Another process wrote to the store; what it wrote is not known, and ``subject`` is empty."""


class Hint(Struct, frozen=True, gc=False):
    """One hint."""

    kind: HintKind
    """What it is about."""
    subject: str
    """The name of a job type, the id of a chain, or an origin, as its kind says."""
    delay: float = 0.0
    """Seconds until the job is due; 0 for other kinds."""
    origin: str = ""
    """
    What identifies the message that brought it from another process. A notifier that gives it keeps a fleet of idle
    workers from looking all at once; it is empty for hints of this process.
    """


class NotifyAdapter(ABC):
    """Carries hints between the clients of one store, for ``otelq.connect``. An instance belongs to one event loop."""

    name: str
    """The name of the notifier, for logs."""
    is_shared: bool = True
    """Whether hints reach other adapters of the same URL too; if False, they stay within this one."""
    is_listening: bool = False
    """Whether it wants to hear other processes: there is somebody to call, and a connection is kept open for that."""
    is_hearing: bool = False
    """
    Whether hints of other processes arrive just now.

    While they do, workers poll rarely. When it changes, the adapter delivers a hint of the kind ``CHANGED``.
    """

    @abstractmethod
    async def open(self) -> None:
        """Connect. Hints that were published before are not delivered. Opening again after a close is allowed."""

    @abstractmethod
    async def close(self) -> None:
        """
        Stop delivering: no receiver is called any more, not even for hints that were published. Closing twice is
        allowed.
        """

    @abstractmethod
    def publish(self, hints: Sequence[Hint]) -> None:
        """
        Publish hints without waiting, on the event loop. Receivers are called later, never within this call.

        It never raises: a hint that cannot be sent is dropped, and logged once. While the adapter is not open, hints
        are dropped.

        Args:
            hints: the hints.
        """

    @abstractmethod
    def subscribe(self, receive: Callable[[Hint], None]) -> Callable[[], None]:
        """
        Call ``receive`` on the event loop for every hint, those of this process included.

        Return a function that ends the subscription at once, also from within a receiver; if the same receiver is
        subscribed twice, only that one subscription. A receiver that raises is logged and stays subscribed, and the
        others are called.

        Args:
            receive: takes each hint.
        """
