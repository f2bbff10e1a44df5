"""What attempts came to, written under their leases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct
from msgspec.json import Decoder

from ..model import (
    Claimed,
    Completes,
    Continues,
    Fails,
    Failure,
    Keep,
    Lease,
    Outcome,
    Releases,
    Retries,
    Settled,
    Settlement,
    Snoozes,
    Status,
    Successor,
    Transition,
    Verb,
    Verdict,
)
from .ending import Close
from .rows import claim, leased, micros, span, when
from .session import Session, batch
from .starting import continued_transition, due_at, request
from .unblocking import follow, followed
from .values import check_outcome


class Held(Struct, frozen=True, array_like=True, gc=False):
    """A lease that is current: its place in the batch, and what closing the chain will touch."""

    nr: int
    waited_on: int
    has_dedup: int


class Before(Struct, frozen=True, array_like=True, gc=False):
    """What became of a lease that is not current."""

    nr: int
    verb: Verb | None
    at: int | None
    has_kept: int
    is_cancelled: int | None


_HELD = Decoder(list[Held])
_BEFORE = Decoder(list[Before])
Place: TypeAlias = tuple[int, int, str]
_LINE = Decoder(list[tuple[str, int, int, str]])


async def settle(db: Session, at: int, *, settlements: Sequence[Settlement]) -> Settled:
    """Write the outcomes whose leases are current; answer for the others from what was written before."""
    for item in settlements:
        check_outcome(item.outcome)
    leases = [_lease(item) for item in settlements]
    held = {row.nr: row for row in await db.read("settle_held", _HELD, leases=batch(leases))}
    plan = Plan(at, await _line(db, at, settlements))
    lost = [nr for nr in range(len(leases)) if nr not in held]
    before = await _before(db, leases, lost) if lost else {}
    verdicts: dict[Lease, Verdict] = {}
    for nr, item in enumerate(settlements):
        # A lease that stands twice in the batch is settled by the first.
        if item.job.lease not in verdicts:
            verdict = plan.settle(item, held[nr]) if nr in held else plan.repeat(item, before[nr])
            verdicts[item.job.lease] = verdict
    await plan.write(db)
    plan.made += await follow(db, at, plan.waited_on)
    for then, chains in plan.repeated.items():
        plan.made += await followed(db, then, chains)
    in_order = tuple(verdicts[item.job.lease] for item in settlements)
    return Settled(verdicts=in_order, transitions=tuple(plan.made), kept=plan.kept)


def _lease(item: Settlement) -> tuple[str, int, int, int | None]:
    lease, keep = item.job.lease, _keep(item)
    return lease.chain_id, lease.position, lease.token, keep.token if keep else None


def _keep(item: Settlement) -> Keep | None:
    return item.outcome.keep if isinstance(item.outcome, Continues) else None


async def _line(db: Session, at: int, settlements: Sequence[Settlement]) -> dict[str, Place]:
    """The head of the line of each type whose successor a worker would keep."""
    types = {
        item.outcome.successor.type for item in settlements if isinstance(item.outcome, Continues) and item.outcome.keep
    }
    if not types:
        return {}
    heads: dict[str, Place] = {}
    for type, priority, run_at, chain_id in await db.read("keep_first", _LINE, types=batch(list(types)), now=at):
        place = priority, run_at, chain_id
        heads[type] = min(heads.get(type, place), place)
    return heads


async def _before(
    db: Session, leases: Sequence[tuple[str, int, int, int | None]], lost: Sequence[int]
) -> dict[int, Before]:
    rows = await db.read("settle_before", _BEFORE, leases=batch([leases[nr] for nr in lost]))
    return {lost[row.nr]: row for row in rows}


class Plan:
    """What a batch of settlements writes, and says that it did."""

    def __init__(self, at: int, line: dict[str, Place]) -> None:
        self.made: list[Transition] = []
        self.kept: dict[str, Claimed] = {}
        self.waited_on: list[str] = []
        self.repeated: defaultdict[int, list[str]] = defaultdict(list)
        self._at = at
        self._line = line
        self._closed: list[Close] = []
        self._chains: list[str] = []
        self._with_dedup = False
        self._jobs: list[tuple[object, ...]] = []
        self._advanced: list[tuple[object, ...]] = []
        self._attempts: list[tuple[object, ...]] = []
        self._back: list[tuple[object, ...]] = []

    def settle(self, item: Settlement, held: Held) -> Verdict:
        """Take one outcome into the plan."""
        kept: Claimed | None = None
        match item.outcome:
            case Completes(output):
                self._close(item, held, Status.COMPLETED, output=output)
            case Fails(failure):
                self._close(item, held, Status.FAILED, failure=failure)
            case Continues(successor, keep):
                kept = self._keep(item, successor, keep) if keep else None
                self._continue(item, successor, kept)
            case Retries(delay, failure):
                self._put_back(item, delay, failure=failure)
            case Snoozes(delay):
                self._put_back(item, delay, given_back=1)
            case Releases():
                self._put_back(item, 0, given_back=1)
        self.made += transitions(item, self._at, kept)
        return Verdict.DONE

    def repeat(self, item: Settlement, before: Before) -> Verdict:
        """Answer for a lease that is not current: its own holder ended it before, or it is lost."""
        if before.verb is verb(item) and before.at is not None:
            kept = None
            if before.has_kept and isinstance(item.outcome, Continues) and item.outcome.keep:
                kept = kept_successor(item, item.outcome.successor, item.outcome.keep, before.at)
                self.kept[kept.lease.chain_id] = kept
            self.made += transitions(item, before.at, kept)
            self.repeated[before.at].append(item.job.lease.chain_id)
            return Verdict.DONE
        return Verdict.CANCELLED if before.is_cancelled else Verdict.LOST

    async def write(self, db: Session) -> None:
        """Write it all, a statement for each table that is touched."""
        at = self._at
        if self._attempts:
            await db.write("attempt_end", ended=batch(self._attempts), now=at)
        if self._back:
            await db.write("open_put_back", back=batch(self._back))
        if self._closed:
            await db.write("close_outcome", closed=batch(self._closed), now=at)
        if self._advanced:
            await db.write("create_job", jobs=batch(self._jobs), now=at)
            await db.write("advance_open", advanced=batch(self._advanced))
        if self._chains:
            await db.write("close_open", chains=batch(self._chains))
        if self._with_dedup:
            await db.write("close_dedup", chains=batch(self._chains))

    def _close(
        self,
        item: Settlement,
        held: Held,
        status: Status,
        *,
        output: str | None = None,
        failure: Failure | None = None,
    ) -> None:
        chain_id = item.job.lease.chain_id
        error, text = (failure.type, failure.text) if failure else (None, None)
        self._closed.append(Close(chain_id, status, verb(item), output, error, text, item.trace, True, item.worker))
        self._chains.append(chain_id)
        self._with_dedup = self._with_dedup or bool(held.has_dedup)
        if held.waited_on:
            self.waited_on.append(chain_id)

    def _continue(self, item: Settlement, successor: Successor, kept: Claimed | None) -> None:
        lease = item.job.lease
        ended = Close(
            lease.chain_id, Status.CONTINUED, Verb.CONTINUE, trace=item.trace, by_holder=True, worker=item.worker
        )
        self._closed.append(ended)
        self._jobs.append(request(successor, lease.chain_id, lease.position + 1))
        self._advanced.append(advance(successor, lease.chain_id, self._at, kept, item))
        if kept is None:
            self._queue_up(successor.type, self._place(item, successor))

    def _keep(self, item: Settlement, successor: Successor, keep: Keep) -> Claimed | None:
        """The successor under lease, if it is due and first in its line."""
        place = self._place(item, successor)
        head = self._line.get(successor.type, place)
        if place[1] > self._at or head < place:
            return None
        kept = kept_successor(item, successor, keep, self._at)
        self.kept[kept.lease.chain_id] = kept
        return kept

    def _place(self, item: Settlement, successor: Successor) -> Place:
        """Where the successor stands in the line of its type."""
        return priority(item, successor), due_at(successor, self._at), item.job.lease.chain_id

    def _queue_up(self, type: str, place: Place) -> None:
        """Let those that come later in the batch know who is ready before them."""
        if place[1] <= self._at:
            self._line[type] = min(self._line.get(type, place), place)

    def _put_back(self, item: Settlement, delay: float, *, failure: Failure | None = None, given_back: int = 0) -> None:
        chain_id = item.job.lease.chain_id
        error = (failure.type, failure.text) if failure else (None, None)
        self._attempts.append((chain_id, verb(item), *error, item.trace, item.worker))
        due = self._at + span(max(delay, 0.0))
        self._back.append((chain_id, due, given_back, 0, item.trace))
        self._queue_up(item.job.type, (item.job.priority, due, chain_id))


_VERBS: Mapping[type[Outcome], Verb] = {
    Completes: Verb.COMPLETE,
    Continues: Verb.CONTINUE,
    Retries: Verb.RETRY,
    Snoozes: Verb.SNOOZE,
    Fails: Verb.FAIL,
    Releases: Verb.RELEASE,
}


def verb(item: Settlement) -> Verb:
    """What a worker does with such an outcome."""
    return _VERBS[type(item.outcome)]


def priority(item: Settlement, successor: Successor) -> int:
    """The successor's priority: its own, or that of the job before it."""
    return item.job.priority if successor.priority is None else successor.priority


