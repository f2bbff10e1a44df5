"""What the clients of a run know of their chains: what must be there, what must not, and what they did."""

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
    """Shared by all feeders of a run."""

    committed: set[str] = field(default_factory=set[str])
    """Ids of chains whose start was acknowledged."""
    rolled_back: set[str] = field(default_factory=set[str])
    """Ids of chains whose start was in a transaction that ended for certain without a commit."""
    doubtful: set[str] = field(default_factory=set[str])
    """Ids of chains whose start was in a transaction of whose commit nothing is known."""
    tied: set[str] = field(default_factory=set[str])
    """Ids of all chains whose start was in a transaction, with a row of the caller."""
    outputs: dict[str, int] = field(default_factory=dict[str, int])
    """What chains must yield if they complete."""
    actions: Counter[str] = field(default_factory=Counter[str])
    """What was done how often."""
    refusals: Counter[str] = field(default_factory=Counter[str])
    """What was tried in vain, with the name of the error."""
    _chains: dict[str, deque[Chain[Any]]] = field(default_factory=_recent)

    def remember(self, chain: Chain[Any]) -> None:
        """Keep a chain for further deeds."""
        self._chains.setdefault(chain.job_type.name, deque(maxlen=RECENT)).append(chain)

    def some(self, chance: Random, *names: str, last: int = RECENT) -> Chain[Any] | None:
        """One of the chains of a type that were started last; of one of these types, or of any."""
        chosen = [name for name in names or self._chains if self._chains.get(name)]
        if not chosen:
            return None
        remembered = self._chains[chance.choice(chosen)]
        return remembered[-chance.randint(1, min(last, len(remembered)))]

    def take(self, name: str) -> Chain[Any] | None:
        """The oldest chain of a type that is remembered; it is not given again."""
        remembered = self._chains.get(name)
        return remembered.popleft() if remembered else None

    def remembered(self, name: str) -> int:
        """How many chains of a type are remembered."""
        return len(self._chains.get(name, ()))

    def counted(self, action: Callable[..., object]) -> None:
        """Note that something was done."""
        self.actions[_name(action)] += 1

    def refused(self, action: Callable[..., object], error: BaseException) -> None:
        """Note that something could not be done."""
        self.refusals[f"{_name(action)}: {type(error).__name__}"] += 1


def _name(action: Callable[..., object]) -> str:
    return action.__name__.strip("_").replace("_", " ")
