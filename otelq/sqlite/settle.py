"""What attempts came to, written under their leases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.json import Decoder

from ..errors import InvalidArgument, NotFound, Refused
from ..model import (
    Blocks,
    Claimed,
    ClaimSuccessor,
    Completes,
    Continues,
    Fails,
    Failure,
    JobKey,
    Lease,
    Releases,
    Retries,
    Settled,
    Settlement,
    SettleResult,
    Snoozes,
    Status,
    Successor,
    Transition,
    Verb,
)
from ..transitions import build, outcomes
from ..transitions.blockers import rule_of
from ..transitions.outcomes import BlockerSource, blocker_source, delay_of, verb_of
from .closed_jobs import ClosedJob
from .rows import micros, span, when
from .session import SqliteSession, batch
from .start import due_at, request
from .unblock import follow, followed
from .value_checks import check_outcome
from .waits import BlockerRequest, block


class LeasedJob(Struct, frozen=True, array_like=True, gc=False):
    """A lease that is current: its place in the batch, and what closing the chain will touch."""

    nr: int
    waited_on: int
    has_dedup: int


class JobState(Struct, frozen=True, array_like=True, gc=False):
    """What became of a lease that is not current."""

    nr: int
    verb: Verb | None
    at: int | None
    has_kept: int
    is_cancelled: int | None


class EarlierBlockers(Struct, frozen=True, array_like=True):
    """What became at once of a job that was given blockers: how many it waited for, and why it was lost."""

    nr: int
    held: int
    error_type: str | None

    @property
    def is_blocked(self) -> bool:
        return self.held > 0 or self.error_type is not None


_HELD = Decoder(list[LeasedJob])
_WAITED = Decoder(list[EarlierBlockers])
_BEFORE = Decoder(list[JobState])
Place: TypeAlias = tuple[int, int, str]
_LINE = Decoder(list[tuple[str, int, int, str]])


async def settle(db: SqliteSession, at: int, *, settlements: Sequence[Settlement]) -> Settled:
    """Write the outcomes whose leases are current; answer for the others from what was written before."""
    for item in settlements:
        check_outcome(item.outcome)
    leases = [_lease(item) for item in settlements]
    held = {row.nr: row for row in await db.read("settle_held", _HELD, leases=batch(leases))}
    plan = SettlePlan(at, await _line(db, at, settlements))
    lost = [nr for nr in range(len(leases)) if nr not in held]
    before = await _before(db, leases, lost) if lost else {}
    waited = await _waited_before(db, settlements, before)
    verdicts: dict[Lease, SettleResult] = {}
    for nr, item in enumerate(settlements):
        # A lease that stands twice in the batch is settled by the first.
        if item.job.lease not in verdicts:
            verdict = plan.settle(item, held[nr]) if nr in held else plan.repeat(item, before[nr], waited.get(nr))
            verdicts[item.job.lease] = verdict
    await plan.write(db)
    plan.made += await _wait(db, at, plan)
    plan.made += await follow(db, at, plan.waited_on)
    for then, chains in plan.repeated.items():
        plan.made += await followed(db, then, chains)
    in_order = tuple(verdicts[item.job.lease] for item in settlements)
    return Settled(results=in_order, transitions=tuple(plan.made), claimed_successors=plan.kept)


async def _wait(db: SqliteSession, at: int, plan: SettlePlan) -> list[Transition]:
    """Let those wait that were given blockers; what else the batch closes is closed by now."""
    if not plan.waiting:
        return []
    wishes = [asked for _, asked in plan.waiting]
    try:
        decisions = await block(db, at, wishes)
    except (NotFound, InvalidArgument) as error:
        raise Refused(str(error)) from error
    plan.waited_on += [asked.chain_id for asked, decision in zip(wishes, decisions, strict=True) if decision.failure]
    return [
        made
        for (item, _), decision in zip(plan.waiting, decisions, strict=True)
        for made in transitions(item, at, is_blocked=decision.is_blocked, failed_with=decision.failed_with)
    ]


def transitions(
    item: Settlement,
    at: int,
    *,
    kept: Claimed | None = None,
    is_blocked: bool = False,
    failed_with: str | None = None,
) -> list[Transition]:
    """The transitions of one settlement made at ``at``, those of other chains apart."""
    due = when(_run_at(item, at))
    return outcomes.transitions_of(
        item, at=when(at), run_at=due, claimed_successor=kept, is_blocked=is_blocked, failed_with=failed_with
    )


def _run_at(item: Settlement, at: int) -> int:
    """When the job, or its successor, runs next, if it does."""
    match item.outcome:
        case Completes() | Fails():
            return at
        case Continues(successor):
            return due_at(successor, at)
        case outcome:
            return at + span(delay_of(outcome))


def wish(key: JobKey, given: BlockerSource) -> BlockerRequest:
    """What a job, or its successor, is to wait for."""
    chain_id, position = key
    waits_at = position if isinstance(given, Blocks) else position + 1
    return BlockerRequest(chain_id, waits_at, tuple(dict.fromkeys(given.blockers)), rule_of(given))


def kept_successor(item: Settlement, successor: Successor, keep: ClaimSuccessor, at: int) -> Claimed:
    """The successor as its worker gets it at ``at``."""
    until = at + span(keep.lease if keep.timeout is None else min(keep.lease, keep.timeout))
    return build.claimed_successor(
        item,
        successor,
        keep,
        priority=_priority(item, successor),
        at=when(at),
        due_at=when(at),
        leased_until=when(until),
    )


def _priority(item: Settlement, successor: Successor) -> int:
    """The successor's priority: its own, or that of the job before it."""
    return item.job.priority if successor.priority is None else successor.priority


