"""An unreliable notifier: hints are lost, doubled, late, or in another order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Literal, get_args

from otelq.inprocess.notify import InProcessNotify
from otelq.ports.notify import Hint, NotifyAdapter

Unreliability = Literal["lost", "doubled", "late", "reordered"]
KINDS: Final[tuple[Unreliability, ...]] = get_args(Unreliability)

CHANCE: Final = 0.7
"""The chance of a hint to be lost, or doubled, or late."""
LATEST: Final = 2.0
"""Seconds by which a hint is late, at most."""
HELD: Final = 0.05
"""Seconds for which hints gather to be put in another order."""


class UnreliableNotify(NotifyAdapter):
    """Any notifier, behind a wrapper that does one kind of harm to hints. ``met`` counts them."""

    def __init__(self, notify: NotifyAdapter, kind: Unreliability, *, seed: int) -> None:
        self.name = notify.name
        self.met = 0
        self._notify = notify
        self._kind: Unreliability = kind
        self._chance = random.Random(seed)
        self._held: list[Hint] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._notify.open()

    async def close(self) -> None:
        self._loop = None
        await self._notify.close()

    def subscribe(self, receive: Callable[[Hint], None]) -> Callable[[], None]:
        return self._notify.subscribe(receive)

    def publish(self, hints: Sequence[Hint]) -> None:
        unlucky = [hint for hint in hints if self._chance.random() < CHANCE]
        self.met += len(unlucky)
        match self._kind:
            case "lost":
                self._notify.publish([hint for hint in hints if hint not in unlucky])
            case "doubled":
                self._notify.publish([*hints, *unlucky])
            case "late":
                self._notify.publish([hint for hint in hints if hint not in unlucky])
                for hint in unlucky:
                    self._later(self._chance.uniform(0, LATEST), partial(self._notify.publish, [hint]))
            case "reordered":
                self._hold(hints)

    def _hold(self, hints: Sequence[Hint]) -> None:
        if not self._held:
            self._later(HELD, self._let_go)
        self._held += hints

    def _let_go(self) -> None:
        held, self._held = self._held, []
        self._chance.shuffle(held)
        self._notify.publish(held)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_later(seconds, lambda: work() if self._loop is not None else None)


def unreliable(kind: Unreliability, seed: int) -> UnreliableNotify:
    """Return the default notifier of a client, with this kind of harm."""
    return UnreliableNotify(InProcessNotify(), kind, seed=seed)
