"""The state port on PostgreSQL: each verb, with its transaction and its rule for retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, TypeVar

from ..errors import Forbidden, OtelqError
from ..model import (
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
    Leadership,
    NewJob,
    Page,
    ReapRule,
    Renewal,
    Settled,
    Settlement,
    SettleResult,
    Transition,
    WorkerBeat,
    WorkerRecord,
)
from ..ports.notify import NotifyAdapter
from ..ports.state import StateAdapter, Transaction
from . import amend, claim, close, delete, pages, reads, redrive, registry, settle, start, unblock
from . import migrate as schema
from .database import PostgresDatabase, PostgresSession
from .errors import opening_failure
from .rights import naming_grants, with_grants

T = TypeVar("T")


class PostgresState(StateAdapter):
    """Jobs in one schema of a PostgreSQL database."""

    name = "postgresql"

    def __init__(
        self,
        database: PostgresDatabase,
        *,
        sibling: Callable[[], StateAdapter | None],
        notifier: Callable[[], NotifyAdapter | None],
        was_open: bool = False,
    ) -> None:
        self._database = database
        self._sibling = sibling
        self._notifier = notifier
        self._was_open = was_open
        """True once this or the adapter of which it is a sibling was open: login and schema were right then."""

    # Life

    async def open(self, *, migrate: bool = True) -> None:
        try:
            await self._database.open()
            await (schema.migrate if migrate else schema.check)(self._database)
        except Forbidden as error:
            text = await with_grants(str(error), self._database)
            await self._database.close()
            raise (Forbidden if self._was_open else OtelqError)(text) from error.__cause__
        except OtelqError as error:
            await self._database.close()
            raise opening_failure(error, was_open=self._was_open) from error.__cause__
        except BaseException:
            await self._database.close()
            raise
        self._was_open = True

    async def close(self) -> None:
        await self._database.close()

    def sibling(self) -> StateAdapter | None:
        return self._sibling()

    def notifier(self) -> NotifyAdapter | None:
        return self._notifier()

    # Transactions

    def begin(self, kind: type | None = None) -> AbstractAsyncContextManager[Transaction]:
        return self._database.begin(kind)

    def join(self, tx: object) -> Transaction:
        return self._database.join(tx)

    async def were_committed(self, transitions: Sequence[Transition]) -> Sequence[bool | None]:
        return await self._ask(lambda session: reads.were_committed(session, transitions), None)

    # The client's verbs

    async def create(
        self,
        jobs: Sequence[NewJob],
        *,
        tx: Transaction | None = None,
        resent: bool = False,
        now: datetime | None = None,
    ) -> tuple[Sequence[Created], Sequence[Transition]]:
        if not start.is_plain(jobs):
            return await self._write(
                lambda session: start.create_constrained(session, jobs, resent=resent),
                tx,
                now,
                again=resent,
                savepoint=True,
            )
        # Not in a caller's transaction: an id that exists would abort it.
        if tx is None and not resent and _are_distinct(jobs):
            try:
                return await self._database.run(
                    lambda session: start.create_fresh(session, jobs), now=now, atomic=start.is_large(jobs)
                )
            except start.SomeExist:
                pass
        return await self._write(
            lambda session: start.create_plain(session, jobs, resent=resent), tx, now, again=resent
        )

    async def complete_externally(
        self, closures: Sequence[Closure], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._close(lambda session: close.complete_externally(session, closures), tx, now)

    async def trigger(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._write(lambda session: amend.trigger(session, chain_ids), tx, now)

    async def cancel(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._close(lambda session: close.cancel(session, chain_ids), tx, now)

    async def redrive(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._write(lambda session: redrive.redrive(session, chain_ids), tx, now, savepoint=True)

    async def amend(
        self, amendments: Sequence[Amendment], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._write(lambda session: amend.amend(session, amendments), tx, now, savepoint=True)

    async def take_over(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._write(lambda session: amend.take_over(session, chain_ids), tx, now)

    async def lock(self, chain_ids: Sequence[str], *, tx: Transaction) -> Sequence[JobRecord]:
        return await self._database.run_in(tx, lambda session: amend.lock(session, chain_ids))

    async def delete(
        self,
        chain_ids: Sequence[str],
        *,
        cascade: bool = False,
        tx: Transaction | None = None,
        now: datetime | None = None,
    ) -> Sequence[Transition]:
        return await self._write(
            lambda session: delete.delete(session, chain_ids, cascade=cascade), tx, now, savepoint=True
        )

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
        # Never tried again after a lost reply, which may have leased jobs: ``release_claim`` gives those back.
        verb = self._database.run(
            lambda session: claim.claim(session, requests, worker=worker, token=token, include_suspect=include_suspect),
            now=now,
        )
        return await naming_grants(verb, self._database)

    async def release_claim(self, token: int, *, now: datetime | None = None) -> Sequence[Transition]:
        return await self._database.run(lambda session: claim.release_claim(session, token), now=now)

    async def renew(self, renewals: Sequence[Renewal], *, now: datetime | None = None) -> Sequence[SettleResult]:
        verb = self._database.run(lambda session: claim.renew(session, renewals), now=now, again=True)
        return await naming_grants(verb, self._database)

    async def settle(
        self, settlements: Sequence[Settlement], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Settled:
        verb = settle.settle(self._database, settlements, tx=tx, now=now)
        return await naming_grants(verb, self._database)

    async def reap(
        self,
        rules: Sequence[ReapRule],
        *,
        except_tokens: Collection[int] = (),
        limit: int = 1000,
        now: datetime | None = None,
    ) -> Sequence[Transition]:
        verb = self._close(
            lambda session: claim.reap(session, rules, except_tokens=except_tokens, limit=limit), None, now
        )
        return await naming_grants(verb, self._database)

    async def expire(self, *, limit: int = 1000, now: datetime | None = None) -> Sequence[Transition]:
        return await self._close(lambda session: close.expire(session, limit=limit), None, now)

    async def unblock_pending(self, *, limit: int = 1000, now: datetime | None = None) -> Sequence[Transition]:
        # One transaction: a chain that is taken from the pending ones, and has dependents left, is put back in it.
        return await self._database.run(
            lambda session: unblock.unblock_pending(session, limit=limit), now=now, atomic=True
        )

    async def next_due(self, types: Sequence[str], *, now: datetime | None = None) -> float | None:
        return await self._database.run(lambda session: reads.next_due(session, types), now=now, again=True)

    async def next_maintenance(
        self, types: Sequence[str], *, except_tokens: Collection[int] = (), now: datetime | None = None
    ) -> float | None:
        verb = self._database.run(
            lambda session: reads.next_maintenance(session, types, except_tokens=except_tokens), now=now, again=True
        )
        return await naming_grants(verb, self._database)

    # The registry of workers

    async def beat(self, beats: Sequence[WorkerBeat], *, now: datetime | None = None) -> None:
        verb = self._database.run(
            lambda session: registry.beat(session, beats, live_for=self.live_for), now=now, again=True
        )
        await naming_grants(verb, self._database)

    async def remove_workers(self, ids: Sequence[str]) -> None:
        await self._database.run(lambda session: session.rows("remove_workers", ids), again=True)

    async def workers(self, *, now: datetime | None = None) -> Sequence[WorkerRecord]:
        return await self._database.run(
            lambda session: registry.workers(session, live_for=self.live_for), now=now, again=True
        )

    async def lead(self, name: str, *, holder: str, seconds: float, now: datetime | None = None) -> Leadership | None:
        # Doing it twice is harmless: the second time extends what the first one took.
        return await self._database.run(
            lambda session: registry.lead(session, name, holder=holder, seconds=seconds), now=now, again=True
        )

    async def resign(self, leadership: Leadership, *, now: datetime | None = None) -> None:
        await self._database.run(lambda session: registry.resign(session, leadership), now=now, again=True)

    # Questions

    async def outcomes(self, chain_ids: Sequence[str], *, tx: Transaction | None = None) -> Mapping[str, ChainOutcome]:
        return await self._ask(lambda session: reads.outcomes(session, chain_ids), tx)

    async def blocker_outputs(self, jobs: Sequence[JobKey]) -> Mapping[JobKey, Sequence[ChainOutcome]]:
        return await self._ask(lambda session: reads.blocker_outputs(session, jobs), None)

    async def jobs(self, query: JobQuery, *, tx: Transaction | None = None) -> Page[JobRecord]:
        return await self._ask(lambda session: pages.jobs(session, query), tx)

    async def chains(self, query: JobQuery, *, tx: Transaction | None = None) -> Page[ChainRecord]:
        return await self._ask(lambda session: pages.chains(session, query), tx)

    async def count(self, query: JobQuery, *, of: Literal["jobs", "chains"]) -> Count:
        return await self._ask(lambda session: pages.count(session, query, of=of), None)

    async def attempts(self, chain_id: str, position: int) -> Sequence[AttemptRecord]:
        return await self._ask(lambda session: reads.attempts(session, chain_id, position), None)

    async def truncate_all(self) -> None:
        await self._database.run(lambda session: session.rows("truncate_all"))

    # Within

    async def _write(
        self,
        work: Callable[[PostgresSession], Awaitable[T]],
        tx: Transaction | None,
        now: datetime | None,
        *,
        again: bool = False,
        savepoint: bool = False,
    ) -> T:
        """Run a verb in one transaction: its own, or the caller's."""
        if tx is None:
            return await self._database.run(work, now=now, atomic=True, again=again)
        return await self._database.run_in(tx, work, now=now, savepoint=savepoint)

    async def _close(
        self,
        work: Callable[[PostgresSession], Awaitable[list[Transition]]],
        tx: Transaction | None,
        now: datetime | None,
    ) -> list[Transition]:
        """Run a verb that closes chains, as ``_write`` does; release dependents that were locked after the commit."""
        sessions: list[PostgresSession] = []

        async def noted(session: PostgresSession) -> list[Transition]:
            sessions.append(session)
            return await work(session)

        transitions = await self._write(noted, tx, now, savepoint=True)
        if tx is None and sessions[-1].left_pending:
            transitions += await unblock.unblock_locked(self._database, now)
        return transitions

    async def _ask(self, work: Callable[[PostgresSession], Awaitable[T]], tx: Transaction | None) -> T:
        if tx is None:
            return await self._database.run(work, again=True)
        return await self._database.run_in(tx, work)


def _are_distinct(jobs: Sequence[NewJob]) -> bool:
    return len({job.chain_id for job in jobs}) == len(jobs)
