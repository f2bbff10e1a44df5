"""
The notify port: hints that make things quicker and may be lost, doubled or late.

Nothing depends on a hint: polling alone is correct. Hints carry names and ids only, never payloads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct


class HintKind(StrEnum):
    """What a hint is about."""

    DUE = "due"
    """A job of type ``subject`` is due in ``delay`` seconds."""
    CLOSED = "closed"
    """The chain ``subject`` is closed."""
    REVOKED = "revoked"
    """The lease on the open job of chain ``subject`` was ended by request."""
    CHANGED = "changed"
    """Another process wrote to the store; what it wrote is not known, and ``subject`` is empty."""


class Hint(Struct, frozen=True, gc=False):
    """One hint; ``subject`` is a job type or a chain id."""

    kind: HintKind
    subject: str
    delay: float = 0.0


class NotifyAdapter(ABC):
    """Passes hints between the clients of one store. It lives on the event loop that opened it."""

    name: str
    is_shared: bool = True
    """Whether hints reach the other adapters of the same place too; if not, they stay within the one adapter."""

    @abstractmethod
    async def open(self) -> None:
        """Connect; hints published before are not delivered. Opening again after a close is fine."""

    @abstractmethod
    async def close(self) -> None:
        """Stop delivering: no receiver is called any more, not even for what was published. Closing twice is fine."""

    @abstractmethod
    def publish(self, hints: Sequence[Hint]) -> None:
        """
        Hand over hints without waiting, on the event loop; receivers are called later, never within this call.

        Never raises: what cannot be sent is dropped and logged once. Hints are dropped also while it is not open.
        """

    @abstractmethod
    def subscribe(self, receive: Callable[[Hint], None]) -> Callable[[], None]:
        """
        Call ``receive`` on the event loop for every hint, those of this process included.

        Returns what ends the subscription at once, also from within a receiver, and ends that one only where the same
        receiver is subscribed twice. A receiver that raises harms no other, is logged, and stays subscribed.
        """
