"""
The kit of a conformance case: an adapter with short forms of its verbs, a clock to move, and demands.

The cases themselves are in ``state_cases``; ``cases`` runs them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Literal, TypeVar
from uuid import UUID

from otelq.model import (
    Amendment,
    ChainOutcome,
    Claimed,
    ClaimRequest,
    Closure,
    Completes,
    Continues,
    Count,
    Created,
    Failure,
    JobQuery,
    JobRecord,
    Lease,
    NewJob,
    Outcome,
    ReapRule,
    Renewal,
    Settled,
    Settlement,
    SettleResult,
    Status,
    Transition,
    Verb,
)
from otelq.ports.state import StateAdapter, Transaction
from otelq.transitions import is_legal

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Broken(AssertionError):
    """The adapter broke a promise; the text says which, what was expected and what was found."""


class Kit:
    """
    The kit of a case: the adapter, a clock that the case moves, and short forms of the verbs.

    The clock starts a day ago, so that what is due by it is due for the database too. Every transition that passes
    through is checked against the table of legal moves.
    """

    def __init__(self, adapter: StateAdapter) -> None:
        self.adapter = adapter
        self.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        self._made = 0

    # The clock, ids and tokens

    def wait(self, seconds: float) -> None:
        """Move the clock."""
        self.now += timedelta(seconds=seconds)

    def after(self, seconds: float) -> datetime:
        """Return the time in so many seconds."""
        return self.now + timedelta(seconds=seconds)

    def id(self) -> str:
        """Return a new UUIDv7, greater than those before."""
        self._made += 1
        milliseconds = (self.now - _EPOCH) // timedelta(milliseconds=1)
        return str(UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | self._made))

    def token(self) -> int:
        """Return a new token."""
        self._made += 1
        return self._made

    # Starting

    def job(self, type: str = "work", input: str = "1", **fields: Any) -> NewJob:
        """Return a request to start a chain, not yet sent."""
        return NewJob(chain_id=fields.pop("chain_id", None) or self.id(), type=type, input=input, **fields)

    async def create(
        self, *jobs: NewJob, again: bool = False, tx: Transaction | None = None
    ) -> tuple[Sequence[Created], Sequence[Transition]]:
        created, made = await self.adapter.create(jobs, resent=again, tx=tx, now=self.now)
        equal(len(created), len(jobs), "create answers each job")
        return created, self._checked(made)

    async def start(self, type: str = "work", input: str = "1", *, tx: Transaction | None = None, **fields: Any) -> str:
        """Start one chain and return its id."""
        job = self.job(type, input, **fields)
        created, _ = await self.create(job, tx=tx)
        equal(created[0], Created(chain_id=job.chain_id), "what create says of a new chain")
        return job.chain_id

    # Working

    async def claim(
        self, type: str = "work", limit: int = 1, *, lease: float = 30, timeout: float | None = None, **call: Any
    ) -> Sequence[Claimed]:
        """Claim with one arm."""
        return (await self.claim_arms(ClaimRequest(type=type, limit=limit, lease=lease, timeout=timeout), **call))[0]

    async def claim_arms(
        self, *arms: ClaimRequest, worker: str = "worker", token: int | None = None, suspect: bool = True
    ) -> tuple[Sequence[Claimed], Sequence[Transition]]:
        claimed, made = await self.adapter.claim(
            arms, worker=worker, token=token or self.token(), include_suspect=suspect, now=self.now
        )
        keys = sorted((job.lease.chain_id, job.lease.position) for job in claimed)
        equal(sorted(_keys(made, Verb.CLAIM)), keys, "claim returns a transition for each job and no other")
        return claimed, self._checked(made)

    async def lease(self, type: str = "work", **call: Any) -> Claimed:
        """Claim the one job that must be ready."""
        claimed = await self.claim(type, **call)
        equal(len(claimed), 1, f"jobs claimed of the type {type!r}")
        return claimed[0]

    async def settle(
        self, job: Claimed, outcome: Outcome, *, worker: str = "worker", trace: str | None = None
    ) -> Settled:
        """Settle one job, whatever the result."""
        return await self.settle_all(Settlement(job, outcome, worker, trace))

    async def settle_all(self, *settlements: Settlement, tx: Transaction | None = None) -> Settled:
        settled = await self.adapter.settle(settlements, tx=tx, now=self.now)
        equal(len(settled.results), len(settlements), "settle answers each item")
        self._checked(settled.transitions)
        return settled

    async def done(self, job: Claimed, outcome: Outcome | None = None, **call: Any) -> Sequence[Transition]:
        """Settle one job and expect that it was written."""
        settled = await self.settle(job, outcome or Completes("1"), **call)
        equal(settled.results, (SettleResult.DONE,), "the verdict on a held lease")
        return settled.transitions

    async def close(self, type: str = "work", outcome: Outcome | None = None) -> Sequence[Transition]:
        """Claim the next job of a type and complete it, or settle it otherwise."""
        return await self.done(await self.lease(type), outcome)

    async def renew(self, *leases: Lease, seconds: float = 30) -> Sequence[SettleResult]:
        verdicts = await self.adapter.renew([Renewal(lease, seconds) for lease in leases], now=self.now)
        equal(len(verdicts), len(leases), "renew answers each lease")
        return verdicts

    async def reap(
        self,
        type: str = "work",
        *,
        max_attempts: int | None = 10,
        max_crashes: int = 5,
        delay: float = 0,
        **call: Any,
    ) -> Sequence[Transition]:
        """Reap with one rule."""
        rule = ReapRule(type=type, max_attempts=max_attempts, max_crashes=max_crashes, delay=delay)
        return self._checked(await self.adapter.reap([rule], now=self.now, **call))

    async def release_claim(self, token: int) -> Sequence[Transition]:
        return self._checked(await self.adapter.release_claim(token, now=self.now))

    async def unblock_pending(self, limit: int = 1000) -> Sequence[Transition]:
        made = self._checked(await self.adapter.unblock_pending(limit=limit, now=self.now))
        true(len(made) <= limit, f"unblock_pending(limit={limit}) made {len(made)} transitions")
        return made

    async def expire(self, limit: int = 1000) -> Sequence[Transition]:
        made = self._checked(await self.adapter.expire(limit=limit, now=self.now))
        true(len(chains(made, Verb.EXPIRE)) <= limit, f"expire(limit={limit}) expired more")
        return made

    async def next_due(self, *types: str) -> float | None:
        return await self.adapter.next_due(types or ("work",), now=self.now)

    async def next_maintenance(self, *types: str, except_tokens: Collection[int] = ()) -> float | None:
        return await self.adapter.next_maintenance(types or ("work",), except_tokens=except_tokens, now=self.now)

    # Acting from outside

    async def complete_externally(
        self,
        chain_id: str,
        outcome: Completes | Continues | None = None,
        *,
        step: str = "work",
        tx: Transaction | None = None,
    ) -> Sequence[Transition]:
        """Close one chain's open job."""
        return await self.complete_all_externally((chain_id, step, outcome or Completes("1")), tx=tx)

    async def complete_all_externally(
        self, *closures: tuple[str, str, Completes | Continues], tx: Transaction | None = None
    ) -> Sequence[Transition]:
        given = [Closure(chain_id=chain_id, step=step, outcome=outcome) for chain_id, step, outcome in closures]
        return self._checked(await self.adapter.complete_externally(given, tx=tx, now=self.now))

    async def trigger(self, *chain_ids: str, tx: Transaction | None = None) -> Sequence[Transition]:
        return self._checked(await self.adapter.trigger(chain_ids, tx=tx, now=self.now))

    async def cancel(self, *chain_ids: str, tx: Transaction | None = None) -> Sequence[Transition]:
        return self._checked(await self.adapter.cancel(chain_ids, tx=tx, now=self.now))

    async def delete(
        self, *chain_ids: str, cascade: bool = False, tx: Transaction | None = None
    ) -> Sequence[Transition]:
        return self._checked(await self.adapter.delete(chain_ids, cascade=cascade, tx=tx, now=self.now))

    async def redrive(self, *chain_ids: str, tx: Transaction | None = None) -> Sequence[Transition]:
        return self._checked(await self.adapter.redrive(chain_ids, tx=tx, now=self.now))

    async def take_over(self, *chain_ids: str, tx: Transaction | None = None) -> Sequence[Transition]:
        return self._checked(await self.adapter.take_over(chain_ids, tx=tx, now=self.now))

    async def amend(self, chain_id: str, *, tx: Transaction | None = None, **fields: Any) -> Sequence[Transition]:
        """Change one chain's open job."""
        return await self.amend_all(Amendment(chain_id=chain_id, **fields), tx=tx)

    async def amend_all(self, *amendments: Amendment, tx: Transaction | None = None) -> Sequence[Transition]:
        return self._checked(await self.adapter.amend(amendments, tx=tx, now=self.now))

    # Asking

    async def outcome(self, chain_id: str, *, tx: Transaction | None = None) -> ChainOutcome:
        """Return the outcome of a chain that must exist."""
        outcomes = await self.adapter.outcomes([chain_id], tx=tx)
        true(chain_id in outcomes, f"outcomes leaves out chain {chain_id}, which exists")
        return outcomes[chain_id]

    async def exists(self, chain_id: str, *, tx: Transaction | None = None) -> bool:
        return chain_id in await self.adapter.outcomes([chain_id], tx=tx)

    async def status(self, chain_id: str, *, tx: Transaction | None = None) -> Status:
        return (await self.outcome(chain_id, tx=tx)).status

    async def records(self, chain_id: str) -> list[JobRecord]:
        """Return all jobs of one chain, as stored."""
        return (await self.adapter.jobs(JobQuery(chain_ids=(chain_id,), limit=1000))).items

    async def count(self, of: Literal["jobs", "chains"], **query: Any) -> Count:
        """Return how many pass the filters."""
        return await self.adapter.count(JobQuery(**query), of=of)

    async def blockers(self, chain_id: str, position: int = 0) -> list[str]:
        """Return the blockers of one job, in the order in which they were given."""
        answer = await self.adapter.blocker_outputs([(chain_id, position)])
        return [one.chain_id for one in answer.get((chain_id, position), ())]

    async def tail(self, chain_id: str) -> JobRecord:
        """Return the last job of a chain that must exist."""
        records = await self.records(chain_id)
        true(bool(records), f"jobs finds nothing of chain {chain_id}, which exists")
        return records[-1]

    def _checked(self, made: Sequence[Transition]) -> Sequence[Transition]:
        for transition in made:
            self._check(transition)
        return made

    def _check(self, made: Transition) -> None:
        move = f"{made.verb} from {made.source} to {made.target}"
        true(is_legal(made.verb, made.source, made.target), f"illegal transition: {move}")
        for name in ("at", "created_at", "chain_created_at"):
            moment = getattr(made, name)
            true(moment.utcoffset() == timedelta(0), f"{name} of {move} is {moment}, which is not UTC")
            true(moment <= self.now, f"{name} of {move} is {moment}, later than the statement's {self.now}")


