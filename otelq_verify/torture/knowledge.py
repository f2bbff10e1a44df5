"""The clients' knowledge of their chains: which must exist, which must not, and what was done to them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from otelq.definitions import Chain

RECENT: Final = 200
"""Chains of one kind that are remembered for further deeds."""


def _recent() -> dict[str, deque[Chain[Any]]]:
    return {}


@dataclass
class Knowledge:
    """The knowledge that all feeders of a run share."""

    committed: set[str] = field(default_factory=set[str])
    """Ids of chains whose start was acknowledged."""
    rolled_back: set[str] = field(default_factory=set[str])
    """Ids of chains whose start was in a transaction that ended for certain without a commit."""
    doubtful: set[str] = field(default_factory=set[str])
    """Ids of chains whose start was in a transaction of whose commit nothing is known."""
    tied: set[str] = field(default_factory=set[str])
    """Ids of all chains whose start was in a transaction, with a row of the caller."""
    outputs: dict[str, int] = field(default_factory=dict[str, int])
    """The outputs of chains, if they complete."""
    actions: Counter[str] = field(default_factory=Counter[str])
    """The number of each action that was done."""
    refusals: Counter[str] = field(default_factory=Counter[str])
    """The number of each action that failed, with the name of the error."""
    _chains: dict[str, deque[Chain[Any]]] = field(default_factory=_recent)

    def remember(self, chain: Chain[Any]) -> None:
        """Store a chain for further actions."""
        self._chains.setdefault(chain.job_type.name, deque(maxlen=RECENT)).append(chain)

    def some(self, chance: Random, *names: str, last: int = RECENT) -> Chain[Any] | None:
        """Return one of the chains of a type that were started last, of one of these types or of any."""
        chosen = [name for name in names or self._chains if self._chains.get(name)]
        if not chosen:
            return None
        remembered = self._chains[chance.choice(chosen)]
        return remembered[-chance.randint(1, min(last, len(remembered)))]

    def take(self, name: str) -> Chain[Any] | None:
        """Return the oldest remembered chain of a type, and forget it."""
        remembered = self._chains.get(name)
        return remembered.popleft() if remembered else None

    def remembered(self, name: str) -> int:
        """Return how many chains of a type are remembered."""
        return len(self._chains.get(name, ()))

    def counted(self, action: Callable[..., object]) -> None:
        """Count an action."""
        self.actions[_name(action)] += 1

    def refused(self, action: Callable[..., object], error: BaseException) -> None:
        """Count an action that failed, by its error."""
        self.refusals[f"{_name(action)}: {type(error).__name__}"] += 1


def _name(action: Callable[..., object]) -> str:
    return action.__name__.strip("_").replace("_", " ")
