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
from .rows import seconds_to_micros, to_datetime, to_micros
from .session import SqliteSession, batch
from .start import due_at, job_row
from .unblock import past_unblocks, unblock_dependents
from .value_checks import check_outcome
from .waits import BlockerRequest, block


class LeasedJob(Struct, frozen=True, array_like=True, gc=False):
    """A lease that is current: its place in the batch, and what closing the chain will touch."""

    index: int
    waited_on: int
    has_dedup: int


class JobState(Struct, frozen=True, array_like=True, gc=False):
    """What became of a lease that is not current."""

    index: int
    verb: Verb | None
    at: int | None
    has_claimed_successor: int
    is_cancelled: int | None


class EarlierBlockers(Struct, frozen=True, array_like=True):
    """What became at once of a job that was given blockers: how many it waited for, and why it was lost."""

    index: int
    held: int
    error_type: str | None

    @property
    def is_blocked(self) -> bool:
        return self.held > 0 or self.error_type is not None


_HELD = Decoder(list[LeasedJob])
_WAITED = Decoder(list[EarlierBlockers])
_BEFORE = Decoder(list[JobState])
QueuePosition: TypeAlias = tuple[int, int, str]
_QUEUE_HEADS = Decoder(list[tuple[str, int, int, str]])


async def settle(db: SqliteSession, at: int, *, settlements: Sequence[Settlement]) -> Settled:
    """Write the outcomes whose leases are current; answer for the others from what was written before."""
    for item in settlements:
        check_outcome(item.outcome)
    leases = [_lease(item) for item in settlements]
    held = {row.index: row for row in await db.read("find_current_leases", _HELD, leases=batch(leases))}
    plan = SettlePlan(at, await _queue_heads(db, at, settlements))
    lost = [index for index in range(len(leases)) if index not in held]
    before = await _before(db, leases, lost) if lost else {}
    waited = await _waited_before(db, settlements, before)
    verdicts: dict[Lease, SettleResult] = {}
    for index, item in enumerate(settlements):
        # A lease that stands twice in the batch is settled by the first.
        if item.job.lease not in verdicts:
            verdict = (
                plan.settle(item, held[index]) if index in held else plan.repeat(item, before[index], waited.get(index))
            )
            verdicts[item.job.lease] = verdict
    await plan.write(db)
    plan.made += await _wait(db, at, plan)
    plan.made += await unblock_dependents(db, at, plan.waited_on)
    for then, chains in plan.repeated.items():
        plan.made += await past_unblocks(db, then, chains)
    in_order = tuple(verdicts[item.job.lease] for item in settlements)
    return Settled(results=in_order, transitions=tuple(plan.made), claimed_successors=plan.claimed_successor)


async def _wait(db: SqliteSession, at: int, plan: SettlePlan) -> list[Transition]:
    """Let those wait that were given blockers; what else the batch closes is closed by now."""
    if not plan.waiting:
        return []
    requests = [asked for _, asked in plan.waiting]
    try:
        decisions = await block(db, at, requests)
    except (NotFound, InvalidArgument) as error:
        raise Refused(str(error)) from error
    plan.waited_on += [asked.chain_id for asked, decision in zip(requests, decisions, strict=True) if decision.failure]
    return [
        made
        for (item, _), decision in zip(plan.waiting, decisions, strict=True)
        for made in transitions(item, at, is_blocked=decision.is_blocked, failed_with=decision.failed_with)
    ]


def transitions(
    item: Settlement,
    at: int,
    *,
    claimed_successor: Claimed | None = None,
    is_blocked: bool = False,
    failed_with: str | None = None,
) -> list[Transition]:
    """The transitions of one settlement made at ``at``, those of other chains apart."""
    due = to_datetime(_run_at(item, at))
    return outcomes.transitions_of(
        item,
        at=to_datetime(at),
        run_at=due,
        claimed_successor=claimed_successor,
        is_blocked=is_blocked,
        failed_with=failed_with,
    )


def _run_at(item: Settlement, at: int) -> int:
    """When the job, or its successor, runs next, if it does."""
    match item.outcome:
        case Completes() | Fails():
            return at
        case Continues(successor):
            return due_at(successor, at)
        case outcome:
            return at + seconds_to_micros(delay_of(outcome))


def blocker_request(key: JobKey, given: BlockerSource) -> BlockerRequest:
    """What a job, or its successor, is to wait for."""
    chain_id, position = key
    waits_at = position if isinstance(given, Blocks) else position + 1
    return BlockerRequest(chain_id, waits_at, tuple(dict.fromkeys(given.blockers)), rule_of(given))