# What a case demands


def true(condition: bool, problem: str) -> None:
    """
    Demand a condition.

    Raises:
        Broken: it is false; ``problem`` says what is wrong then.
    """
    if not condition:
        raise Broken(problem)


def equal(found: object, expected: object, what: str) -> None:
    """
    Demand a value.

    Raises:
        Broken: ``found`` is another.
    """
    true(found == expected, f"{what}: expected {expected!r}, found {found!r}")


class raises:
    """
    Demand that the block raises ``error``.

    Raises:
        Broken: it raised nothing. Another error passes through.
    """

    def __init__(self, error: type[Exception], what: str) -> None:
        self._error = error
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        true(kind is not None, f"{self._what}: expected {self._error.__name__}, and nothing was raised")
        return isinstance(error, self._error)


def moves(made: Sequence[Transition]) -> list[tuple[Verb, Status | None, Status | None]]:
    """Return the transitions without their subjects, for comparing."""
    return [(transition.verb, transition.source, transition.target) for transition in made]


def chains(made: Sequence[Transition], verb: Verb) -> list[str]:
    """Return the chains that a verb moved, in the order of the transitions."""
    return [transition.chain_id for transition in made if transition.verb is verb]


def ids(claimed: Sequence[Claimed]) -> list[str]:
    """Return the chains of claimed jobs, in order."""
    return [job.lease.chain_id for job in claimed]


