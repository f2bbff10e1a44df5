"""Chains, started: plain ones in one statement, those with blockers or a dedup key in several."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

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
from .locks import hold_blockers

Made = tuple[list[Created], list[Transition]]

LARGE: Final = 500
"""From how many chains on a batch is copied in."""

CHUNK: Final = 2000
"""How many chains one statement starts that cannot be copied in."""

PATIENCE: Final = "5s"
"""How long a start waits for a lock on a blocker or a dedup key."""

PASS_OVER: Final = "ON CONFLICT DO NOTHING"

NONE_EXPIRES: Final = "NULL FROM made"
SOME_EXPIRE: Final = "item.expires_at FROM made JOIN item ON item.chain_id = made.chain_id"


class SomeExist(Exception):
    """Some chain of a batch exists already; nothing was written."""


def is_plain(jobs: Sequence[NewJob]) -> bool:
    """Whether no chain of the batch waits for another or wants a dedup key."""
    return not any(job.blockers or job.dedup for job in jobs)


async def create_fresh(session: PostgresSession, jobs: Sequence[NewJob]) -> Made:
    """
    Start plain chains, counting on their ids being new.

    Raises:
        SomeExist: some are not.
    """
    try:
        made = await (copy_in(session, jobs) if _can_copy(session, jobs) else _insert_plain(session, jobs))
    except Exception as error:
        if is_taken(error):
            raise SomeExist from error
        raise
    return [Created(chain_id=job.chain_id) for job in jobs], made


def is_large(jobs: Sequence[NewJob]) -> bool:
    """Whether the batch is worth a COPY where the driver has one, in a transaction of several statements."""
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


async def create_plain(session: PostgresSession, jobs: Sequence[NewJob], *, again: bool) -> Made:
    """Start plain chains, passing over ids that exist."""
    firsts = list({job.chain_id: job for job in reversed(jobs)}.values())[::-1]
    taken: set[str] = set()
    made: dict[str, list[Transition]] = {}
    for start in range(0, len(firsts), CHUNK):
        chunk = firsts[start : start + CHUNK]
        row = await session.row("create", *_columns(chunk), if_taken=PASS_OVER, expiry=_expiry(chunk))
        taken.update(row["taken"] or ())
        made |= {change.chain_id: [change] for change in _started(chunk, row)}
    if taken and again:
        before = await _made_before(session, [job for job in firsts if job.chain_id in taken])
        made |= {chain_id: changes for chain_id, changes in before.items() if changes}
    return _in_order(jobs, {}, made)


async def create_tied(session: PostgresSession, jobs: Sequence[NewJob], *, again: bool) -> Made:
    """
    Start chains that may wait for others or hold keys.

    Raises:
        NotFound: a blocker does not exist.
        Unavailable: somebody started a chain with the same id at the same moment.
    """
    async with _patience(session):
        before = await _made_before(session, jobs)
        new = {job.chain_id: job for job in reversed(jobs) if job.chain_id not in before}
        fresh = [job for job in jobs if new.get(job.chain_id) is job]
        holders = await dedup_keys.take(session, fresh)
        plans = await _plan(session, [job for job in fresh if job.chain_id not in holders])
        made = await _insert(session, plans)
    kept = {chain_id: changes for chain_id, changes in before.items() if again and changes}
    return _in_order(jobs, holders, kept | made)


@asynccontextmanager
async def _patience(session: PostgresSession) -> AsyncGenerator[None]:
    before = (await session.row("lock_patience", PATIENCE))["before"]
    try:
        yield
    except Exception as error:
        if is_taken(error):
            raise Unavailable("a chain with the same id is being started by somebody else") from bare(error)
        raise
    await session.row("lock_patience", before)


def _in_order(jobs: Sequence[NewJob], holders: dict[str, str], made: dict[str, list[Transition]]) -> Made:
    created: list[Created] = []
    changes: list[Transition] = []
    for job in jobs:
        own = made.pop(job.chain_id, None)
        if own is not None:
            changes += own
            created.append(Created(chain_id=job.chain_id))
        elif holder := holders.get(job.chain_id):
            created.append(Created(chain_id=holder, deduplicated=True))
        else:
            created.append(Created(chain_id=job.chain_id, exists=True))
    return created, changes


# What exists


async def _made_before(session: PostgresSession, jobs: Sequence[NewJob]) -> dict[str, list[Transition]]:
    """For each chain that exists: what its start made, if it was a start of the same type and input."""
    found = await session.rows("read_existing", [job.chain_id for job in jobs], [job.input for job in jobs])
    return {(job := jobs[rows.place(row)]).chain_id: _remade(job, row) for row in found}


def _remade(job: NewJob, row: Any) -> list[Transition]:
    if row["type"] != job.type or not row["same_input"]:
        return []
    at, failed_with = row["created_at"], row["failed_with"]
    return build.started(job, at=at, run_at=row["run_at"], is_blocked=row["born_blocked"], failed_with=failed_with)


# Blockers


class StartPlan(Struct, kw_only=True):
    """A chain about to be started, and what its blockers mean for it."""

    job: NewJob
    fate: WaitDecision
    waited_on: bool = False


async def _plan(session: PostgresSession, jobs: Sequence[NewJob]) -> list[StartPlan]:
    """What each job's blockers mean for it; those earlier in the batch are taken from the plan itself."""
    ours: set[str] = set()
    others: set[str] = set()
    for job in jobs:
        others.update(blocker for blocker in job.blockers if blocker not in ours)
        ours.add(job.chain_id)
    standing = await hold_blockers(session, others) if others else {}
    plans: dict[str, StartPlan] = {}
    for job in jobs:
        stand = {blocker: _standing(blocker, plans, standing) for blocker in job.blockers}
        plans[job.chain_id] = StartPlan(job=job, fate=decide_wait(rule_of(job), stand))
    return [*plans.values()]


