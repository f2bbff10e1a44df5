"""
The state port: everything that a database must do for otelq.

Rules for every verb:

- Verbs take and return sequences; one is a batch of one. Where a batch has items that can fail each for itself, the
  result says so item by item; one bad item never harms its neighbours.
- A verb that changes state returns the transitions it made, in the order made. Nothing is returned that was not
  written by the statement (and, without ``tx``, committed).
- ``now`` moves the database's clock for tests; production passes nothing and gets ``statement_timestamp()``. All
  times returned have a zone (UTC).
- With ``tx`` the verb writes in that transaction and commits nothing. Without, it is a transaction of its own, and
  conflicts (deadlock, serialisation) are retried inside the adapter.
- Errors: ``Unavailable`` when trying again may help (no connection, conflict, time limit), ``Refused`` when the
  database refuses the values, ``NotFound`` and its siblings where a verb says so. No driver error leaves an adapter.
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
    NewJob,
    Page,
    ReapRule,
    Renewal,
    Settled,
    Settlement,
    SettleResult,
    Transition,
)


class Ending(Enum):
    """How a transaction ended, as far as the adapter can tell."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    UNKNOWN = "unknown"
    """The connection died around the commit: look the ids up."""


class Transaction(ABC):
    """A transaction to write in: the adapter's own, or the caller's, joined."""

    @property
    @abstractmethod
    def handle(self) -> Any:
        """What the user works with: the driver's connection or session."""

    @property
    @abstractmethod
    def active(self) -> bool:
        """Whether the transaction is still open."""

    async def is_over(self) -> bool:
        """Whether it has ended for certain, also where ``active`` may speak of the next one on the same connection."""
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
    """Stores jobs. One instance belongs to one event loop; it may hold several connections."""

    name: str
    """What it is, for telemetry: ``sqlite`` or ``postgresql``."""

    watch_interval: float | None = None
    """Seconds between two calls of ``changed``, for stores whose processes have no other way to wake each other."""

    async def changed(self) -> bool:
        """Whether the store was written to since this was asked last; own writes may count. Must be cheap."""
        return False

    # Life

    @abstractmethod
    async def open(self, *, migrate: bool = True) -> None:
        """
        Connect and, if asked, bring the schema up to date under a lock that other processes respect.

        Raises:
            Unavailable: no connection within the connect timeout; the text shows host and database, no password.
            OtelqError: it was never open, and login, database, privileges or schema are not as they should be; the
                schema is missing or too old and ``migrate`` is False.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything the adapter opened itself. Closing twice is fine."""

    @abstractmethod
    def sibling(self) -> StateAdapter | None:
        """
        An unopened adapter for the same store, for another event loop, that needs one connection only.

        None where the store cannot be reached twice (a pool without a URL).
        """

    # Transactions

    @abstractmethod
    def begin(self, kind: type | None = None) -> AbstractAsyncContextManager[Transaction]:
        """
        A transaction of the adapter's own: committed on a clean exit, else rolled back.

        ``kind`` is the type of handle wanted; None is the adapter's usual one.

        Raises:
            InvalidArgument: this adapter has no such handle.
            Unavailable: the commit failed, or its result is not known.
        """

    def refuse_self_deadlock(self) -> None:  # noqa: B027  # most databases have nothing to refuse
        """
        Raise where a verb without ``tx`` would wait for a transaction that this very task began and holds open.

        Such verbs do so by themselves; this is for who sends one from another task on this one's behalf.

        Raises:
            InvalidArgument: name ``tx``. Never where transactions do not exclude each other.
        """

    @abstractmethod
    def join(self, tx: object) -> Transaction:
        """
        The caller's open transaction (or one's own handle given back) as a ``Transaction``.

        Raises:
            InvalidArgument: not a kind this adapter knows, no transaction is open, or another database.
        """

    @abstractmethod
    async def were_committed(self, transitions: Sequence[Transition]) -> Sequence[bool | None]:
        """
        Whether each transition is visible, committed, to a connection of the adapter's own; None: that cannot be told.

        Good for the verbs that callers use in their own transactions: create, complete and continue (also
        externally), trigger, cancel, take_over, redrive, delete. An amendment leaves no trace to look for.
        """

    # The client's verbs

    @abstractmethod
    async def create(
        self, jobs: Sequence[NewJob], *, tx: Transaction | None = None, again: bool = False, now: datetime | None = None
    ) -> tuple[Sequence[Created], Sequence[Transition]]:
        """
        Start chains, in the order given; a blocker may be a chain that stands earlier in the batch.

        The first job of a chain has position 0. A chain whose blockers meet its condition is due at once; one whose
        blockers can never meet it is created and fails in the same commit. ``again`` says that the very same call
        was sent before and its reply was lost: a chain found under its id with the same type and input is then this
        call's own work and is returned with its transitions, not as ``exists``.

        Raises:
            NotFound: a blocker does not exist; nothing is written.
        """

    @abstractmethod
    async def complete_externally(
        self, closures: Sequence[Closure], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        Close open jobs without a worker, whatever their open status; a running worker is fenced off.

        The transition names the worker that loses the job. All or nothing.

        Raises:
            NotFound: no such chain.
            JobAlreadyClosed: the chain is closed, or the job of type ``step`` is closed and a later one is open.
            JobTypeMismatch: the open job is of another type and no earlier job of the chain is of type ``step``.
        """

    @abstractmethod
    async def trigger(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        Make scheduled jobs due now. All or nothing; a job that is due already stays as it is, without a transition.

        Raises:
            NotFound: no such chain.
            JobAlreadyClosed: a chain is closed.
            InvalidArgument: a job is blocked or running.
        """

    @abstractmethod
    async def cancel(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        Close open chains as cancelled; a running worker is fenced off. All or nothing.

        The transition names the worker that loses the job. Other chains that wait for one of them fail
        (``fail_by_blocker``), as for a failed blocker.

        Raises:
            NotFound: no such chain.
            JobAlreadyClosed: a chain is closed.
        """

    @abstractmethod
    async def redrive(
        self, chain_ids: Sequence[str], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        Open failed or cancelled chains again at the job that ended so. All or nothing.

        The job is due at once with its attempts and crashes at 0, and does not expire any more; its outcome stays on
        record as an attempt of an earlier generation, whose trace goes with the job as that of the attempt before. If
        it has blockers, all that it was ever given are looked at anew, by the rule that it was given last: it is
        blocked while its condition is not met, and waits again for those that are open, the others of this call among
        them. Dependents that closed already stay closed; those that still wait for it (``OnFailure.WAIT``) are served
        when it completes.

        Raises:
            NotFound: no such chain.
            InvalidArgument: a chain is open or completed; its blockers can never meet its condition (redrive the one
                that is named first, or together); or it would wait, itself or through others, for its own chain.
            AlreadyExists: another chain holds its dedup key by now, or two of this call want the same.
        """

    @abstractmethod
    async def amend(
        self, amendments: Sequence[Amendment], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Sequence[Transition]:
        """
        Change open jobs that do not run. All or nothing.

        A job that is blocked stays so; another is scheduled or ready by its new time.

        Raises:
            NotFound: no such chain.
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

        They are ready, with the attempt spent and no crash counted.

        Raises:
            NotFound: no such chain.
            JobAlreadyClosed: a chain is closed.
            InvalidArgument: a job is not running.
        """

    @abstractmethod
    async def lock(self, chain_ids: Sequence[str], *, tx: Transaction) -> Sequence[JobRecord]:
        """
        The open jobs of these chains, in the order given, locked until ``tx`` ends: nobody else moves them meanwhile.

        Raises:
            NotFound: no such chain.
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
        Remove chains, open or closed, with all their history. All or nothing; one transition for each job.

        With ``cascade`` the set grows by the blockers of every job of its chains, and by theirs in turn.

        Raises:
            NotFound: no such chain.
            StillReferenced: a chain outside the set has one of them as a blocker.
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
        Lease jobs that are due, each arm up to its limit, in the order (priority, run_at, chain_id) per type.

        ``token`` is a fresh random number of 63 bits. A suspect (``crashes`` over 0) is claimed only if ``suspect``
        is true, at most one a call, and counts towards the limit of its arm. No row is locked that is not claimed,
        and rows that somebody else has locked are passed over. A job that has expired is not claimed.
        """

    @abstractmethod
    async def release_claim(self, token: int, *, now: datetime | None = None) -> Sequence[Transition]:
        """Release the jobs of a claim whose reply was lost; none was started, so the attempts are given back."""

    @abstractmethod
    async def renew(self, renewals: Sequence[Renewal], *, now: datetime | None = None) -> Sequence[SettleResult]:
        """
        Extend leases from now, never past the deadline; one verdict each, never waiting for a lock.

        A lease that ran out but that nobody reaped yet is extended. A lease at its deadline is ``LOST``.
        """

    @abstractmethod
    async def settle(
        self, settlements: Sequence[Settlement], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Settled:
        """
        Close, move on, or give back leased jobs, each only under its current token.

        Closing a chain frees its dedup key (if its scope is ``open``) and, in the same commit, unblocks or fails the
        chains that wait for it (those beyond the first 1,000 of a batch: soon after, by ``unblock_pending``). Repeating
        a call whose reply was lost gives ``DONE`` again, with the same transitions. Rows locked by others are ``BUSY``;
        with ``tx`` the call waits for them instead.

        Raises:
            Refused: the database refuses some value of the batch, or a blocker that an outcome names does not exist
                or waits for the job's own chain; nothing of the batch is written.
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
        Take back jobs whose lease ran out; each counts a crash.

        A job whose attempts or crashes are spent fails; the others become due after ``delay``. Leases whose token is
        in ``spare`` are left alone. Locked rows are passed over.
        """

    @abstractmethod
    async def expire(self, *, limit: int = 1000, now: datetime | None = None) -> Sequence[Transition]:
        """
        Close as cancelled the jobs whose time to start has passed; dependents fare as with ``cancel``.

        Only jobs that were never claimed, or whose every claim was given back. Locked rows are passed over.
        """

    @abstractmethod
    async def unblock_pending(self, *, limit: int = 1000, now: datetime | None = None) -> Sequence[Transition]:
        """Work off a bounded part of what closing chains left behind: waiting dependents beyond the first 1,000."""

    @abstractmethod
    async def next_due(self, types: Sequence[str], *, now: datetime | None = None) -> float | None:
        """Seconds until the earliest job of these types is due (0: now), expired ones apart; None if none waits."""

    # Questions

    @abstractmethod
    async def outcomes(self, chain_ids: Sequence[str], *, tx: Transaction | None = None) -> Mapping[str, ChainOutcome]:
        """How chains stand; a chain that does not exist is left out."""

    @abstractmethod
    async def blocker_outputs(self, jobs: Sequence[JobKey]) -> Mapping[JobKey, Sequence[ChainOutcome]]:
        """For each job, how its blockers stand, in the order in which they were given; none: left out."""

    @abstractmethod
    async def jobs(self, query: JobQuery, *, tx: Transaction | None = None) -> Page[JobRecord]:
        """
        Jobs, newest chain first, within a chain first to last.

        Whatever the filters and however much is stored, a page costs no more than looking at ``query.scan_limit`` rows.
        """

    @abstractmethod
    async def chains(self, query: JobQuery, *, tx: Transaction | None = None) -> Page[ChainRecord]:
        """Chains by type (of their first job) and status (of their tail), newest first."""

    @abstractmethod
    async def count(self, query: JobQuery, *, of: Literal["jobs", "chains"]) -> Count:
        """How many jobs or chains pass the filters: up to ``query.limit``, in at most ``query.scan_limit`` rows."""

    @abstractmethod
    async def attempts(self, chain_id: str, position: int) -> Sequence[AttemptRecord]:
        """The finished attempts of one job, first to last, those of earlier generations first."""

    @abstractmethod
    async def truncate_all(self) -> None:
        """Remove everything but the schema. For tests."""