def patience_of(kit: Kit) -> float:
    """Return seconds to wait for a lock: few on stores that lock the whole database, where waiting is in vain."""
    return 5.0 if kit.adapter.name == "postgresql" else 0.2


async def before_the_end(work: Coroutine[Any, Any, T], *, patience: float = 0.2) -> asyncio.Task[T]:
    """
    Start work that may have to wait for a lock, as another process would, and let it get as far as it can.

    It gets ``patience`` seconds, or fewer if it needs fewer: give many where it must not wait, for a slow machine.
    """
    task = asyncio.get_running_loop().create_task(work, context=Context())
    await asyncio.wait([task], timeout=patience)
    return task


class Abandoned(Exception):
    """Raised to end a transaction on purpose."""


@asynccontextmanager
async def abandoned(kit: Kit) -> AsyncGenerator[Transaction]:
    """Begin a transaction that is rolled back."""
    with raises(Abandoned, "leaving the transaction"):
        async with kit.adapter.begin() as tx:
            yield tx
            raise Abandoned


FAILURE = Failure("builtins.ValueError", "the text of the error")
"""A failure to settle with."""


def _keys(made: Sequence[Transition], verb: Verb) -> list[tuple[str, int]]:
    return [(transition.chain_id, transition.position) for transition in made if transition.verb is verb]
