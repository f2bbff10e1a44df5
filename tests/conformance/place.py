"""A notifier whose adapters share a place, as those of a broker do: what the kit's cases about sharing are tried on."""

from __future__ import annotations

from collections.abc import Sequence

from otelq.inprocess.notify import InProcessNotify
from otelq.ports.notify import Hint


class Place:
    """The adapters that are open; each hands over to all."""

    def __init__(self) -> None:
        self.members: list[PlacedNotify] = []

    def adapter(self) -> PlacedNotify:
        """One more adapter of this place, not open yet."""
        return PlacedNotify(self)


class PlacedNotify(InProcessNotify):
    """Tells its own receivers and those of all open adapters of its place."""

    name = "placed"
    is_shared = True

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place

    async def open(self) -> None:
        await super().open()
        self.place.members.append(self)

    async def close(self) -> None:
        if self in self.place.members:
            self.place.members.remove(self)
        await super().close()

    def publish(self, hints: Sequence[Hint]) -> None:
        for member in self.place.members if self in self.place.members else [self]:
            member.hand_in(hints)  # one that is not open drops them

    def hand_in(self, hints: Sequence[Hint]) -> None:
        """Pass hints on to the receivers here."""
        super().publish(hints)
