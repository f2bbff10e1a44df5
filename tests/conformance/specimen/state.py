"""The state port over tables in memory. One writer at a time; readers see what is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from otelq.errors import InvalidArgument, NotFound, Refused, Unavailable
from otelq.model import (
    Amendment,
    AttemptRecord,
    ChainOutcome,
    ChainRecord,
    Claimed,
    ClaimRequest,
    Closure,
    Count,
    Created,
    JobKey,
    JobQuery,
    JobRecord,
    NewJob,
    Page,
    ReapRule,
    Renewal,
    Settled,
    Settlement,
    SettleResult,
    Transition,
)
from otelq.ports.state import Ending, StateAdapter, Transaction

from . import claiming, closing, moving, redriving, settling, starting, sweeping, unblocking
from .asking import Reader
from .statement import Statement
from .store import Store
from .transaction import Joined, MemoryTransaction
from .values import check_amendment, check_job, check_outcome

_begun: ContextVar[tuple[MemoryTransaction, ...]] = ContextVar("tests.specimen.begun", default=())
"""The transactions that this task, or one that started it, has begun; some may have ended since."""


class MemoryState(StateAdapter):
    """Keeps jobs in this process, for as long as the object lives; closing and opening it loses nothing."""

    name = "memory"

    def __init__(self) -> None:
        self._store = Store()
        self._writer: asyncio.Lock | None = None

    # Life

    async def open(self, *, migrate: bool = True) -> None:
        self._writer = asyncio.Lock()

    async def close(self) -> None:
        self._writer = None

    def sibling(self) -> StateAdapter | None:
        return None

    # Transactions

    def begin(self, kind: type | None = None) -> AbstractAsyncContextManager[Transaction]:
        if kind not in (None, MemoryTransaction):
            raise InvalidArgument("kind", f"is {kind}; this store has MemoryTransaction only")
        return self._begin()

    def refuse_self_deadlock(self) -> None:
        if any(tx.active and tx.belongs_to(self._store) for tx in _begun.get()):
            raise InvalidArgument("tx", "is missing inside an open transaction, which would wait for itself; pass it")

    def join(self, tx: object) -> Transaction:
        if not isinstance(tx, MemoryTransaction):
            raise InvalidArgument("tx", f"is {type(tx).__name__}; give a transaction that this store began")
        return Joined(self._own(tx))

    async def were_committed(self, transitions: Sequence[Transition]) -> Sequence[bool | None]:
        reader = self._reader(None)
        return [reader.holds(made) for made in transitions]

    # The client's verbs

    async def create(
        self,
        jobs: Sequence[NewJob],
        *,
        tx: Transaction | None = None,
        again: bool = False,
        now: datetime | None = None,
    ) -> tuple[Sequence[Created], Sequence[Transition]]:
        for job in jobs:
            check_job(job)
        async with self._statement(tx, now) as statement:
            created = [starting.create(statement, job, again=again) for job in jobs]
        return created, statement.made

    async def complete_externally(
        self, closures: Sequence[Closure], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        for closure in closures:
            check_outcome(closure.outcome)
        async with self._statement(tx, now) as statement:
            for closure in closures:
                closing.complete_externally(statement, closure)
            unblocking.follow(statement)
        return statement.made

    async def trigger(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        async with self._statement(tx, now) as statement:
            for chain_id in chain_ids:
                moving.trigger(statement, chain_id)
        return statement.made

    async def cancel(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        async with self._statement(tx, now) as statement:
            for chain_id in dict.fromkeys(chain_ids):
                closing.cancel(statement, chain_id)
            unblocking.follow(statement)
        return statement.made

    async def redrive(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        async with self._statement(tx, now) as statement:
            redriving.redrive(statement, dict.fromkeys(chain_ids).keys())
        return statement.made

    async def amend(
        self, amendments: Sequence[Amendment], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        for amendment in amendments:
            check_amendment(amendment)
        async with self._statement(tx, now) as statement:
            for amendment in amendments:
                moving.amend(statement, amendment)
        return statement.made

    async def take_over(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        async with self._statement(tx, now) as statement:
            for chain_id in dict.fromkeys(chain_ids):
                moving.take_over(statement, chain_id)
        return statement.made

    async def lock(self, chain_ids: Sequence[str], *, tx: Transaction) -> Sequence[JobRecord]:
        reader = self._reader(tx)  # nobody else writes while a transaction is open
        return [reader.open_job(chain_id) for chain_id in chain_ids]

    async def delete(
        self,
        chain_ids: Sequence[str],
        *,
        cascade: bool = False,
        tx: Transaction | None = None,
        now: datetime | None = None,
    ) -> Sequence[Transition]:
        async with self._statement(tx, now) as statement:
            known = dict.fromkeys(chain_ids).keys()
            closing.delete(statement, closing.with_blockers(statement, known) if cascade else known)
        return statement.made

    # The worker's verbs

    async def claim(
        self,
        requests: Sequence[ClaimRequest],
        *,
        worker: str,
        token: int,
        include_suspect: bool = True,
        now: datetime | None = None,
    ) -> tuple[Sequence[Claimed], Sequence[Transition]]:
        claimed: list[Claimed] = []
        async with self._statement(None, now) as statement:
            for arm in requests:
                suspects = include_suspect and not any(job.crashes for job in claimed)
                claimed += claiming.claim(statement, arm, worker=worker, token=token, suspects=suspects)
        return claimed, statement.made

    async def release_claim(self, token: int, *, now: datetime | None = None) -> Sequence[Transition]:
        async with self._statement(None, now) as statement:
            claiming.release_claim(statement, token=token)
        return statement.made

    async def renew(self, renewals: Sequence[Renewal], *, now: datetime | None = None) -> Sequence[SettleResult]:
        at = _clock(now)
        return [self._renew(renewal, at) for renewal in renewals]

    async def settle(
        self, settlements: Sequence[Settlement], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Settled:
        for settlement in settlements:
            check_outcome(settlement.outcome)
        kept: dict[str, Claimed] = {}
        async with self._statement(tx, now) as statement:
            verdicts = _settle(statement, settlements, kept)
        return Settled(results=verdicts, transitions=tuple(statement.made), claimed_successors=kept)

    async def reap(
        self,
        rules: Sequence[ReapRule],
        *,
        except_tokens: Collection[int] = (),
        limit: int = 1000,
        now: datetime | None = None,
    ) -> Sequence[Transition]:
        async with self._statement(None, now) as statement:
            sweeping.reap(statement, rules, spare=except_tokens, limit=limit)
        return statement.made

    async def expire(self, *, limit: int = 1000, now: datetime | None = None) -> Sequence[Transition]:
        async with self._statement(None, now) as statement:
            sweeping.expire(statement, limit=limit)
        return statement.made

    async def unblock_pending(self, *, limit: int = 1000, now: datetime | None = None) -> Sequence[Transition]:
        async with self._statement(None, now) as statement:
            unblocking.unblock_pending(statement, limit=limit)
        return statement.made

    async def next_due(self, types: Sequence[str], *, now: datetime | None = None) -> float | None:
        at = _clock(now)
        due = [earliest for type in types if (earliest := self._store.earliest(type, now=at))]
        return max((min(due) - at).total_seconds(), 0.0) if due else None

    # Questions

    async def outcomes(self, chain_ids: Sequence[str], *, tx: Transaction | None = None) -> Mapping[str, ChainOutcome]:
        reader = self._reader(tx)
        found = ((chain_id, reader.outcome(chain_id)) for chain_id in chain_ids)
        return {chain_id: outcome for chain_id, outcome in found if outcome}

    async def blocker_outputs(self, jobs: Sequence[JobKey]) -> Mapping[JobKey, Sequence[ChainOutcome]]:
        reader = self._reader(None)
        return {job: outcomes for job in jobs if (outcomes := reader.blocker_outputs(job))}

    async def jobs(self, query: JobQuery, *, tx: Transaction | None = None) -> Page[JobRecord]:
        return self._reader(tx).jobs(query)

    async def chains(self, query: JobQuery, *, tx: Transaction | None = None) -> Page[ChainRecord]:
        return self._reader(tx).chains(query)

    async def count(self, query: JobQuery, *, of: Literal["jobs", "chains"]) -> Count:
        return self._reader(None).count(query, of=of)

    async def attempts(self, chain_id: str, position: int) -> Sequence[AttemptRecord]:
        return self._reader(None).attempts(chain_id, position)

    async def truncate_all(self) -> None:
        async with self._alone():
            self._store = Store()

    # Within

    @asynccontextmanager
    async def _begin(self) -> AsyncGenerator[Transaction]:
        async with self._alone():
            tx = MemoryTransaction(self._store)
            outer = _begun.get()
            _begun.set((*outer, tx))
            try:
                yield Joined(tx)
            except BaseException:
                tx.end(Ending.ROLLED_BACK)
                raise
            else:
                tx.end(Ending.COMMITTED)
            finally:
                _begun.set(outer)

    @asynccontextmanager
    async def _statement(self, tx: Transaction | None, now: datetime | None) -> AsyncGenerator[Statement]:
        """One statement, all or nothing: in ``tx``, or committed at the end."""
        if tx is not None:
            async with self._own(tx.handle).savepoint():
                yield Statement(self._store, _clock(now))
            return
        async with self._alone():
            try:
                yield Statement(self._store, _clock(now))
            except BaseException:
                self._store.rollback()
                raise
            self._store.commit()

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        self.refuse_self_deadlock()
        if self._writer is None:
            raise Unavailable("the specimen is not open")
        async with self._writer:
            yield

    def _own(self, tx: object) -> MemoryTransaction:
        if not (isinstance(tx, MemoryTransaction) and tx.belongs_to(self._store)):
            raise InvalidArgument("tx", "belongs to another store")
        if not tx.active:
            raise InvalidArgument("tx", "has ended; begin another")
        return tx

    def _reader(self, tx: Transaction | None) -> Reader:
        if tx is not None:
            self._own(tx.handle)
        return Reader(self._store, _clock(None), inside=tx is not None)

    def _renew(self, renewal: Renewal, now: datetime) -> SettleResult:
        """Extend one lease at once, beside an open transaction if there is one."""
        lease = renewal.lease
        if self._store.open.is_touched(lease.chain_id):
            return SettleResult.BUSY
        row = self._store.open.get(lease.chain_id)
        if row is None or (row.position, row.token) != (lease.position, lease.token):
            return settling.lost(Statement(self._store, now), lease)
        if row.deadline is not None and row.deadline <= now:
            return SettleResult.LOST
        until = now + timedelta(seconds=renewal.seconds)
        extended = replace(row, leased_until=until if row.deadline is None else min(until, row.deadline))
        self._store.open.put_past(lease.chain_id, extended)
        return SettleResult.DONE


def _settle(
    statement: Statement, settlements: Sequence[Settlement], kept: dict[str, Claimed]
) -> tuple[SettleResult, ...]:
    """Settle a batch, and refuse it whole where one of its outcomes names blockers that it cannot have."""
    try:
        return tuple(settling.settle(statement, settlement, kept=kept) for settlement in settlements)
    except (NotFound, InvalidArgument) as error:
        raise Refused(str(error)) from error


def _clock(now: datetime | None) -> datetime:
    return now or datetime.now(UTC)