def _standing(blocker: str, plans: dict[str, StartPlan], standing: dict[str, Status]) -> Status:
    if (plan := plans.get(blocker)) is not None:
        plan.waited_on = True
        return Status.FAILED if plan.fate.failed_blocker else Status.BLOCKED
    return standing[blocker]


async def _insert(session: PostgresSession, plans: Sequence[StartPlan]) -> dict[str, list[Transition]]:
    made: dict[str, list[Transition]] = {}
    for start in range(0, len(plans), CHUNK):
        chunk = plans[start : start + CHUNK]
        row = await session.row("create_tied", *_columns([plan.job for plan in chunk]), *_ties(chunk))
        await blocker_rows.add(session, [_wait(plan) for plan in chunk], row["at"])
        for plan, run_at in zip(chunk, row["run_at"], strict=True):
            made[plan.job.chain_id] = _planned(plan, row["at"], run_at)
    failed = [plan.job.chain_id for plan in plans if plan.fate.failed_blocker and _gives_back(plan.job)]
    if failed:
        await session.rows("free_keys", failed)
    return made


def _wait(plan: StartPlan) -> BlockedJob:
    job = plan.job
    return BlockedJob(chain_id=job.chain_id, position=0, blockers=job.blockers, rule=rule_of(job), fate=plan.fate)


def _planned(plan: StartPlan, at: datetime, run_at: datetime) -> list[Transition]:
    fate = plan.fate
    return build.started(plan.job, at=at, run_at=run_at, is_blocked=fate.is_blocked, failed_with=fate.failed_with)


# Columns


def _started(jobs: Sequence[NewJob], row: Any) -> list[Transition]:
    """What ``create.sql`` made of a batch."""
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


def _ties(plans: Sequence[StartPlan]) -> tuple[list[Any] | None, ...]:
    fates = [plan.fate for plan in plans]
    dedups = [plan.job.dedup for plan in plans]
    rule = [rule_of(plan.job).columns for plan in plans]
    return (
        [dedup and dedup.key for dedup in dedups],
        rows.column([keeps_dedup_key(plan.job) or None for plan in plans]),
        rows.column([len(plan.job.blockers) or None for plan in plans]),
        rows.column([until for until, _ in rule]),
        rows.column([on_failure for _, on_failure in rule]),
        [len(fate.awaited) for fate in fates],
        [plan.waited_on for plan in plans],
        rows.column([fate.failure and fate.failure.type for fate in fates]),
        rows.column([fate.failure and fate.failure.text for fate in fates]),
    )


def _gives_back(job: NewJob) -> bool:
    return job.dedup is not None and not keeps_dedup_key(job)