def _lease(item: Settlement) -> tuple[str, int, int, int | None]:
    lease, keep = item.job.lease, _keep(item)
    return lease.chain_id, lease.position, lease.token, keep.token if keep else None


def _keep(item: Settlement) -> ClaimSuccessor | None:
    return item.outcome.claim_successor if isinstance(item.outcome, Continues) else None


async def _line(db: SqliteSession, at: int, settlements: Sequence[Settlement]) -> dict[str, Place]:
    """The head of the line of each type whose successor a worker would keep."""
    types = {
        item.outcome.successor.type
        for item in settlements
        if isinstance(item.outcome, Continues) and item.outcome.claim_successor
    }
    if not types:
        return {}
    heads: dict[str, Place] = {}
    for type, rank, run_at, chain_id in await db.read("keep_first", _LINE, types=batch(list(types)), now=at):
        place = rank, run_at, chain_id
        heads[type] = min(heads.get(type, place), place)
    return heads


async def _before(
    db: SqliteSession, leases: Sequence[tuple[str, int, int, int | None]], lost: Sequence[int]
) -> dict[int, JobState]:
    rows = await db.read("settle_before", _BEFORE, leases=batch([leases[nr] for nr in lost]))
    return {lost[row.nr]: row for row in rows}


async def _waited_before(
    db: SqliteSession, settlements: Sequence[Settlement], before: dict[int, JobState]
) -> dict[int, EarlierBlockers]:
    """How jobs that were given blockers fared in the commit that settled them."""
    asked = [(nr, wish) for nr, row in before.items() if row.at is not None and (wish := _wish(settlements[nr]))]
    if not asked:
        return {}
    keys = [(*wish.key, before[nr].at) for nr, wish in asked]
    rows = await db.read("blocker_before", _WAITED, jobs=batch(keys))
    return {asked[row.nr][0]: row for row in rows}


def _wish(item: Settlement) -> BlockerRequest | None:
    given, lease = blocker_source(item.outcome), item.job.lease
    return wish((lease.chain_id, lease.position), given) if given else None


