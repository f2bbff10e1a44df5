"""Outcomes of attempts, stored under their leases."""

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
    """A lease that is current: its index in the batch, and what closing the chain has to touch."""

    index: int
    waited_on: int
    has_dedup: int


class PastSettlement(Struct, frozen=True, array_like=True, gc=False):
    """The end of a lease that is not current."""

    index: int
    verb: Verb | None
    at: int | None
    has_claimed_successor: int
    is_cancelled: int | None


class PastWait(Struct, frozen=True, array_like=True):
    """The wait of a job that a past settlement blocked: how many blockers it had, and why it failed."""

    index: int
    current: int
    error_type: str | None

    @property
    def is_blocked(self) -> bool:
        return self.current > 0 or self.error_type is not None


_CURRENT = Decoder(list[LeasedJob])
_PAST_WAITS = Decoder(list[PastWait])
_PAST = Decoder(list[PastSettlement])
QueuePosition: TypeAlias = tuple[int, int, str]
_QUEUE_HEADS = Decoder(list[tuple[str, int, int, str]])


async def settle(db: SqliteSession, at: int, *, settlements: Sequence[Settlement]) -> Settled:
    """Store the outcomes whose leases are current. For other leases, answer from what was stored before."""
    for item in settlements:
        check_outcome(item.outcome)
    # The write lock is held from here to the commit: a lease that is current now stays current.
    leases = [_lease(item) for item in settlements]
    current = {row.index: row for row in await db.read("find_current_leases", _CURRENT, leases=batch(leases))}
    plan = SettlePlan(at, await _queue_heads(db, at, settlements))
    others = [index for index in range(len(leases)) if index not in current]
    past = await _past_settlements(db, leases, others) if others else {}
    past_wait = await _past_waits(db, settlements, past)
    results: dict[Lease, SettleResult] = {}
    for index, item in enumerate(settlements):
        # If a lease is in the batch twice, the first outcome counts.
        if item.job.lease not in results:
            result = (
                plan.settle(item, current[index])
                if index in current
                else plan.repeat(item, past[index], past_wait.get(index))
            )
            results[item.job.lease] = result
    await plan.write(db)
    plan.transitions += await _wait(db, at, plan)
    # In the same commit as the end of the chains. Otherwise a crash in between would leave dependents blocked for ever.
    plan.transitions += await unblock_dependents(db, at, plan.waited_on)
    # A repeated call reports what the first one did to dependents, as its reply was lost.
    for closed_at, chains in plan.repeated.items():
        plan.transitions += await past_unblocks(db, closed_at, chains)
    in_order = tuple(results[item.job.lease] for item in settlements)
    return Settled(results=in_order, transitions=tuple(plan.transitions), claimed_successors=plan.claimed_successors)


async def _wait(db: SqliteSession, at: int, plan: SettlePlan) -> list[Transition]:
    """Block the jobs that got blockers. By now everything else that the batch closes is closed."""
    if not plan.blocked:
        return []
    requests = [request for _, request in plan.blocked]
    try:
        decisions = await block(db, at, requests)
    except (NotFound, InvalidArgument) as error:
        raise Refused(str(error)) from error
    plan.waited_on += [
        request.chain_id for request, decision in zip(requests, decisions, strict=True) if decision.failure
    ]
    return [
        transition
        for (item, _), decision in zip(plan.blocked, decisions, strict=True)
        for transition in _settlement_transitions(
            item, at, is_blocked=decision.is_blocked, failed_with=decision.failed_with
        )
    ]


def _settlement_transitions(
    item: Settlement,
    at: int,
    *,
    claimed: Claimed | None = None,
    is_blocked: bool = False,
    failed_with: str | None = None,
) -> list[Transition]:
    """Return the transitions of one settlement at ``at``, without those of other chains."""
    due = to_datetime(_run_at(item, at))
    return outcomes.transitions_of(
        item,
        at=to_datetime(at),
        run_at=due,
        claimed_successor=claimed,
        is_blocked=is_blocked,
        failed_with=failed_with,
    )


def _run_at(item: Settlement, at: int) -> int:
    """Return when the job, or its successor, runs next."""
    match item.outcome:
        case Completes() | Fails():
            return at
        case Continues(successor):
            return due_at(successor, at)
        case outcome:
            return at + seconds_to_micros(delay_of(outcome))


