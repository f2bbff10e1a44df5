"""Chains, started: plain ones in one statement, those with blockers or a dedup key in several."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from ..errors import NotFound, Unavailable
from ..model import Created, NewJob, Status, Transition
from . import rows
from .copying import copy_in
from .database import Session
from .errors import is_taken

Made = tuple[list[Created], list[Transition]]

LARGE: Final = 500
"""From how many chains on a batch is copied in."""

CHUNK: Final = 2000
"""How many chains one statement starts that cannot be copied in."""

PATIENCE: Final = "5s"
"""How long a start waits for a lock on a blocker or a dedup key."""

KEY_TRIES: Final = 10
"""How often a start looks again for the holder of a key that another just gave back."""

PASS_OVER: Final = "ON CONFLICT DO NOTHING"


class SomeExist(Exception):
    """Some chain of a batch exists already; nothing was written."""


def is_plain(jobs: Sequence[NewJob]) -> bool:
    """Whether no chain of the batch waits for another or wants a dedup key."""
    return not any(job.blockers or job.dedup for job in jobs)


async def create_fresh(session: Session, jobs: Sequence[NewJob]) -> Made:
    """
    Start plain chains, counting on their ids being new.

    Raises:
        SomeExist: some are not.
    """
    try:
        made = await (copy_in(session, jobs) if is_large(jobs) and session.can_copy else _insert_plain(session, jobs))
    except Exception as error:
        if is_taken(error):
            raise SomeExist from error
        raise
    return [Created(chain_id=job.chain_id) for job in jobs], made


def is_large(jobs: Sequence[NewJob]) -> bool:
    """Whether the batch is worth a COPY where the driver has one, in a transaction of several statements."""
    return len(jobs) >= LARGE


async def _insert_plain(session: Session, jobs: Sequence[NewJob]) -> list[Transition]:
    chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    return [
        change
        for chunk in chunks
        for change in _started(chunk, await session.row("create", *_columns(chunk), if_taken=""))
    ]


async def create_plain(session: Session, jobs: Sequence[NewJob], *, again: bool) -> Made:
    """Start plain chains, passing over ids that exist."""
    firsts = list({job.chain_id: job for job in reversed(jobs)}.values())[::-1]
    taken: set[str] = set()
    made: dict[str, list[Transition]] = {}
    for start in range(0, len(firsts), CHUNK):
        chunk = firsts[start : start + CHUNK]
        row = await session.row("create", *_columns(chunk), if_taken=PASS_OVER)
        taken.update(row["taken"] or ())
        made |= {change.chain_id: [change] for change in _started(chunk, row)}
    if taken and again:
        before = await _made_before(session, [job for job in firsts if job.chain_id in taken])
        made |= {chain_id: changes for chain_id, changes in before.items() if changes}
    return _in_order(jobs, {}, made)


async def create_tied(session: Session, jobs: Sequence[NewJob], *, again: bool) -> Made:
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
        holders = await _take_keys(session, fresh)
        plans = await _plan(session, [job for job in fresh if job.chain_id not in holders])
        made = await _insert(session, plans)
    kept = {chain_id: changes for chain_id, changes in before.items() if again and changes}
    return _in_order(jobs, holders, kept | made)


@asynccontextmanager
async def _patience(session: Session) -> AsyncGenerator[None]:
    before = (await session.row("lock_patience", PATIENCE))["before"]
    try:
        yield
    except Exception as error:
        if is_taken(error):
            raise Unavailable("a chain with the same id is being started by somebody else") from error
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


async def _made_before(session: Session, jobs: Sequence[NewJob]) -> dict[str, list[Transition]]:
    """For each chain that exists: what its start made, if it was a start of the same type and input."""
    found = await session.rows("read_existing", [job.chain_id for job in jobs], [job.input for job in jobs])
    return {(job := jobs[rows.place(row)]).chain_id: _remade(job, row) for row in found}


def _remade(job: NewJob, row: Any) -> list[Transition]:
    if row["type"] != job.type or not row["same_input"]:
        return []
    at = row["created_at"]
    failed_with = row["failed_with"]
    status = Status.BLOCKED if row["awaited"] or failed_with else rows.waiting(row["run_at"], at)
    created = rows.created(job, at=at, run_at=row["run_at"], target=status)
    return [created, rows.failed_at_once(created, failed_with)] if failed_with else [created]


# Dedup keys


async def _take_keys(session: Session, jobs: Sequence[NewJob]) -> dict[str, str]:
    """Take the keys of these starts; the chains that hold the others, by the id that asked in vain."""
    firsts: dict[tuple[str, str], str] = {}
    holders: dict[str, str] = {}
    for job in jobs:
        if job.dedup and (first := firsts.setdefault((job.type, job.dedup.key), job.chain_id)) != job.chain_id:
            holders[job.chain_id] = first
    elsewhere = await _settle_keys(session, firsts)
    return {asked: elsewhere.get(first, first) for asked, first in holders.items()} | elsewhere


async def _settle_keys(session: Session, wanted: dict[tuple[str, str], str]) -> dict[str, str]:
    holders: dict[str, str] = {}
    for _ in range(KEY_TRIES):
        if not wanted:
            return holders
        taken = await session.rows("take_keys", [t for t, _ in wanted], [k for _, k in wanted], [*wanted.values()])
        won = {row["chain_id"] for row in taken}
        lost = [key for key, chain_id in wanted.items() if chain_id not in won]
        held = await session.rows("read_keys", [t for t, _ in lost], [k for _, k in lost]) if lost else []
        found = {lost[rows.place(row)]: row["chain_id"] for row in held}
        holders |= {wanted[key]: holder for key, holder in found.items()}
        wanted = {key: wanted[key] for key in lost if key not in found}
    raise Unavailable("a dedup key changes hands too fast, or the transaction cannot see who holds it")


# Blockers


class Plan(Struct, kw_only=True):
    """A chain about to be started, and what its blockers mean for it."""

    job: NewJob
    standing: dict[str, Status]
    waited_on: bool = False

    @property
    def bad(self) -> str | None:
        """The first blocker that did not complete."""
        return next((id for id, status in self.standing.items() if status in rows.BAD_ENDS), None)

    @property
    def awaited(self) -> int:
        return sum(status is not Status.COMPLETED for status in self.standing.values())


async def _plan(session: Session, jobs: Sequence[NewJob]) -> list[Plan]:
    """How each job's blockers stand; those earlier in the batch are taken from the plan itself."""
    ours: set[str] = set()
    others: set[str] = set()
    for job in jobs:
        others.update(blocker for blocker in job.blockers if blocker not in ours)
        ours.add(job.chain_id)
    standing = await _hold_blockers(session, sorted(others))
    plans: dict[str, Plan] = {}
    for job in jobs:
        plan = Plan(job=job, standing={id: _standing(id, plans, standing) for id in job.blockers})
        plans[job.chain_id] = plan
    return [*plans.values()]


