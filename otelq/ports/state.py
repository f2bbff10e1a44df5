"""
The state port: everything that a database must do for otelq.

Rules for every verb:

- Verbs take and return sequences; one job is a batch of one. Where the items of a batch can fail one by one, the result
  says so for each, and a bad item does not affect the others.
- A verb that changes state returns its transitions, in their order. It returns nothing that was not written by the
  statement and, without ``tx``, committed.
- Times are those of the database's clock, unless a test gives ``now``. All returned times have a zone (UTC).
- With ``tx`` the verb writes in that transaction and does not commit. Without it the verb is a transaction of its own,
  and the adapter retries it after a conflict (a deadlock, a serialisation failure).
- Verbs of several clients and workers run at the same time. Each is atomic: others see all of it or nothing. Verbs that
  meet on a chain take effect one after the other, and the later one decides by what the earlier one committed.
- A lease has a random token. ``settle`` and ``renew`` change a job only under its current token, so that a worker which
  lost its lease changes nothing, however late its call arrives.
- Verbs of workers (``claim``, ``renew``, ``settle`` without ``tx``, ``reap``, ``expire``) do not wait for rows that
  others have locked: they skip them, or return ``BUSY``. A store with one lock for all writes may wait for that, up to
  a limit, and then does the same. Verbs of clients wait for locked rows, and raise ``Unavailable`` at the limit.
- ``Unavailable`` means that a retry may succeed (no connection, a conflict, a time limit), and ``Refused`` that the
  database refuses the values. A verb names its other errors. No error of a driver leaves an adapter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import Enum
from typing import Any, Literal

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
from .notify import NotifyAdapter


class Ending(Enum):
    """The end of a transaction, as far as the adapter can know it."""

    COMMITTED = "committed"
    """It was committed."""
    ROLLED_BACK = "rolled back"
    """It was rolled back."""
    UNKNOWN = "unknown"
    """The connection was lost around the commit: look the ids up."""


class Transaction(ABC):
    """A transaction to write in: one that the adapter began, or one of the caller."""

    @property
    @abstractmethod
    def handle(self) -> Any:
        """Return the driver's connection or session, for the user."""

    @property
    @abstractmethod
    def active(self) -> bool:
        """Return whether the transaction is still open."""

    async def is_over(self) -> bool:
        """
        Return whether it has certainly ended, also where ``active`` may be about the next one on the same connection.
        """
        return not self.active

    @abstractmethod
    def watch(self, ended: Callable[[Ending], None]) -> bool:
        """
        Call ``ended`` once, when the end of the rows written so far is known; savepoints count.

        Return False, and never call it, where the driver does not report its end: then the caller waits for ``is_over``
        and looks the ids up.

        Args:
            ended: takes the way in which the transaction ended.
        """


