"""Starts of chains: plain ones in one statement, those with blockers or a dedup key in several."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from msgspec.json import encode

from ..errors import Unavailable
from ..model import Created, NewJob, Status, Transition
from ..transitions import build
from ..transitions.blockers import WaitDecision, decide_wait, rule_of
from ..transitions.dedup import keeps_dedup_key
from . import blocker_rows, dedup_keys, rows
from .blocker_rows import BlockedJob
from .bulk_copy import copy_in
from .database import PostgresSession
from .errors import bare, is_taken
from .locks import lock_blockers

CreateResult = tuple[list[Created], list[Transition]]

LARGE: Final = 500
"""The smallest batch that is written with COPY, which logs a page of rows at a time."""

CHUNK: Final = 2000
"""Chains that one statement starts where COPY is not used."""

LOCK_TIMEOUT: Final = "5s"
"""Time that a start waits for a lock on a blocker or a dedup key."""

SKIP_EXISTING: Final = "ON CONFLICT DO NOTHING"

NONE_EXPIRES: Final = "NULL FROM created"
SOME_EXPIRE: Final = "item.expires_at FROM created JOIN item ON item.chain_id = created.chain_id"


class SomeExist(Exception):
    """Some chain of a batch exists already; nothing was written."""


def is_plain(jobs: Sequence[NewJob]) -> bool:
    """Return whether no chain of the batch has blockers or a dedup key."""
    return not any(job.blockers or job.dedup for job in jobs)


async def create_fresh(session: PostgresSession, jobs: Sequence[NewJob]) -> CreateResult:
    """
    Start plain chains, on the assumption that their ids are new.

    Raises:
        SomeExist: some are not.
    """
    # COPY has no ON CONFLICT: an id that exists fails the whole batch, which is then inserted with one.
    try:
        transitions = await (copy_in(session, jobs) if _can_copy(session, jobs) else _insert_plain(session, jobs))
    except Exception as error:
        if is_taken(error):
            raise SomeExist from error
        raise
    return [Created(chain_id=job.chain_id) for job in jobs], transitions


def is_large(jobs: Sequence[NewJob]) -> bool:
    """Return whether the batch is worth a COPY, which needs a transaction of several statements."""
    return len(jobs) >= LARGE


def _can_copy(session: PostgresSession, jobs: Sequence[NewJob]) -> bool:
    return is_large(jobs) and session.can_copy and _expiry(jobs) == NONE_EXPIRES


def _expiry(jobs: Sequence[NewJob]) -> str:
    return NONE_EXPIRES if all(job.expires is None for job in jobs) else SOME_EXPIRE


async def _insert_plain(session: PostgresSession, jobs: Sequence[NewJob]) -> list[Transition]:
    chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    return [
        change
        for chunk in chunks
        for change in _started(chunk, await session.row("create", *_columns(chunk), if_taken="", expiry=_expiry(chunk)))
    ]


async def create_plain(session: PostgresSession, jobs: Sequence[NewJob], *, resent: bool) -> CreateResult:
    """Start plain chains, and skip ids that exist."""
    # An id that occurs twice in the batch is started once, by its first job.
    firsts = list({job.chain_id: job for job in reversed(jobs)}.values())[::-1]
    taken: set[str] = set()
    transitions: dict[str, list[Transition]] = {}
    for start in range(0, len(firsts), CHUNK):
        chunk = firsts[start : start + CHUNK]
        row = await session.row("create", *_columns(chunk), if_taken=SKIP_EXISTING, expiry=_expiry(chunk))
        taken.update(row["taken"] or ())
        transitions |= {change.chain_id: [change] for change in _started(chunk, row)}
    if taken and resent:
        before = await _stored_transitions(session, [job for job in firsts if job.chain_id in taken])
        transitions |= {chain_id: changes for chain_id, changes in before.items() if changes}
    return _in_order(jobs, {}, transitions)


async def create_constrained(session: PostgresSession, jobs: Sequence[NewJob], *, resent: bool) -> CreateResult:
    """
    Start chains that may have blockers or dedup keys.

    These never share a statement with the starts of others, since they can wait for locks.

    Raises:
        NotFound: a blocker does not exist.
        Unavailable: another transaction starts a chain with the same id.
    """
    # The keys before the blockers, in every start: two locks of different tables in one order do not deadlock.
    async with _lock_timeout(session):
        # First, since a chain that exists must neither take a key nor lock blockers.
        before = await _stored_transitions(session, jobs)
        new = {job.chain_id: job for job in reversed(jobs) if job.chain_id not in before}
        fresh = [job for job in jobs if new.get(job.chain_id) is job]
        holders = await dedup_keys.take(session, fresh)
        plans = await _plan(session, [job for job in fresh if job.chain_id not in holders])
        transitions = await _insert(session, plans)
    repeated = {chain_id: changes for chain_id, changes in before.items() if resent and changes}
    return _in_order(jobs, holders, repeated | transitions)


@asynccontextmanager
async def _lock_timeout(session: PostgresSession) -> AsyncGenerator[None]:
    # After an error the setting goes back with the savepoint or the transaction.
    before = (await session.row("set_lock_timeout", LOCK_TIMEOUT))["before"]
    try:
        yield
    except Exception as error:
        if is_taken(error):
            raise Unavailable("a chain with the same id is being started by another transaction") from bare(error)
        raise
    await session.row("set_lock_timeout", before)


def _in_order(
    jobs: Sequence[NewJob], holders: dict[str, str], transitions: dict[str, list[Transition]]
) -> CreateResult:
    created: list[Created] = []
    changes: list[Transition] = []
    for job in jobs:
        own = transitions.pop(job.chain_id, None)
        if own is not None:
            changes += own
            created.append(Created(chain_id=job.chain_id))
        elif holder := holders.get(job.chain_id):
            created.append(Created(chain_id=holder, deduplicated=True))
        else:
            created.append(Created(chain_id=job.chain_id, exists=True))
    return created, changes


# What exists


async def _stored_transitions(session: PostgresSession, jobs: Sequence[NewJob]) -> dict[str, list[Transition]]:
    """Return the transitions of the start of each chain that exists; none if its type or input is another."""
    found = await session.rows("read_existing", [job.chain_id for job in jobs], [job.input for job in jobs])
    return {(job := jobs[rows.index(row)]).chain_id: _stored_start(job, row) for row in found}


def _stored_start(job: NewJob, row: Any) -> list[Transition]:
    if row["type"] != job.type or not row["same_input"]:
        return []
    at, failed_with = row["created_at"], row["failed_with"]
    return build.started(job, at=at, run_at=row["run_at"], is_blocked=row["born_blocked"], failed_with=failed_with)


# Blockers


class StartPlan(Struct, kw_only=True):
    """A chain about to be started, and the outcome of its blockers for it."""

    job: NewJob
    decision: WaitDecision
    waited_on: bool = False


async def _plan(session: PostgresSession, jobs: Sequence[NewJob]) -> list[StartPlan]:
    """Plan the starts; blockers that come earlier in the batch are looked up in the plan itself."""
    ours: set[str] = set()
    others: set[str] = set()
    for job in jobs:
        others.update(blocker for blocker in job.blockers if blocker not in ours)
        ours.add(job.chain_id)
    # Blockers that the batch itself starts have no row to lock yet, and nobody can close them before the commit.
    statuses = await lock_blockers(session, others) if others else {}
    plans: dict[str, StartPlan] = {}
    for job in jobs:
        known = {blocker: _status_of(blocker, plans, statuses) for blocker in job.blockers}
        plans[job.chain_id] = StartPlan(job=job, decision=decide_wait(rule_of(job), known))
    return [*plans.values()]


def _status_of(blocker: str, plans: dict[str, StartPlan], statuses: dict[str, Status]) -> Status:
    if (plan := plans.get(blocker)) is not None:
        plan.waited_on = True
        return Status.FAILED if plan.decision.failed_blocker else Status.BLOCKED
    return statuses[blocker]


async def _insert(session: PostgresSession, plans: Sequence[StartPlan]) -> dict[str, list[Transition]]:
    transitions: dict[str, list[Transition]] = {}
    for start in range(0, len(plans), CHUNK):
        chunk = plans[start : start + CHUNK]
        row = await session.row(
            "create_constrained", *_columns([plan.job for plan in chunk]), *_constraint_columns(chunk)
        )
        await blocker_rows.add(session, [_wait(plan) for plan in chunk], row["at"])
        for plan, run_at in zip(chunk, row["run_at"], strict=True):
            transitions[plan.job.chain_id] = _planned(plan, row["at"], run_at)
    # A chain that fails at its start is closed, so its key is free again.
    failed = [plan.job.chain_id for plan in plans if plan.decision.failed_blocker and _releases_key(plan.job)]
    if failed:
        await session.rows("free_keys", failed)
    return transitions


def _wait(plan: StartPlan) -> BlockedJob:
    job = plan.job
    return BlockedJob(
        chain_id=job.chain_id,
        position=0,
        blockers=job.blockers,
        rule=rule_of(job),
        decision=plan.decision,
    )


def _planned(plan: StartPlan, at: datetime, run_at: datetime) -> list[Transition]:
    end = plan.decision
    return build.started(plan.job, at=at, run_at=run_at, is_blocked=end.is_blocked, failed_with=end.failed_with)


# Columns


def _started(jobs: Sequence[NewJob], row: Any) -> list[Transition]:
    """Return the transitions of a batch from the row of ``create.sql``."""
    at: datetime = row["at"]
    taken: set[str] = set(row["taken"] or ())
    later = dict(zip(row["later"], row["run_at"], strict=True))
    return [
        build.created(job, Status.SCHEDULED if n in later else Status.READY, at=at, run_at=later.get(n, at))
        for n, job in enumerate(jobs)
        if job.chain_id not in taken
    ]


def _columns(jobs: Sequence[NewJob]) -> tuple[list[Any] | None, ...]:
    return (
        [job.chain_id for job in jobs],
        [job.type for job in jobs],
        [job.queue for job in jobs],
        [job.input for job in jobs],
        [job.priority for job in jobs],
        rows.column([job.at for job in jobs]),
        rows.column([job.delay for job in jobs]),
        rows.column([job.trace for job in jobs]),
        rows.column([job.meta for job in jobs]),
        rows.column([job.expires for job in jobs]),
    )


def _constraint_columns(plans: Sequence[StartPlan]) -> tuple[list[Any] | None, ...]:
    decisions = [plan.decision for plan in plans]
    dedups = [plan.job.dedup for plan in plans]
    rule = [rule_of(plan.job).columns for plan in plans]
    return (
        [dedup and dedup.key for dedup in dedups],
        rows.column([keeps_dedup_key(plan.job) or None for plan in plans]),
        rows.column([len(plan.job.blockers) or None for plan in plans]),
        rows.column([until for until, _ in rule]),
        rows.column([on_failure for _, on_failure in rule]),
        [len(decision.awaited) for decision in decisions],
        [plan.waited_on for plan in plans],
        rows.column([decision.failure and decision.failure.type for decision in decisions]),
        rows.column([decision.failure and decision.failure.text for decision in decisions]),
        rows.column([encode(plan.job.aliases).decode() if plan.job.aliases else None for plan in plans]),
    )


def _releases_key(job: NewJob) -> bool:
    return job.dedup is not None and not keeps_dedup_key(job)