def blocker_request(key: JobKey, given: BlockerSource) -> BlockerRequest:
    """Return the request for a job, or its successor, to wait."""
    chain_id, position = key
    waits_at = position if isinstance(given, Blocks) else position + 1
    return BlockerRequest(chain_id, waits_at, tuple(dict.fromkeys(given.blockers)), rule_of(given))


def claimed_successor_of(item: Settlement, successor: Successor, claim: ClaimSuccessor, at: int) -> Claimed:
    """Return the successor that the same worker claims at ``at``."""
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
    """Return the successor's priority: its own, or that of the job before it."""
    return item.job.priority if successor.priority is None else successor.priority


def _lease(item: Settlement) -> tuple[str, int, int, int | None]:
    lease, claim = item.job.lease, _successor_claim(item)
    return lease.chain_id, lease.position, lease.token, claim.token if claim else None


def _successor_claim(item: Settlement) -> ClaimSuccessor | None:
    return item.outcome.claim_successor if isinstance(item.outcome, Continues) else None


async def _queue_heads(db: SqliteSession, at: int, settlements: Sequence[Settlement]) -> dict[str, QueuePosition]:
    """Return the first ready job of each type whose successors workers want to claim."""
    types = {
        item.outcome.successor.type
        for item in settlements
        if isinstance(item.outcome, Continues) and item.outcome.claim_successor
    }
    if not types:
        return {}
    heads: dict[str, QueuePosition] = {}
    for type, priority, run_at, chain_id in await db.read(
        "find_queue_heads", _QUEUE_HEADS, types=batch(list(types)), now=at
    ):
        position = priority, run_at, chain_id
        heads[type] = min(heads.get(type, position), position)
    return heads


async def _past_settlements(
    db: SqliteSession, leases: Sequence[tuple[str, int, int, int | None]], others: Sequence[int]
) -> dict[int, PastSettlement]:
    rows = await db.read("read_past_settlements", _PAST, leases=batch([leases[index] for index in others]))
    return {others[row.index]: row for row in rows}


async def _past_waits(
    db: SqliteSession, settlements: Sequence[Settlement], past: dict[int, PastSettlement]
) -> dict[int, PastWait]:
    """Return how jobs with blockers fared in the commit that settled them."""
    request = [
        (index, blocker_request)
        for index, row in past.items()
        if row.at is not None and (blocker_request := _blocker_request(settlements[index]))
    ]
    if not request:
        return {}
    keys = [(*blocker_request.key, past[index].at) for index, blocker_request in request]
    rows = await db.read("read_past_waits", _PAST_WAITS, jobs=batch(keys))
    return {request[row.index][0]: row for row in rows}


def _blocker_request(item: Settlement) -> BlockerRequest | None:
    given, lease = blocker_source(item.outcome), item.job.lease
    return blocker_request((lease.chain_id, lease.position), given) if given else None


