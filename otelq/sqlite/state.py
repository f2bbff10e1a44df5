"""The state port on SQLite: each verb is bound to its arguments here, and written in the module of its subject."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from ..errors import OtelqError, Unavailable
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
from ..ports.state import StateAdapter, Transaction
from ..uninterrupted import finish
from . import amend, claim, close, pages, reads, redrive, registry, settle, start, unblock
from .connection_thread import Settings
from .database import SqliteDatabase
from .errors import Locked, opening_failure
from .owned_transactions import OwnedTransaction
from .statements import SqliteStatements
from .transactions import HandleSource
from .write_ahead_log import INTERVAL


class SqliteState(StateAdapter):
    """Jobs in a SQLite file, which other processes of this machine may use at the same time."""

    name = "sqlite"
    # Every write wakes all processes that use the file, so beats are rare. A killed worker is found out by its pid.
    beat_interval = 600.0
    live_for = 1_500.0

    def __init__(
        self,
        path: Path | None,
        statements: SqliteStatements,
        *,
        synchronous: str,
        busy_timeout: float,
        handle_source: HandleSource | None = None,
        was_open: bool = False,
    ) -> None:
        self._path = path
        self.reports_changes = True
        self.watch_interval = None if path is None else INTERVAL  # no other process writes to a private file
        self._source = handle_source
        self._statements = statements
        self._synchronous = synchronous
        self._busy_timeout = busy_timeout
        self._folder: TemporaryDirectory[str] | None = None
        self._opened: SqliteDatabase | None = None
        self._was_open = was_open
        """Whether it, or the adapter that it is a sibling of, was open before. Then file and tables were right."""

    # Life

    async def open(self, *, migrate: bool = True) -> None:
        if self._opened is None:
            database = SqliteDatabase(self._settings(), self._statements, self._source)
            try:
                await database.open(with_migration=migrate or self._path is None)
            except OtelqError as error:
                self._remove_folder()
                raise opening_failure(error, was_open=self._was_open) from error.__cause__
            except BaseException:
                self._remove_folder()
                raise
            self._opened, self._was_open = database, True

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        try:
            if opened is not None:
                await finish(opened.close())
        finally:
            self._remove_folder()

    def sibling(self) -> StateAdapter | None:
        settings = self._settings()
        return SqliteState(
            settings.path,
            self._statements,
            synchronous=settings.synchronous,
            busy_timeout=settings.busy_timeout,
            was_open=True,
        )

    async def changed(self) -> bool:
        """
        Return whether any connection has written to the file since the last call; own writes may count.

        It is cheap enough for many calls a second.
        """
        return await self._database.has_changed()

    # Transactions

    def begin(self, kind: type | None = None) -> AbstractAsyncContextManager[Transaction]:
        self._database.transactions.check(kind)
        return self._database.transactions.begin(kind)

    def refuse_self_deadlock(self) -> None:
        self._database.transactions.refuse_self_deadlock()

    def join(self, tx: object) -> Transaction:
        return self._database.transactions.join(tx)

    async def were_committed(self, transitions: Sequence[Transition]) -> Sequence[bool | None]:
        return await self._database.read(None, partial(reads.were_committed, transitions=transitions))

    # The client's verbs

    async def create(
        self,
        jobs: Sequence[NewJob],
        *,
        tx: Transaction | None = None,
        resent: bool = False,
        now: datetime | None = None,
    ) -> tuple[Sequence[Created], Sequence[Transition]]:
        return await self._database.write(tx, partial(start.create, jobs=jobs, resent=resent), now)

    async def complete_externally(
        self, closures: Sequence[Closure], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._database.write(tx, partial(close.complete_externally, closures=closures), now)

    async def trigger(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._database.write(tx, partial(amend.trigger, chain_ids=chain_ids), now)

    async def cancel(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._database.write(tx, partial(close.cancel, chain_ids=chain_ids), now)

    async def redrive(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._database.write(tx, partial(redrive.redrive, chain_ids=chain_ids), now)

    async def amend(
        self, amendments: Sequence[Amendment], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._database.write(tx, partial(amend.amend, amendments=amendments), now)

    async def take_over(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        return await self._database.write(tx, partial(amend.take_over, chain_ids=chain_ids), now)

    async def lock(self, chain_ids: Sequence[str], *, tx: Transaction) -> Sequence[JobRecord]:
        # SQLite has no row locks. Every verb in a transaction takes the write lock of the file, which the transaction
        # keeps to its end.
        return await self._database.write(tx, partial(reads.lock, chain_ids=chain_ids), None)

    async def delete(
        self,
        chain_ids: Sequence[str],
        *,
        cascade: bool = False,
        tx: Transaction | None = None,
        now: datetime | None = None,
    ) -> Sequence[Transition]:
        return await self._database.write(tx, partial(close.delete, chain_ids=chain_ids, cascade=cascade), now)

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
        verb = partial(claim.claim, requests=requests, worker=worker, token=token, include_suspect=include_suspect)
        try:
            return await self._database.write(None, verb, now)
        except Locked:
            # Locked rows are skipped; here a lock is on all rows.
            return [], []

    async def release_claim(self, token: int, *, now: datetime | None = None) -> Sequence[Transition]:
        return await self._database.write(None, partial(claim.release_claim, token=token), now)

    async def renew(self, renewals: Sequence[Renewal], *, now: datetime | None = None) -> Sequence[SettleResult]:
        # Do not wait: while a transaction of this process holds the write lock, no lease can be taken away either.
        if self._database.transactions.has_open:
            return [SettleResult.BUSY] * len(renewals)
        try:
            return await self._database.write(None, partial(claim.renew, renewals=renewals), now)
        except Locked:
            return [SettleResult.BUSY] * len(renewals)

    async def settle(
        self, settlements: Sequence[Settlement], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Settled:
        if isinstance(tx, OwnedTransaction):
            tx.revoke_handle()
        try:
            return await self._database.write(tx, partial(settle.settle, settlements=settlements), now)
        except Locked:
            if tx is not None:
                raise
            return Settled(results=(SettleResult.BUSY,) * len(settlements), transitions=(), claimed_successors={})

    async def reap(
        self,
        rules: Sequence[ReapRule],
        *,
        except_tokens: Collection[int] = (),
        limit: int = 1000,
        now: datetime | None = None,
    ) -> Sequence[Transition]:
        try:
            return await self._database.write(
                None, partial(claim.reap, rules=rules, except_tokens=except_tokens, limit=limit), now
            )
        except Locked:
            return []

    async def expire(self, *, limit: int = 1000, now: datetime | None = None) -> Sequence[Transition]:
        if not await self._database.read(None, close.has_expired, now):
            return []
        try:
            return await self._database.write(None, partial(close.expire, limit=limit), now)
        except Locked:
            return []

    async def unblock_pending(self, *, limit: int = 1000, now: datetime | None = None) -> Sequence[Transition]:
        if not await self._database.read(None, unblock.has_pending):
            return []
        return await self._database.write(None, partial(unblock.unblock_pending, limit=limit), now)

    async def next_due(self, types: Sequence[str], *, now: datetime | None = None) -> float | None:
        return await self._database.read(None, partial(reads.next_due, types=types), now)

    async def next_maintenance(
        self, types: Sequence[str], *, except_tokens: Collection[int] = (), now: datetime | None = None
    ) -> float | None:
        return await self._database.read(
            None, partial(reads.next_maintenance, types=types, except_tokens=except_tokens), now
        )

    # The registry of workers

    async def beat(self, beats: Sequence[WorkerBeat], *, now: datetime | None = None) -> None:
        await self._database.write(None, partial(registry.beat, beats=beats, live_for=self.live_for), now)

    async def remove_workers(self, ids: Sequence[str]) -> None:
        await self._database.write(None, partial(registry.remove_workers, ids=ids), None)

    async def workers(self, *, now: datetime | None = None) -> Sequence[WorkerRecord]:
        return await self._database.read(None, partial(registry.workers, live_for=self.live_for), now)

    async def lead(self, name: str, *, holder: str, seconds: float, now: datetime | None = None) -> Leadership | None:
        # Every write wakes all processes; a statement that changes no row, as for those who may not lead, does not.
        verb = partial(registry.lead, name=name, holder=holder, seconds=seconds)
        return await self._database.write(None, verb, now)

    async def resign(self, leadership: Leadership, *, now: datetime | None = None) -> None:
        await self._database.write(None, partial(registry.resign, leadership=leadership), now)

    # Questions

    async def outcomes(self, chain_ids: Sequence[str], *, tx: Transaction | None = None) -> Mapping[str, ChainOutcome]:
        return await self._database.read(tx, partial(reads.outcomes, chain_ids=chain_ids))

    async def blocker_outputs(self, jobs: Sequence[JobKey]) -> Mapping[JobKey, Sequence[ChainOutcome]]:
        return await self._database.read(None, partial(reads.blocker_outputs, jobs=jobs))

    async def jobs(self, query: JobQuery, *, tx: Transaction | None = None) -> Page[JobRecord]:
        return await self._database.read(tx, partial(pages.jobs, query=query))

    async def chains(self, query: JobQuery, *, tx: Transaction | None = None) -> Page[ChainRecord]:
        return await self._database.read(tx, partial(pages.chains, query=query))

    async def count(self, query: JobQuery, *, of: Literal["jobs", "chains"]) -> Count:
        return await self._database.read(None, partial(pages.count, query=query, of=of))

    async def attempts(self, chain_id: str, position: int) -> Sequence[AttemptRecord]:
        return await self._database.read(None, partial(reads.attempts, chain_id=chain_id, position=position))

    async def truncate_all(self) -> None:
        await self._database.write(None, close.truncate_all, None)

    @property
    def _database(self) -> SqliteDatabase:
        if self._opened is None:
            raise Unavailable(f"the SQLite database {self._path or ':memory:'} is not open")
        return self._opened

    def _settings(self) -> Settings:
        """Return the settings of connections. A private file gets its folder when it is first asked for."""
        if self._path is not None:
            return Settings(path=self._path, synchronous=self._synchronous, busy_timeout=self._busy_timeout)
        if self._folder is None:
            self._folder = _temporary_folder()
        path = Path(self._folder.name, "otelq.db")
        return Settings(path=path, synchronous="off", busy_timeout=self._busy_timeout)

    def _remove_folder(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()


def _temporary_folder() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="otelq-")
    except OSError as error:
        raise OtelqError(f"there is no folder for a temporary database: {error}; set TMPDIR") from error
