"""Changes to the open job of a chain, by request."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from .outcomes import Completes, Continues


class Closure(Struct, frozen=True, kw_only=True):
    """A chain's open job closed by the application itself, whatever its open status."""

    chain_id: str
    step: str
    """The type that the open job must have."""
    outcome: Completes | Continues
    aliases: tuple[str, ...] = ()
    """Other names of that type, each as good as ``step``."""

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the names of the type that the open job must have."""
        return self.step, *self.aliases


class Amendment(Struct, frozen=True, kw_only=True):
    """
    A change to the open job of a chain that does not run; None leaves a field as it is.

    ``delay`` and ``at`` as in ``NewJob``. ``input`` takes the place of the job's input from now on; the input that it
    was created with stays on record. With ``step`` the open job must be of that type.
    """

    chain_id: str
    step: str | None = None
    priority: int | None = None
    delay: float | None = None
    at: datetime | None = None
    input: str | None = None
    aliases: tuple[str, ...] = ()
    """Other names of the type of ``step``."""

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the names of the type that the open job must have; none if any will do."""
        return () if self.step is None else (self.step, *self.aliases)
