"""I7: a job leaves ``blocked`` when its condition is met, soon, and not before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from otelq.model import ENDED, OnFailure, Status, Until, Verb

from ...audit import AuditedMove, Change
from ...audit.values import Row
from ...invariants import Violation
from .facts import Facts
from .replay import End, History, Job, found

_UNBLOCKS = frozenset({Verb.UNBLOCK, Verb.CREATE, Verb.REDRIVE})
"""Verbs that say of a job with blockers that it need not wait for them, or not any more."""


@dataclass(frozen=True)
class BlockedTime:
    """One wait of one job: its blockers, its rule, and its end, which may come with its begin."""

    job: Job
    edges: Mapping[str, int]
    """The chains, with the ``seq`` of the change that made the job wait for it."""
    until: Until
    on_failure: OnFailure
    begun: AuditedMove
    end: AuditedMove | None
    seen: int
    """The last change that bears on it."""

    @property
    def needed(self) -> int:
        """Return how many blockers must end as the job needs."""
        return 1 if self.until is Until.ANY else len(self.edges)

    def is_good(self, status: Status | None) -> bool:
        """Return True if a blocker that ended with this status counts."""
        return status is Status.COMPLETED or (self.on_failure is OnFailure.IGNORE and status in ENDED)

    def is_lost(self, bad: int) -> bool:
        """Return True if the condition cannot be met any more."""
        return self.on_failure is OnFailure.FAIL and len(self.edges) - bad < self.needed


def not_before_the_rule(history: History, facts: Facts) -> Iterator[Violation]:
    """I7: an unblocked job has enough blockers that ended as it needs; one that fails by a blocker has too few left."""
    for wait in _waits(history):
        if wait.end is None:
            continue
        good, bad = _ends(history, wait)
        asked = f"{len(wait.edges)} blockers, {wait.until} and {wait.on_failure}"
        if wait.end.verb in _UNBLOCKS and len(good) < wait.needed:
            yield found("I7", "not before the rule", wait.job, f"unblocked by {len(good)} good ends; {asked}")
        if wait.end.verb is Verb.FAIL_BY_BLOCKER and not wait.is_lost(len(bad)):
            yield found("I7", "not before the rule", wait.job, f"failed by {len(bad)} bad ends; {asked}")


def released_in_time(history: History, facts: Facts) -> Iterator[Violation]:
    """I7: once its condition is met, or lost, a job leaves ``blocked`` in that commit or within a reap interval."""
    for wait in _waits(history):
        decided = _decided_at(history, wait)
        end = wait.end.at if wait.end is not None else history.ended_at
        if decided is not None and end is not None and end > facts.allowed(decided, facts.reap_interval):
            yield found("I7", "released in time", wait.job, f"decided at {decided}, blocked until {end}")


def _ends(history: History, wait: BlockedTime) -> tuple[list[End], list[End]]:
    """Return for each blocker the first end that the job needs, and the last that it does not."""
    known = [_known(history, wait, blocker) for blocker in wait.edges]
    good = [next(end for end in ends if wait.is_good(end.status)) for ends in known if _any_good(wait, ends)]
    bad = [ends[-1] for ends in known if ends and not wait.is_good(ends[-1].status)]
    return good, bad


def _any_good(wait: BlockedTime, ends: Sequence[End]) -> bool:
    return any(wait.is_good(end.status) for end in ends)


def _known(history: History, wait: BlockedTime, blocker: str) -> list[End]:
    """Return how a blocker had ended when the job began to wait for it, and its ends during the wait."""
    begun = wait.edges[blocker]
    earlier = history.end_at(blocker, begun)
    tx = wait.end.tx if wait.end is not None else 0
    ends = [
        end
        for end in history.ends.get(blocker, ())
        if begun < end.change.seq and (end.change.seq <= wait.seen or end.change.tx == tx != 0)
    ]
    if wait.end is None and ends and ends[-1].status is None:
        return []  # it was opened again, and the job goes on waiting
    return [*([earlier] if earlier is not None else []), *(end for end in ends if end.status is not None)]


def _decided_at(history: History, wait: BlockedTime) -> datetime | None:
    """Return when the condition was met or lost, at the earliest when the wait began; None if neither."""
    good, bad = (sorted(max(end.change.at, wait.begun.at) for end in ends) for ends in _ends(history, wait))
    if len(good) >= wait.needed:
        return good[wait.needed - 1]
    return bad[len(wait.edges) - wait.needed] if wait.is_lost(len(bad)) else None


# How a job came to wait


def _waits(history: History) -> Iterator[BlockedTime]:
    """Yield every wait for at least one chain, ended or not."""
    edges_of: dict[Job, list[Change]] = {}
    for change in history.of("blocker"):
        if change.op != "DELETE" and change.row["position"] >= 0:
            edges_of.setdefault((str(change.chain_id), change.row["position"]), []).append(change)
    rules = _rules(history)
    for job, edges in edges_of.items():
        moves = history.by_job.get(job, ())
        for place, move in enumerate(moves):
            if move.verb in (Verb.CREATE, Verb.REDRIVE, Verb.BLOCK):
                yield from _wait(job, moves, place, edges=edges, rules=rules.get(job, ()))


def _is_drawn(old: Row | None) -> bool:
    """Return True if a blocker begins to count with this change; the other changes release it."""
    return old is None or old["released_at"] is not None


def _wait(
    job: Job, moves: Sequence[AuditedMove], place: int, *, edges: Sequence[Change], rules: Sequence[tuple[int, Row]]
) -> Iterator[BlockedTime]:
    """Yield the wait that begins with this move, for the blockers that were added since the move before it."""
    begun = moves[place - 1].seq if place else 0
    end = _end(moves, place)
    later = moves[moves.index(end, place) + 1] if end is not None and end is not moves[-1] else None
    over = _LAST if later is None else later.seq
    mine = _remaining_edges(edges, moves[place]) | {
        change.row["blocker_id"]: change.seq
        for change in edges
        if begun <= change.seq < over and _is_drawn(change.old) and not _is_of(later, change)
    }
    rule = next((row for seq, row in reversed(rules) if seq < over), _USUAL)
    if mine:
        until, on_failure = Until(rule["until"] or Until.ALL), OnFailure(rule["on_failure"] or OnFailure.FAIL)
        seen = _LAST if end is None else max(end.seq, *mine.values())
        yield BlockedTime(job, mine, until, on_failure, moves[place], end, seen)


def _remaining_edges(edges: Sequence[Change], begun: AuditedMove) -> dict[str, int]:
    """Return the blockers that an earlier wait did not release, and that count again after a redrive."""
    if begun.verb is not Verb.REDRIVE:
        return {}
    last = {change.row["blocker_id"]: change.row for change in edges if change.seq < begun.seq}
    return {blocker: begun.seq for blocker, row in last.items() if row["released_at"] is None}


_LAST: Final = 1 << 62
_USUAL: Final[Row] = {"until": None, "on_failure": None}


def _end(moves: Sequence[AuditedMove], place: int) -> AuditedMove | None:
    """Return the move that ends the wait which begins with the move at this index."""
    if moves[place].target is not Status.BLOCKED:
        return moves[place]
    ends = (move for move in moves[place + 1 :] if move.source is Status.BLOCKED and move.target is not Status.BLOCKED)
    return next(ends, None)


def _is_of(later: AuditedMove | None, change: Change) -> bool:
    """Return True if a blocker was added again by the redrive that follows a wait, before its own row was written."""
    return later is not None and later.verb is Verb.REDRIVE and change.tx == later.tx != 0


def _rules(history: History) -> dict[Job, list[tuple[int, Row]]]:
    """Return by job the rows that hold its rule: the request on PostgreSQL, the hot row on SQLite."""
    rules: dict[Job, list[tuple[int, Row]]] = {}
    for change in history.changes:
        if change.table in ("job", "open_job") and change.new is not None and "until" in change.new:
            rules.setdefault((str(change.chain_id), change.new["position"]), []).append((change.seq, change.new))
    return rules