def claimed_successor_of(item: Settlement, successor: Successor, claim: ClaimSuccessor, at: int) -> Claimed:
    """The successor as its worker gets it at ``at``."""
    until = at + seconds_to_micros(claim.lease if claim.timeout is None else min(claim.lease, claim.timeout))
    return build.claimed_successor(
        item,
        successor,
        claim,
        priority=_priority(item, successor),
        at=to_datetime(at),
        due_at=to_datetime(at),
        leased_until=to_datetime(until),
    )


def _priority(item: Settlement, successor: Successor) -> int:
    """The successor's priority: its own, or that of the job before it."""
    return item.job.priority if successor.priority is None else successor.priority


def _lease(item: Settlement) -> tuple[str, int, int, int | None]:
    lease, claim = item.job.lease, _keep(item)
    return lease.chain_id, lease.position, lease.token, claim.token if claim else None


def _keep(item: Settlement) -> ClaimSuccessor | None:
    return item.outcome.claim_successor if isinstance(item.outcome, Continues) else None


async def _queue_heads(db: SqliteSession, at: int, settlements: Sequence[Settlement]) -> dict[str, QueuePosition]:
    """The head of the line of each type whose successor a worker would keep."""
    types = {
        item.outcome.successor.type
        for item in settlements
        if isinstance(item.outcome, Continues) and item.outcome.claim_successor
    }
    if not types:
        return {}
    heads: dict[str, QueuePosition] = {}
    for type, rank, run_at, chain_id in await db.read(
        "find_queue_heads", _QUEUE_HEADS, types=batch(list(types)), now=at
    ):
        position = rank, run_at, chain_id
        heads[type] = min(heads.get(type, position), position)
    return heads


async def _before(
    db: SqliteSession, leases: Sequence[tuple[str, int, int, int | None]], lost: Sequence[int]
) -> dict[int, JobState]:
    rows = await db.read("read_past_settlements", _BEFORE, leases=batch([leases[index] for index in lost]))
    return {lost[row.index]: row for row in rows}


async def _waited_before(
    db: SqliteSession, settlements: Sequence[Settlement], before: dict[int, JobState]
) -> dict[int, EarlierBlockers]:
    """How jobs that were given blockers fared in the commit that settled them."""
    asked = [
        (index, blocker_request)
        for index, row in before.items()
        if row.at is not None and (blocker_request := _blocker_request(settlements[index]))
    ]
    if not asked:
        return {}
    keys = [(*blocker_request.key, before[index].at) for index, blocker_request in asked]
    rows = await db.read("read_past_waits", _WAITED, jobs=batch(keys))
    return {asked[row.index][0]: row for row in rows}


def _blocker_request(item: Settlement) -> BlockerRequest | None:
    given, lease = blocker_source(item.outcome), item.job.lease
    return blocker_request((lease.chain_id, lease.position), given) if given else None