def advance(
    successor: Successor, chain_id: str, at: int, kept: Claimed | None = None, item: Settlement | None = None
) -> tuple[object, ...]:
    """What the chain's hot row becomes."""
    row = chain_id, successor.type, successor.queue, successor.priority, due_at(successor, at)
    if kept is None or item is None:
        return *row, None, None, None, None, None
    keep = item.outcome.keep if isinstance(item.outcome, Continues) else None
    deadline = at + span(keep.timeout) if keep and keep.timeout is not None else None
    return *row, kept.lease.token, item.worker, at, micros(kept.leased_until), deadline


def kept_successor(item: Settlement, successor: Successor, keep: Keep, at: int) -> Claimed:
    """The successor as its worker gets it at ``at``."""
    lease = item.job.lease
    until = at + span(keep.lease if keep.timeout is None else min(keep.lease, keep.timeout))
    return Claimed(
        lease=Lease(lease.chain_id, lease.position + 1, keep.token),
        type=successor.type,
        queue=successor.queue,
        chain_type=item.job.chain_type,
        input=successor.input,
        attempt=1,
        crashes=0,
        priority=priority(item, successor),
        due_at=when(at),
        created_at=when(at),
        chain_created_at=item.job.chain_created_at,
        claimed_at=when(at),
        leased_until=when(until),
        trace=successor.trace,
        meta=successor.meta,
    )


