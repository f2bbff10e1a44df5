"""The calls that were made, and what must be in the tables because of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

RETURNED = "returned"
STOPPED = "stopped"
"""By the cancellation; or by whatever error the cancellation led to."""
SWALLOWED = "a cancellation that it swallowed"


@dataclass(kw_only=True)
class Call:
    """
    One call of the application.

    Args:
        number: the input of the chains that it starts, and what its row holds.
        action: what it does.
        chains: how many it starts.
        row: whether it writes a row in the same transaction, and hangs a callback on its commit.
        is_told: whether the driver tells how the transaction ends, also where the call is cancelled.
        changed: the chain that it changes, and the status that this one then has.
    """

    number: int
    action: str
    chains: int = 0
    row: bool = False
    is_told: bool = True
    changed: tuple[str, str] | None = None
    end: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is in the tables at the end."""

    chains: Mapping[int, int]
    rows: Mapping[int, int]
    statuses: Mapping[str, str]


@dataclass
class Books:
    """The calls of a run, in order."""

    calls: list[Call] = field(default_factory=list[Call])
    ran: Counter[int] = field(default_factory=Counter[int])
    """How often the callback of a call ran."""

    def open(self, action: str) -> Call:
        """Write down a call before it is made, and return it."""
        call = Call(number=len(self.calls), action=action)
        self.calls.append(call)
        return call

    def faults(self, found: Found) -> list[str]:
        """Return what is lost, doubled, or only half done."""
        return [
            f"call {call.number}, {_named(call)}: {fault}" for call in self.calls for fault in self._of(call, found)
        ]

    def _of(self, call: Call, found: Found) -> list[str]:
        chains, rows, ran = found.chains.get(call.number, 0), found.rows.get(call.number, 0), self.ran[call.number]
        is_there = chains > 0 if call.chains else rows > 0
        faults = ["swallowed its cancellation"] if call.error == SWALLOWED else []
        if chains not in (0, call.chains) or (call.end == RETURNED and chains != call.chains):
            faults.append(f"{chains} of {call.chains} chains are there")
        if call.row:
            faults += self._of_row(call, rows, ran, is_there=is_there)
        if call.changed:
            faults += _of_change(call, found.statuses.get(call.changed[0], "deleted"), rows)
        return faults

    def _of_row(self, call: Call, rows: int, ran: int, *, is_there: bool) -> list[str]:
        faults: list[str] = []
        if rows != (1 if is_there or call.end == RETURNED else 0):
            faults.append(f"{rows} rows are there, beside {'its' if is_there else 'no'} chain")
        if ran > rows or (ran < rows and (call.is_told or call.end == RETURNED)):
            faults.append(f"the callback ran {ran} times, {rows} rows are there")
        return faults


def _of_change(call: Call, status: str, rows: int) -> list[str]:
    assert call.changed is not None
    is_done = status == call.changed[1]
    if call.end == RETURNED and not is_done:
        return [f"the chain is {status}, not {call.changed[1]}"]
    if call.row and is_done is not (rows == 1):
        return [f"the chain is {status}, beside {rows} rows"]
    return []


def _named(call: Call) -> str:
    return f"{call.action}, which {call.end or 'never ended'}{f' with {call.error}' if call.error else ''}"