class SettlePlan:
    """What a batch of settlements writes, and says that it did."""

    def __init__(self, at: int, line: dict[str, Place]) -> None:
        self.made: list[Transition] = []
        self.kept: dict[str, Claimed] = {}
        self.waited_on: list[str] = []
        self.waiting: list[tuple[Settlement, BlockerRequest]] = []
        self.repeated: defaultdict[int, list[str]] = defaultdict(list)
        self._at = at
        self._line = line
        self._closed: list[ClosedJob] = []
        self._chains: list[str] = []
        self._with_dedup = False
        self._jobs: list[tuple[object, ...]] = []
        self._advanced: list[tuple[object, ...]] = []
        self._attempts: list[tuple[object, ...]] = []
        self._back: list[tuple[object, ...]] = []

    def settle(self, item: Settlement, held: LeasedJob) -> SettleResult:
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
            case Releases() | Blocks():
                self._put_back(item, 0, given_back=1)
        if asked := _wish(item):
            self.waiting.append((item, asked))
        else:
            self.made += transitions(item, self._at, kept=kept)
        return SettleResult.DONE

    def repeat(self, item: Settlement, before: JobState, waited: EarlierBlockers | None) -> SettleResult:
        """Answer for a lease that is not current: its own holder ended it before, or it is lost."""
        if before.verb is verb_of(item.outcome) and before.at is not None:
            kept = None
            if before.has_kept and isinstance(item.outcome, Continues) and item.outcome.claim_successor:
                kept = kept_successor(item, item.outcome.successor, item.outcome.claim_successor, before.at)
                self.kept[kept.lease.chain_id] = kept
            is_blocked = waited is not None and waited.is_blocked
            failed_with = waited.error_type if waited else None
            self.made += transitions(item, before.at, kept=kept, is_blocked=is_blocked, failed_with=failed_with)
            self.repeated[before.at].append(item.job.lease.chain_id)
            return SettleResult.DONE
        return SettleResult.CANCELLED if before.is_cancelled else SettleResult.LOST

    async def write(self, db: SqliteSession) -> None:
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
        held: LeasedJob,
        status: Status,
        *,
        output: str | None = None,
        failure: Failure | None = None,
    ) -> None:
        chain_id = item.job.lease.chain_id
        error, text = (failure.type, failure.text) if failure else (None, None)
        self._closed.append(
            ClosedJob(chain_id, status, verb_of(item.outcome), output, error, text, item.trace, True, item.worker)
        )
        self._chains.append(chain_id)
        self._with_dedup = self._with_dedup or bool(held.has_dedup)
        if held.waited_on:
            self.waited_on.append(chain_id)

    def _continue(self, item: Settlement, successor: Successor, kept: Claimed | None) -> None:
        lease = item.job.lease
        ended = ClosedJob(
            lease.chain_id, Status.CONTINUED, Verb.CONTINUE, trace=item.trace, by_holder=True, worker=item.worker
        )
        self._closed.append(ended)
        self._jobs.append(request(successor, lease.chain_id, lease.position + 1))
        self._advanced.append(advance(successor, lease.chain_id, self._at, kept, item))
        if kept is None:
            self._queue_up(successor.type, self._place(item, successor))

    def _keep(self, item: Settlement, successor: Successor, keep: ClaimSuccessor) -> Claimed | None:
        """The successor under lease, if it is due and first in its line."""
        place = self._place(item, successor)
        head = self._line.get(successor.type, place)
        if place[1] > self._at or head < place or successor.blockers:
            return None
        kept = kept_successor(item, successor, keep, self._at)
        self.kept[kept.lease.chain_id] = kept
        return kept

    def _place(self, item: Settlement, successor: Successor) -> Place:
        """Where the successor stands in the line of its type."""
        return _priority(item, successor), due_at(successor, self._at), item.job.lease.chain_id

    def _queue_up(self, type: str, place: Place) -> None:
        """Let those that come later in the batch know who is ready before them."""
        if place[1] <= self._at:
            self._line[type] = min(self._line.get(type, place), place)

    def _put_back(self, item: Settlement, delay: float, *, failure: Failure | None = None, given_back: int = 0) -> None:
        chain_id = item.job.lease.chain_id
        error = (failure.type, failure.text) if failure else (None, None)
        self._attempts.append((chain_id, verb_of(item.outcome), *error, item.trace, item.worker))
        due = self._at + span(max(delay, 0.0))
        self._back.append((chain_id, due, given_back, 0, item.trace))
        self._queue_up(item.job.type, (item.job.priority, due, chain_id))


def advance(
    successor: Successor, chain_id: str, at: int, kept: Claimed | None = None, item: Settlement | None = None
) -> tuple[object, ...]:
    """What the chain's hot row becomes."""
    row = chain_id, successor.type, successor.queue, successor.priority, due_at(successor, at)
    if kept is None or item is None:
        return *row, None, None, None, None, None
    keep = item.outcome.claim_successor if isinstance(item.outcome, Continues) else None
    deadline = at + span(keep.timeout) if keep and keep.timeout is not None else None
    return *row, kept.lease.token, item.worker, at, micros(kept.leased_until), deadline