class SettlePlan:
    """The rows that a batch of settlements writes, and the transitions that it reports."""

    def __init__(self, at: int, queue_heads: dict[str, QueuePosition]) -> None:
        self.transitions: list[Transition] = []
        self.claimed_successors: dict[str, Claimed] = {}
        self.waited_on: list[str] = []
        self.blocked: list[tuple[Settlement, BlockerRequest]] = []
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

    def settle(self, item: Settlement, current: LeasedJob) -> SettleResult:
        """Add one outcome to the plan."""
        claimed: Claimed | None = None
        match item.outcome:
            case Completes(output):
                self._close(item, current, Status.COMPLETED, output=output)
            case Fails(failure):
                self._close(item, current, Status.FAILED, failure=failure)
            case Continues(successor, claim):
                # Claimed or not, the successor takes the open row of the chain in this commit.
                claimed = self._claim_successor(item, successor, claim) if claim else None
                self._continue(item, successor, claimed)
            case Retries(delay, failure):
                self._put_back(item, delay, failure=failure)
            case Snoozes(delay, failure):
                self._put_back(item, delay, failure=failure, given_back=1)
            case Releases() | Blocks():
                self._put_back(item, 0, given_back=1)
        # Blockers are decided after the whole batch is written, because it may close some of them.
        if request := _blocker_request(item):
            self.blocked.append((item, request))
        else:
            self.transitions += _settlement_transitions(item, self._at, claimed=claimed)
        return SettleResult.DONE

    def repeat(self, item: Settlement, past: PastSettlement, past_wait: PastWait | None) -> SettleResult:
        """Answer for a lease that is not current: the same call settled it before, or it is lost."""
        # A lease is settled once. The same verb under the same token is this very call, sent again after a lost reply.
        if past.verb is verb_of(item.outcome) and past.at is not None:
            claimed = None
            if past.has_claimed_successor and isinstance(item.outcome, Continues) and item.outcome.claim_successor:
                claimed = claimed_successor_of(item, item.outcome.successor, item.outcome.claim_successor, past.at)
                self.claimed_successors[claimed.lease.chain_id] = claimed
            is_blocked = past_wait is not None and past_wait.is_blocked
            failed_with = past_wait.error_type if past_wait else None
            self.transitions += _settlement_transitions(
                item, past.at, claimed=claimed, is_blocked=is_blocked, failed_with=failed_with
            )
            self.repeated[past.at].append(item.job.lease.chain_id)
            return SettleResult.DONE
        return SettleResult.CANCELLED if past.is_cancelled else SettleResult.LOST

    async def write(self, db: SqliteSession) -> None:
        """Write the plan, one statement for each table."""
        at = self._at
        # Attempts and outcomes copy the open rows, so they are written before those are changed or deleted.
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
        current: LeasedJob,
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
        self._with_dedup = self._with_dedup or bool(current.has_dedup)
        if current.waited_on:
            self.waited_on.append(chain_id)

    def _continue(self, item: Settlement, successor: Successor, claimed: Claimed | None) -> None:
        lease = item.job.lease
        ended = ClosedJob(
            lease.chain_id, Status.CONTINUED, Verb.CONTINUE, trace=item.trace, by_holder=True, worker=item.worker
        )
        self._closed.append(ended)
        self._jobs.append(job_row(successor, lease.chain_id, lease.position + 1))
        self._advanced.append(advanced_row(successor, lease.chain_id, self._at, claimed, item))
        if claimed is None:
            self._note_ready(successor.type, self._queue_position(item, successor))

    def _claim_successor(self, item: Settlement, successor: Successor, claim: ClaimSuccessor) -> Claimed | None:
        """Return the successor under lease, if it is due and before all ready jobs of its type."""
        position = self._queue_position(item, successor)
        # Only at the head of the queue: a chain of many steps must not overtake chains that wait for a worker.
        head = self._queue_heads.get(successor.type, position)
        if position[1] > self._at or head < position or successor.blockers:
            return None
        claimed = claimed_successor_of(item, successor, claim, self._at)
        self.claimed_successors[claimed.lease.chain_id] = claimed
        return claimed

    def _queue_position(self, item: Settlement, successor: Successor) -> QueuePosition:
        """Return where the successor comes among the jobs of its type."""
        return _priority(item, successor), due_at(successor, self._at), item.job.lease.chain_id

    def _note_ready(self, type: str, position: QueuePosition) -> None:
        """Note a job that is ready, so that later successors of the batch do not overtake it."""
        if position[1] <= self._at:
            self._queue_heads[type] = min(self._queue_heads.get(type, position), position)

    def _put_back(self, item: Settlement, delay: float, *, failure: Failure | None = None, given_back: int = 0) -> None:
        chain_id = item.job.lease.chain_id
        error = (failure.type, failure.text) if failure else (None, None)
        # The attempt goes on record under its token, where a repeated call finds it.
        self._attempts.append((chain_id, verb_of(item.outcome), *error, item.trace, item.worker))
        due = self._at + seconds_to_micros(max(delay, 0.0))
        self._back.append((chain_id, due, given_back, 0, item.trace))
        self._note_ready(item.job.type, (item.job.priority, due, chain_id))


def advanced_row(
    successor: Successor,
    chain_id: str,
    at: int,
    claimed: Claimed | None = None,
    item: Settlement | None = None,
) -> tuple[object, ...]:
    """Return the new values of the chain's open row."""
    row = chain_id, successor.type, successor.queue, successor.priority, due_at(successor, at)
    if claimed is None or item is None:
        return *row, None, None, None, None, None
    claim = item.outcome.claim_successor if isinstance(item.outcome, Continues) else None
    deadline = at + seconds_to_micros(claim.timeout) if claim and claim.timeout is not None else None
    return *row, claimed.lease.token, item.worker, at, to_micros(claimed.leased_until), deadline