def _standing(blocker: str, plans: dict[str, Plan], standing: dict[str, Status]) -> Status:
    if (plan := plans.get(blocker)) is not None:
        plan.waited_on = True
        return Status.FAILED if plan.bad else Status.BLOCKED
    if blocker not in standing:
        raise NotFound(f"the blocker {blocker} does not exist")
    return standing[blocker]


async def _hold_blockers(session: Session, blockers: list[str]) -> dict[str, Status]:
    if not blockers:
        return {}
    held = {row["chain_id"] for row in await session.rows("hold_blockers", blockers)}
    standing = dict.fromkeys(held, Status.BLOCKED)
    rest = [blocker for blocker in blockers if blocker not in held]
    closed = await session.rows("read_blockers", rest) if rest else []
    return standing | {row["chain_id"]: Status(row["status"]) for row in closed}


async def _insert(session: Session, plans: Sequence[Plan]) -> dict[str, list[Transition]]:
    made: dict[str, list[Transition]] = {}
    for start in range(0, len(plans), CHUNK):
        chunk = plans[start : start + CHUNK]
        row = await session.row("create_tied", *_columns([plan.job for plan in chunk]), *_ties(chunk))
        await _add_edges(session, chunk, row["at"])
        for plan, run_at in zip(chunk, row["run_at"], strict=True):
            made[plan.job.chain_id] = _planned(plan, row["at"], run_at)
    failed = [plan.job.chain_id for plan in plans if plan.bad and plan.job.dedup]
    if failed:
        await session.rows("free_keys", failed)
    return made


async def _add_edges(session: Session, plans: Sequence[Plan], at: datetime) -> None:
    edges = [
        (plan.job.chain_id, blocker, n, None if rows.awaits(status) and not plan.bad else at)
        for plan in plans
        for n, (blocker, status) in enumerate(plan.standing.items())
    ]
    if edges:
        await session.rows("add_edges", *(list(column) for column in zip(*edges, strict=True)))


def _planned(plan: Plan, at: datetime, run_at: datetime) -> list[Transition]:
    status = Status.BLOCKED if plan.awaited else rows.waiting(run_at, at)
    created = rows.created(plan.job, at=at, run_at=run_at, target=status)
    if bad := plan.bad:
        return [created, rows.failed_at_once(created, rows.blocker_failure(bad, plan.standing[bad]).type)]
    return [created]


# Columns


def _started(jobs: Sequence[NewJob], row: Any) -> list[Transition]:
    """What ``create.sql`` made of a batch."""
    at: datetime = row["at"]
    taken: set[str] = set(row["taken"] or ())
    later = dict(zip(row["later"], row["run_at"], strict=True))
    return [
        rows.created(job, at=at, run_at=later.get(n, at), target=Status.SCHEDULED if n in later else Status.READY)
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
    )


def _ties(plans: Sequence[Plan]) -> tuple[list[Any], ...]:
    failures = [rows.blocker_failure(bad, plan.standing[bad]) if (bad := plan.bad) else None for plan in plans]
    return (
        [plan.job.dedup.key if plan.job.dedup else None for plan in plans],
        [len(plan.standing) or None for plan in plans],
        [plan.awaited for plan in plans],
        [plan.waited_on for plan in plans],
        [failure and failure.type for failure in failures],
        [failure and failure.text for failure in failures],
    )
