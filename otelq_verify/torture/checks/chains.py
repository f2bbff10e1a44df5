"""I4, I5, I10 and no chain lost: one open job for each open chain, its tail, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from otelq.model import Status

from ...audit import Change
from ...invariants import Violation
from .facts import Facts
from .replay import History, found


def one_open_job(history: History, facts: Facts) -> Iterator[Violation]:
    """I4: positions have no gaps, and when a transaction ends, an open chain has one hot row: that of its tail."""
    chains: dict[str, _ChainRows] = {}
    for change in history.changes:
        if change.chain_id is None or change.table not in ("job", "open_job", "outcome"):
            continue
        chain = chains.setdefault(change.chain_id, _ChainRows(change.chain_id))
        if chain.tx not in (0, change.tx):
            yield from chain.problems()
        chain.take(change)
    for chain in chains.values():
        yield from chain.problems()


class _ChainRows:
    """The rows of one chain."""

    def __init__(self, chain_id: str) -> None:
        self.tx = 0
        self._id = chain_id
        self._jobs: set[int] = set()
        self._closed: dict[int, str] = {}
        self._hot: list[int] = []

    def take(self, change: Change) -> None:
        self.tx = change.tx
        old, new = change.old, change.new
        match change.table:
            case "job":
                self._jobs ^= {change.row["position"]} if change.op != "UPDATE" else set()
            case "outcome":
                if old is not None and old["generation"] == 0:
                    self._closed.pop(old["position"], None)
                if new is not None and new["generation"] == 0:
                    self._closed[new["position"]] = new["status"]
            case _:
                self._hot = [place for place in self._hot if old is None or place != old["position"]]
                self._hot += [new["position"]] if new is not None else []

    def problems(self) -> Iterator[Violation]:
        tail = max(self._jobs, default=-1)
        job = self._id, max(tail, 0)
        if self._jobs != set(range(tail + 1)):
            yield found("I4", "no gaps", job, f"its jobs are {sorted(self._jobs)}")
        ended = self._closed.get(tail) not in (None, Status.CONTINUED)
        expected = [] if ended or tail < 0 else [tail]
        if self._hot != expected:
            yield found("I4", "one open job", job, f"open are {self._hot}, and should be {expected}")
        for position, status in self._closed.items():
            if (status == Status.CONTINUED) != (position + 1 in self._jobs):
                yield found("I5", "a successor of what continued", (self._id, position), f"{status}, tail {tail}")


def successors_from_one_commit(history: History, facts: Facts) -> Iterator[Violation]:
    """I5: a successor is written by the transaction that closes its predecessor as continued."""
    continued = {
        (change.chain_id, change.row["position"] + 1): change.tx
        for change in history.of("outcome")
        if change.op == "INSERT" and change.row["status"] == Status.CONTINUED
    }
    for change in history.of("job"):
        position = change.row["position"]
        if change.op == "INSERT" and position and continued.get((change.chain_id, position)) != change.tx:
            job = str(change.chain_id), position
            yield found("I5", "from one commit", job, "what it continues was not closed in its transaction")


def committed_starts_exist(history: History, facts: Facts) -> Iterator[Violation]:
    """I10, for the store: a committed start exists, and a rolled-back one does not."""
    made = {str(change.chain_id) for change in history.of("job") if change.op == "INSERT"}
    for chain_id in sorted(facts.committed - made):
        yield found("I10", "committed starts are there", (chain_id, 0), "its start was acknowledged, and never was")
    for chain_id in sorted(facts.rolled_back & made):
        yield found("I10", "undone starts are not", (chain_id, 0), "its transaction was rolled back, and it is there")


def none_lost(history: History, facts: Facts) -> Iterator[Violation]:
    """Check that every chain has ended, or was deleted."""
    for job, moves in history.by_job.items() if facts.done_in_time else ():
        if not history.has_closed(job):
            yield found("I11", "every chain ends", job, f"it is {moves[-1].target} since {moves[-1].at}")
