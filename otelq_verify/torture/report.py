"""The report of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import to_builtins
from msgspec.json import encode, format

from ..invariants import Violation
from .plan import TorturePlan


@dataclass
class FaultCount:
    """The strikes of a kind of fault. ``leases`` were live when it struck; ``missed`` is how often it hit nothing."""

    times: int = 0
    missed: int = 0
    leases: int = 0
    hits: list[str] = field(default_factory=list[str])


@dataclass(kw_only=True)
class TortureReport:
    """The report of a run; ``str`` of it is for people."""

    plan: TorturePlan
    database: str
    seconds: float = 0.0
    drain_seconds: float = 0.0
    faults: dict[str, FaultCount] = field(default_factory=dict[str, FaultCount])
    absent: list[str] = field(default_factory=list[str])
    """Kinds of faults that could not strike here."""
    actions: Counter[str] = field(default_factory=Counter[str])
    refusals: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[str] = field(default_factory=Counter[str])
    """The number of jobs that closed in each status."""
    verbs: Counter[str] = field(default_factory=Counter[str])
    """The number of moves of jobs, by verb."""
    errors: Counter[str] = field(default_factory=Counter[str])
    """The number of attempts and jobs that ended with each error."""
    chains: int = 0
    in_doubt: int = 0
    rolled_back: int = 0
    effects: int = 0
    changes: int = 0
    violations: list[Violation] = field(default_factory=list[Violation])
    chain_logs: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The changes of the chains of the first violations, a line for each row."""
    unclean_exits: list[str] = field(default_factory=list[str])

    @property
    def is_clean(self) -> bool:
        """Return True if nothing was lost, doubled or contradictory."""
        return not (self.violations or self.unclean_exits)

    @property
    def strikes(self) -> int:
        """Return how many faults hit something."""
        return sum(counted.times for counted in self.faults.values())

    def as_json(self) -> str:
        """Return the whole report, for programs."""
        lines = {"clean": self.is_clean, "strikes": self.strikes, **to_builtins(self)}
        return format(encode(lines), indent=1).decode() + "\n"

    def __str__(self) -> str:
        return "\n".join((self._heading(), *self._injected(), *self._survived(), *self._violated()))

    def _heading(self) -> str:
        return (
            f"seed {self.plan.seed} on {self.database}: {self.plan.workers} workers of {self.plan.concurrency} slots, "
            f"{self.seconds:.0f} s, {self.drain_seconds:.0f} s of them until all had ended"
        )

    def _injected(self) -> Sequence[str]:
        width = max(map(len, self.faults), default=0)
        rows = [
            f"  {name:<{width}}  {counted.times:>4}  {counted.leases:>6} leases" + _last(counted)
            for name, counted in sorted(self.faults.items())
        ]
        absent = [f"  not here: {', '.join(sorted(self.absent))}"] if self.absent else []
        return ["", f"injected: {self.strikes} faults", *rows, *absent]

    def _survived(self) -> Sequence[str]:
        return [
            "",
            f"survived: {self.chains} chains started for certain, {self.rolled_back} rolled back, "
            f"{self.in_doubt} in doubt; {self.effects} effects; {self.changes} changes of rows",
            f"  jobs closed: {_listed(self.statuses)}",
            f"  moves: {_listed(self.verbs)}",
            f"  errors: {_listed(self.errors)}",
            f"  clients did: {_listed(self.actions)}",
            f"  clients were refused: {_listed(self.refusals)}",
        ]

    def _violated(self) -> Sequence[str]:
        found = [*map(str, self.violations), *self.unclean_exits]
        lines = [
            line for chain, log in self.chain_logs.items() for line in ("", f"{chain}:", *(f"  {one}" for one in log))
        ]
        return ["", f"violated: {len(found) or 'nothing'}", *(f"  {one}" for one in found), *lines]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.most_common()) or "none"


def _last(counted: FaultCount) -> str:
    missed = f", {counted.missed} more hit nothing" if counted.missed else ""
    return f"{missed}; the last: {counted.hits[-1]}" if counted.hits else missed