def transitions(item: Settlement, at: int, kept: Claimed | None) -> Iterator[Transition]:
    """The transitions of one settlement made at ``at``, those of other chains apart."""
    moment = when(at)
    match item.outcome:
        case Completes():
            yield _ended(item, Status.COMPLETED, moment)
        case Fails(failure):
            yield _ended(item, Status.FAILED, moment, failure=failure)
        case Continues(successor):
            yield _ended(item, Status.CONTINUED, moment)
            yield continued_transition(
                successor,
                at,
                chain_id=item.job.lease.chain_id,
                position=item.job.lease.position + 1,
                chain_type=item.job.chain_type,
                chain_created_at=item.job.chain_created_at,
            )
            if kept:
                yield claim(kept, worker=item.worker)
        case Retries(delay, failure):
            yield _put_back(item, delay, at, failure=failure)
        case Snoozes(delay):
            yield _put_back(item, delay, at)
        case Releases():
            yield _put_back(item, 0, at)


def _ended(item: Settlement, target: Status, moment: datetime, *, failure: Failure | None = None) -> Transition:
    return leased(item.job, verb(item), Status.RUNNING, target, at=moment, worker=item.worker, failure=failure)


def _put_back(item: Settlement, delay: float, at: int, *, failure: Failure | None = None) -> Transition:
    due = at + span(max(delay, 0.0))
    target, due_then = (Status.SCHEDULED, when(due)) if due > at else (Status.READY, None)
    return leased(
        item.job,
        verb(item),
        Status.RUNNING,
        target,
        at=when(at),
        worker=item.worker,
        due_at=due_then,
        failure=failure,
    )