class StateAdapter(ABC):
    """Stores jobs, for ``otelq.connect``. An instance belongs to one event loop, and may hold several connections."""

    name: str
    """The name of the database for telemetry, such as ``sqlite`` or ``postgresql``."""

    watch_interval: float | None = None
    """
    Seconds between two calls of ``changed``, for stores whose processes cannot wake each other otherwise; None for
    never.
    """

    beat_interval: float = 30.0
    """Seconds between two beats of an idle worker: longer where a write wakes other processes."""

    live_for: float = 90.0
    """Seconds since its last beat for which a worker counts as live."""

    reports_changes: bool = False
    """Whether ``changed`` notices all writes of other processes, or none but this adapter can write."""

    async def changed(self) -> bool:
        """Return whether the store was written to since the last call; own writes may count. It must be cheap."""
        return False

    # Life

    @abstractmethod
    async def open(self, *, migrate: bool = True) -> None:
        """
        Connect and, if asked, bring the schema up to date, under a lock that other processes respect.

        Args:
            migrate: whether to bring the schema up to date.

        Raises:
            Unavailable: no connection within the connect timeout; the text shows host and database, and no password.
            OtelqError: it was never open, and login, database, privileges or schema are wrong; or the schema is missing
                or too old and ``migrate`` is False.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close everything that the adapter opened itself. Closing twice is allowed."""

    @abstractmethod
    def sibling(self) -> StateAdapter | None:
        """
        Return an unopened adapter for the same store and another event loop, which needs one connection only.

        A worker renews leases with it, from a thread of its own. Return None where the store cannot be opened twice, as
        for a pool without a URL.
        """

    def notifier(self) -> NotifyAdapter | None:
        """Return an unopened notifier that goes by way of the store itself; None if the store has none to offer."""
        return None

    # Transactions

    @abstractmethod
    def begin(self, kind: type | None = None) -> AbstractAsyncContextManager[Transaction]:
        """
        Return a transaction for ``async with``: committed when the block ends without an error, else rolled back.

        Args:
            kind: the class of the handle to yield; None for the usual one.

        Raises:
            InvalidArgument: the adapter has no such handle.
            Unavailable: the commit failed, or its result is not known.
        """

    def refuse_self_deadlock(self) -> None:  # noqa: B027  # most databases have nothing to refuse
        """
        Raise where a verb without ``tx`` would wait for a transaction that the calling task itself holds open.

        Verbs check it themselves. Call this before another task sends a verb for this one.

        Raises:
            InvalidArgument: give ``tx``. Never raised where transactions do not exclude each other.
        """

    @abstractmethod
    def join(self, tx: object) -> Transaction:
        """
        Return the caller's open transaction as a ``Transaction``; a handle of the adapter's own counts as well.

        Args:
            tx: a connection or a session.

        Raises:
            InvalidArgument: it is of no known kind, has no open transaction, or belongs to another database.
        """

    @abstractmethod
    async def were_committed(self, transitions: Sequence[Transition]) -> Sequence[bool | None]:
        """
        Return for each transition whether another connection sees it committed; None if that cannot be known.

        It works for the verbs that callers use in their own transactions: create, complete and continue (externally
        too), trigger, cancel, take_over, redrive and delete. An amendment leaves nothing to look for.

        Args:
            transitions: the transitions to look up.
        """

    # The client's verbs

    @abstractmethod
    async def create(
        self,
        jobs: Sequence[NewJob],
        *,
        tx: Transaction | None = None,
        resent: bool = False,
        now: datetime | None = None,
    ) -> tuple[Sequence[Created], Sequence[Transition]]:
        """
        Start chains, in the order given. A blocker may be a chain earlier in the batch.

        The first job of a chain has position 0. A chain whose blockers meet its condition is due at once; one whose
        blockers can never meet it is created and fails in the same commit.

        Of concurrent starts with the same dedup key, one creates its chain and the others get that chain. A blocker
        that closes at the same time either counts as closed here or unblocks the new chain: it is never missed.

        Args:
            jobs: the first jobs of the chains.
            tx: the transaction to write in; None for one of its own.
            resent: whether the very same call was sent before and its reply was lost. Then a chain with the same id,
                type and input is this call's own, and is returned with its transitions, not as ``exists``.
            now: the time to use as the database's clock, for tests.

        Raises:
            NotFound: a blocker does not exist; nothing is written.
        """

    @abstractmethod
    async def complete_externally(
        self, closures: Sequence[Closure], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        Close open jobs without a worker, whatever their open status. All or nothing.

        A worker that runs one of them loses its lease: storing its own outcome is ``LOST`` from then on. The transition
        names the worker.

        Args:
            closures: the jobs, each with its output or its successor.
            tx: the transaction to write in; None for one of its own.
            now: the time to use as the database's clock, for tests.

        Raises:
            NotFound: a chain does not exist.
            JobAlreadyClosed: the chain is closed, or the job of type ``step`` is closed and a later one is open.
            JobTypeMismatch: the open job is of another type, and no earlier job of the chain is of type ``step``.
        """

    @abstractmethod
    async def trigger(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        Make scheduled jobs due now. All or nothing. A job that is due already stays as it is, without a transition.

        Args:
            chain_ids: the chains.
            tx: the transaction to write in; None for one of its own.
            now: the time to use as the database's clock, for tests.

        Raises:
            NotFound: a chain does not exist.
            JobAlreadyClosed: a chain is closed.
            InvalidArgument: a job is blocked or running.
        """

    @abstractmethod
    async def cancel(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        Close open chains as cancelled. All or nothing.

        A worker that runs one of their jobs loses its lease: storing its own outcome is ``CANCELLED`` from then on. The
        transition names the worker. Chains that wait for one of them fail (``fail_by_blocker``) in the same commit, as
        for a failed blocker.

        Args:
            chain_ids: the chains.
            tx: the transaction to write in; None for one of its own.
            now: the time to use as the database's clock, for tests.

        Raises:
            NotFound: a chain does not exist.
            JobAlreadyClosed: a chain is closed.
        """

    @abstractmethod
    async def redrive(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        Open failed or cancelled chains again, at the job that ended so. All or nothing.

        The job is due at once with its attempts and crashes at 0, and no longer expires. Its outcome stays on record as
        an attempt of an earlier generation, and the job keeps its trace context as that of the previous attempt.

        If the job has blockers, all that it was ever given are checked again by the rule that it was given last: it is
        blocked while its condition is not met, and waits again for those that are open, the other chains of this call
        among them. Dependents that are closed stay closed; those that still wait for it (``OnFailure.WAIT``) are
        unblocked when it completes.

        Args:
            chain_ids: the chains.
            tx: the transaction to write in; None for one of its own.
            now: the time to use as the database's clock, for tests.

        Raises:
            NotFound: a chain does not exist.
            InvalidArgument: a chain is open or completed; its blockers can never meet its condition (redrive the named
                one first, or together); or it would wait, itself or through others, for its own chain.
            AlreadyExists: another chain holds its dedup key by now, or two chains of this call have the same.
        """

    @abstractmethod
    async def amend(
        self, amendments: Sequence[Amendment], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        Change open jobs that are not running. All or nothing.

        A blocked job stays blocked; another is scheduled or ready by its new time.

        Args:
            amendments: the changes.
            tx: the transaction to write in; None for one of its own.
            now: the time to use as the database's clock, for tests.

        Raises:
            NotFound: a chain does not exist.
            JobAlreadyClosed: a chain is closed, or its job of type ``step`` is closed and a later one is open.
            JobTypeMismatch: the open job is of another type than ``step``.
            InvalidArgument: a job is running.
        """

    @abstractmethod
    async def take_over(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        End the leases of running jobs at once. All or nothing.

        The jobs are ready, with the attempt spent and no crash counted. The workers that had them can store nothing any
        more.

        Args:
            chain_ids: the chains.
            tx: the transaction to write in; None for one of its own.
            now: the time to use as the database's clock, for tests.

        Raises:
            NotFound: a chain does not exist.
            JobAlreadyClosed: a chain is closed.
            InvalidArgument: a job is not running.
        """

    @abstractmethod
    async def lock(self, chain_ids: Sequence[str], *, tx: Transaction) -> Sequence[JobRecord]:
        """
        Return the open jobs of these chains in the order given, locked until ``tx`` ends.

        Until then every other verb that would change these chains waits or skips them, and no worker can store an
        outcome.

        Args:
            chain_ids: the chains.
            tx: the transaction that holds the locks.

        Raises:
            NotFound: a chain does not exist.
            JobAlreadyClosed: a chain is closed.
        """

    @abstractmethod
    async def delete(
        self,
        chain_ids: Sequence[str],
        *,
        cascade: bool = False,
        tx: Transaction | None = None,
        now: datetime | None = None,
    ) -> Sequence[Transition]:
        """
        Delete chains, open or closed, with all their history. All or nothing. There is one transition for each job.

        Args:
            chain_ids: the chains.
            cascade: also delete the blockers of every job, and the blockers of those in turn.
            tx: the transaction to write in; None for one of its own.
            now: the time to use as the database's clock, for tests.

        Raises:
            NotFound: a chain does not exist.
            StillReferenced: a chain outside the deleted ones has one of them as a blocker.
        """

    # The worker's verbs

    @abstractmethod
    async def claim(
        self,
        requests: Sequence[ClaimRequest],
        *,
        worker: str,
        token: int,
        include_suspect: bool = True,
        now: datetime | None = None,
    ) -> tuple[Sequence[Claimed], Sequence[Transition]]:
        """
        Claim due jobs, up to the limit of each request, in the order (priority, run_at, chain_id) within a type.

        A job is leased to one worker at a time: of concurrent claims, only one gets it. Expired jobs are not claimed.
        No row is locked that is not claimed, and locked rows are skipped.

        Args:
            requests: the types, each with a limit and the length of the lease.
            worker: the name of the worker.
            token: a fresh random number of 63 bits, the token of all these leases.
            include_suspect: whether a job with ``crashes`` may be claimed: at most one in a call, which counts towards
                its limit.
            now: the time to use as the database's clock, for tests.
        """

    @abstractmethod
    async def release_claim(self, token: int, *, now: datetime | None = None) -> Sequence[Transition]:
        """
        Release the jobs of a claim whose reply was lost. None was started, so the attempts are given back.

        Args:
            token: the token of the claim.
            now: the time to use as the database's clock, for tests.
        """

    @abstractmethod
    async def renew(self, renewals: Sequence[Renewal], *, now: datetime | None = None) -> Sequence[SettleResult]:
        """
        Extend leases from now, never past the deadline, and without waiting for a lock. Return one result for each.

        A lease that ran out but was not reaped yet is extended. A lease at its deadline, or under another token by now,
        is ``LOST``. A row that another transaction has locked is ``BUSY``: the lease is not lost, and may be renewed by
        the next call.

        Args:
            renewals: the leases, each with its length in seconds.
            now: the time to use as the database's clock, for tests.
        """

    @abstractmethod
    async def settle(
        self, settlements: Sequence[Settlement], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Settled:
        """
        Store the outcomes of leased jobs, each only under its current token. Return one result for each.

        The outcome of a job, its next state, and the end of its chain are one commit. Without the current token nothing
        of an item is written, and its result is ``LOST`` or ``CANCELLED``.

        Closing a chain frees its dedup key (if its scope is ``open``) and, in the same commit, unblocks or fails the
        chains that wait for it; those beyond the first 1,000 of a batch follow soon, by ``unblock_pending``. A call
        that is repeated because its reply was lost returns ``DONE`` again, with the same transitions. A row that
        another transaction has locked is ``BUSY``; with ``tx`` the call waits for it instead.

        Args:
            settlements: the outcomes.
            tx: the transaction to write in; None for one of its own.
            now: the time to use as the database's clock, for tests.

        Raises:
            Refused: the database refuses a value of the batch, or a blocker that an outcome names does not exist or
                waits for the job's own chain; nothing of the batch is written.
        """

    @abstractmethod
    async def reap(
        self,
        rules: Sequence[ReapRule],
        *,
        except_tokens: Collection[int] = (),
        limit: int = 1000,
        now: datetime | None = None,
    ) -> Sequence[Transition]:
        """
        Take back jobs whose lease ran out, and count a crash for each.

        A job without attempts or crashes left fails; the others are due after the delay of their rule. A lease that is
        renewed or settled at the same time is not reaped. Locked rows are skipped.

        Args:
            rules: what applies to the jobs of each type.
            except_tokens: tokens of leases to leave alone.
            limit: the largest number of jobs.
            now: the time to use as the database's clock, for tests.
        """

    @abstractmethod
    async def expire(self, *, limit: int = 1000, now: datetime | None = None) -> Sequence[Transition]:
        """
        Close as cancelled the jobs that were not started in time. Dependents change as with ``cancel``.

        These are jobs that were never claimed, or whose every claim was given back. A job that is claimed at the same
        time is either claimed or expired, never both. Locked rows are skipped.

        Args:
            limit: the largest number of jobs.
            now: the time to use as the database's clock, for tests.
        """

    @abstractmethod
    async def unblock_pending(self, *, limit: int = 1000, now: datetime | None = None) -> Sequence[Transition]:
        """
        Unblock or fail dependents that wait for closed chains beyond the first 1,000 of a batch, up to a limit.

        Args:
            limit: the largest number of jobs.
            now: the time to use as the database's clock, for tests.
        """

    @abstractmethod
    async def next_due(self, types: Sequence[str], *, now: datetime | None = None) -> float | None:
        """
        Return the seconds until the earliest job of these types is due: 0 for now, None if none waits.

        Expired jobs do not count.

        Args:
            types: the names of the types.
            now: the time to use as the database's clock, for tests.
        """

    @abstractmethod
    async def next_maintenance(
        self, types: Sequence[str], *, except_tokens: Collection[int] = (), now: datetime | None = None
    ) -> float | None:
        """
        Return the seconds until ``reap``, ``expire`` or ``unblock_pending`` has something to do: 0 for now, or None.

        Only reads. It may say 0 for rows that are locked, and that those verbs therefore skip.

        Args:
            types: the names of the types whose leases count.
            except_tokens: as of ``reap``.
            now: the time to use as the database's clock, for tests.
        """

    # The registry of workers

    @abstractmethod
    async def beat(self, beats: Sequence[WorkerBeat], *, now: datetime | None = None) -> None:
        """
        Store that workers are alive, each under its ``id``, and remove those that no longer are.

        The first beat of a worker adds it; later ones replace all of it but the time of its start. Others that were not
        seen for ``live_for`` seconds are removed, unless a row is locked.

        Args:
            beats: one for each worker, in the order of their ids.
            now: the time to use as the database's clock, for tests.
        """

    @abstractmethod
    async def remove_workers(self, ids: Sequence[str]) -> None:
        """
        Remove workers that have stopped. An id that is not there is ignored.

        Args:
            ids: the ids of the workers.
        """

    @abstractmethod
    async def workers(self, *, now: datetime | None = None) -> Sequence[WorkerRecord]:
        """
        Return the live workers, in any order: those seen within the last ``live_for`` seconds.

        A store of one machine leaves out those of its machine whose process has ended. A row that cannot be read is
        left out.

        Args:
            now: the time to use as the database's clock, for tests.
        """

    @abstractmethod
    async def lead(self, name: str, *, holder: str, seconds: float, now: datetime | None = None) -> Leadership | None:
        """
        Take a leadership, or extend it for its holder, to ``seconds`` from now. Return None while another holds it.

        At most one holder has it at a time. It keeps its token while it extends in time; each one who takes it gets a
        higher token than all before.

        Args:
            name: what the leadership is for.
            holder: the id of the one who asks, which no other uses.
            seconds: how long it lasts.
            now: the time to use as the database's clock, for tests.
        """

    @abstractmethod
    async def resign(self, leadership: Leadership, *, now: datetime | None = None) -> None:
        """
        End a leadership at once. Do nothing if it has ended, or belongs to another holder by now.

        Args:
            leadership: the leadership, as ``lead`` returned it.
            now: the time to use as the database's clock, for tests.
        """

    # Questions

    @abstractmethod
    async def outcomes(self, chain_ids: Sequence[str], *, tx: Transaction | None = None) -> Mapping[str, ChainOutcome]:
        """
        Return the state of each chain; a chain that does not exist is left out.

        Args:
            chain_ids: the chains.
            tx: the transaction to read in; None for the adapter's own connection.
        """

    @abstractmethod
    async def blocker_outputs(self, jobs: Sequence[JobKey]) -> Mapping[JobKey, Sequence[ChainOutcome]]:
        """
        Return the state of each job's blockers, in the order in which they were given; a job without any is left out.

        Args:
            jobs: the jobs.
        """

    @abstractmethod
    async def jobs(self, query: JobQuery, *, tx: Transaction | None = None) -> Page[JobRecord]:
        """
        Return a page of jobs, newest chain first, within a chain first to last.

        A page looks at ``query.scan_limit`` rows at most, whatever the filters and however much is stored.

        Args:
            query: the filters and the bounds of the page.
            tx: the transaction to read in; None for the adapter's own connection.
        """

    @abstractmethod
    async def chains(self, query: JobQuery, *, tx: Transaction | None = None) -> Page[ChainRecord]:
        """
        Return a page of chains, newest first, by the type of their first job and the status of their last.

        Args:
            query: the filters and the bounds of the page.
            tx: the transaction to read in; None for the adapter's own connection.
        """

    @abstractmethod
    async def count(self, query: JobQuery, *, of: Literal["jobs", "chains"]) -> Count:
        """
        Return how many jobs or chains pass the filters: up to ``query.limit``, in at most ``query.scan_limit`` rows.

        Args:
            query: the filters and the bounds.
            of: what to count.
        """

    @abstractmethod
    async def attempts(self, chain_id: str, position: int) -> Sequence[AttemptRecord]:
        """
        Return the finished attempts of one job, first to last, those of earlier generations first.

        Args:
            chain_id: the chain.
            position: the position of the job, from 0.
        """

    @abstractmethod
    async def truncate_all(self) -> None:
        """Delete everything but the schema. For tests."""