class SettlePlan:
    """What a batch of settlements writes, and says that it did."""

    def __init__(self, at: int, queue_heads: dict[str, QueuePosition]) -> None:
        self.made: list[Transition] = []
        self.claimed_successor: dict[str, Claimed] = {}
        self.waited_on: list[str] = []
        self.waiting: list[tuple[Settlement, BlockerRequest]] = []
        self.repeated: defaultdict[int, list[str]] = defaultdict(list)
        self._at = at
        self._queue_heads = queue_heads
        self._closed: list[ClosedJob] = []
        self._chains: list[str] = []
        self._with_dedup = False
        self._jobs: list[tuple[object, ...]] = []
        self._advanced: list[tuple[object, ...]] = []
        self._attempts: list[tuple[object, ...]] = []
        self._back: list[tuple[object, ...]] = []

    def settle(self, item: Settlement, held: LeasedJob) -> SettleResult:
        """Take one outcome into the plan."""
        claimed_successor: Claimed | None = None
        match item.outcome:
            case Completes(output):
                self._close(item, held, Status.COMPLETED, output=output)
            case Fails(failure):
                self._close(item, held, Status.FAILED, failure=failure)
            case Continues(successor, claim):
                claimed_successor = self._keep(item, successor, claim) if claim else None
                self._continue(item, successor, claimed_successor)
            case Retries(delay, failure):
                self._put_back(item, delay, failure=failure)
            case Snoozes(delay):
                self._put_back(item, delay, given_back=1)
            case Releases() | Blocks():
                self._put_back(item, 0, given_back=1)
        if asked := _blocker_request(item):
            self.waiting.append((item, asked))
        else:
            self.made += transitions(item, self._at, claimed_successor=claimed_successor)
        return SettleResult.DONE

    def repeat(self, item: Settlement, before: JobState, waited: EarlierBlockers | None) -> SettleResult:
        """Answer for a lease that is not current: its own holder ended it before, or it is lost."""
        if before.verb is verb_of(item.outcome) and before.at is not None:
            claimed_successor = None
            if before.has_claimed_successor and isinstance(item.outcome, Continues) and item.outcome.claim_successor:
                claimed_successor = claimed_successor_of(
                    item, item.outcome.successor, item.outcome.claim_successor, before.at
                )
                self.claimed_successor[claimed_successor.lease.chain_id] = claimed_successor
            is_blocked = waited is not None and waited.is_blocked
            failed_with = waited.error_type if waited else None
            self.made += transitions(
                item, before.at, claimed_successor=claimed_successor, is_blocked=is_blocked, failed_with=failed_with
            )
            self.repeated[before.at].append(item.job.lease.chain_id)
            return SettleResult.DONE
        return SettleResult.CANCELLED if before.is_cancelled else SettleResult.LOST

    async def write(self, db: SqliteSession) -> None:
        """Write it all, a statement for each table that is touched."""
        at = self._at
        if self._attempts:
            await db.write("record_attempts", ended=batch(self._attempts), now=at)
        if self._back:
            await db.write("put_back", back=batch(self._back))
        if self._closed:
            await db.write("record_outcomes", closed=batch(self._closed), now=at)
        if self._advanced:
            await db.write("create_jobs", jobs=batch(self._jobs), now=at)
            await db.write("advance_chains", advanced=batch(self._advanced))
        if self._chains:
            await db.write("delete_open", chains=batch(self._chains))
        if self._with_dedup:
            await db.write("free_keys", chains=batch(self._chains))

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

    def _continue(self, item: Settlement, successor: Successor, claimed_successor: Claimed | None) -> None:
        lease = item.job.lease
        ended = ClosedJob(
            lease.chain_id, Status.CONTINUED, Verb.CONTINUE, trace=item.trace, by_holder=True, worker=item.worker
        )
        self._closed.append(ended)
        self._jobs.append(job_row(successor, lease.chain_id, lease.position + 1))
        self._advanced.append(advanced_row(successor, lease.chain_id, self._at, claimed_successor, item))
        if claimed_successor is None:
            self._note_ready(successor.type, self._queue_position(item, successor))

    def _keep(self, item: Settlement, successor: Successor, claim: ClaimSuccessor) -> Claimed | None:
        """The successor under lease, if it is due and first in its line."""
        position = self._queue_position(item, successor)
        head = self._queue_heads.get(successor.type, position)
        if position[1] > self._at or head < position or successor.blockers:
            return None
        claimed_successor = claimed_successor_of(item, successor, claim, self._at)
        self.claimed_successor[claimed_successor.lease.chain_id] = claimed_successor
        return claimed_successor

    def _queue_position(self, item: Settlement, successor: Successor) -> QueuePosition:
        """Where the successor stands in the line of its type."""
        return _priority(item, successor), due_at(successor, self._at), item.job.lease.chain_id

    def _note_ready(self, type: str, position: QueuePosition) -> None:
        """Let those that come later in the batch know who is ready before them."""
        if position[1] <= self._at:
            self._queue_heads[type] = min(self._queue_heads.get(type, position), position)

    def _put_back(self, item: Settlement, delay: float, *, failure: Failure | None = None, given_back: int = 0) -> None:
        chain_id = item.job.lease.chain_id
        error = (failure.type, failure.text) if failure else (None, None)
        self._attempts.append((chain_id, verb_of(item.outcome), *error, item.trace, item.worker))
        due = self._at + seconds_to_micros(max(delay, 0.0))
        self._back.append((chain_id, due, given_back, 0, item.trace))
        self._note_ready(item.job.type, (item.job.priority, due, chain_id))


def advanced_row(
    successor: Successor,
    chain_id: str,
    at: int,
    claimed_successor: Claimed | None = None,
    item: Settlement | None = None,
) -> tuple[object, ...]:
    """What the chain's hot row becomes."""
    row = chain_id, successor.type, successor.queue, successor.priority, due_at(successor, at)
    if claimed_successor is None or item is None:
        return *row, None, None, None, None, None
    claim = item.outcome.claim_successor if isinstance(item.outcome, Continues) else None
    deadline = at + seconds_to_micros(claim.timeout) if claim and claim.timeout is not None else None
    return *row, claimed_successor.lease.token, item.worker, at, to_micros(claimed_successor.leased_until), deadline
