"""The effect of a chain's end on the jobs that wait for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.json import Decoder

from ..model import JobKey, Status, Transition, Until, Verb
from ..transitions import build
from ..transitions.blockers import failure_by
from .closed_jobs import ClosedJob, close
from .rows import OPEN_JOBS, TEXTS, OpenJob
from .session import SqliteSession, batch

MAX_DEPENDENTS = 1000
"""The largest number of dependents in one commit: it holds the write lock. `unblock_pending` does the rest."""


class DependentRow(Struct, frozen=True, array_like=True):
    """A dependent whose blocker has ended, but that was not released from it yet."""

    chain_id: str
    position: int
    ordinal: int
    blocker_id: str
    status: Status


_DEPENDENTS = Decoder(list[DependentRow])
_UNBLOCKED = Decoder(list[tuple[OpenJob, str | None]])
_Ends: TypeAlias = Mapping[JobKey, Sequence[DependentRow]]


async def unblock_dependents(
    db: SqliteSession, at: int, closed: Iterable[str], *, budget: int = MAX_DEPENDENTS
) -> list[Transition]:
    """
    Unblock or fail the jobs that wait for ``closed``, and those that wait for the failed ones, and so on.

    Dependents beyond ``budget`` are left to ``unblock_pending``.
    """
    transitions: list[Transition] = []
    blockers = list(closed)
    while blockers:
        rows = await db.read("find_dependents", _DEPENDENTS, blockers=batch(blockers), limit=budget + 1)
        # One more row than the budget was read: if it is there, the rest waits for the next round.
        if len(rows) > budget:
            await db.write("add_pending", chains=batch(blockers))
            rows = rows[:budget]
        budget -= len(rows)
        changes, failed = await _apply_ends(db, at, rows)
        transitions += changes
        # A job that failed has ended its chain, and so the blockers of others.
        blockers = [job.chain_id for job in failed if job.waited_on]
    return transitions


async def past_unblocks(db: SqliteSession, at: int, closed: Sequence[str]) -> list[Transition]:
    """Return the transitions that ``unblock_dependents`` made for chains that closed at that time."""
    transitions: list[Transition] = []
    blockers = list(closed)
    while blockers:
        unblocked = await db.read("read_past_unblocks", _UNBLOCKED, blockers=batch(blockers), at=at)
        in_order = sorted(unblocked, key=lambda each: each[1] is not None)
        transitions += [build.blockers_ended(job.snapshot(at), failed_with=error_type) for job, error_type in in_order]
        blockers = [job.chain_id for job, error_type in unblocked if error_type is not None and job.waited_on]
    return transitions


async def has_pending(db: SqliteSession, at: int) -> bool:
    """Return whether there is work for ``unblock_pending``. Asked first, so that it rarely needs the write lock."""
    return bool(await db.read("read_pending", TEXTS, limit=1))


async def unblock_pending(db: SqliteSession, at: int, *, limit: int) -> list[Transition]:
    """Unblock or fail some of the dependents that were left pending."""
    pending = await db.read("read_pending", TEXTS, limit=limit)
    if not pending:
        return []
    transitions = await unblock_dependents(db, at, pending, budget=limit)
    await db.write("remove_pending", chains=batch(pending))
    return transitions


async def _apply_ends(
    db: SqliteSession, at: int, rows: Sequence[DependentRow]
) -> tuple[list[Transition], list[OpenJob]]:
    """Release dependents from their ended blockers; return the transitions, and the jobs that failed."""
    if not rows:
        return [], []
    # Released even if the dependent is closed already, as by another blocker: its rows must not be found again.
    released = [(row.chain_id, row.position, row.ordinal) for row in rows]
    await db.write("release_dependents", blockers=batch(released), now=at)
    ends: defaultdict[JobKey, list[DependentRow]] = defaultdict(list)
    # By dependent: two of its blockers may end in one batch, and each counts.
    for row in rows:
        ends[row.chain_id, row.position].append(row)
    chains = list(dict.fromkeys(row.chain_id for row in rows))
    waiting = [
        job
        for job in await db.read("read_open_jobs", OPEN_JOBS, chains=batch(chains))
        if job.blocked_by_count and job.key in ends
    ]
    failing = {job.chain_id: by for job in waiting if (by := _failing_blocker(job, ends[job.key]))}
    failed = [job for job in waiting if job.chain_id in failing]
    unblocked = await _count_down(db, at, [job for job in waiting if job.chain_id not in failing], ends)
    return unblocked + await _fail(db, at, failed, failing), failed


def _failing_blocker(job: OpenJob, ends: Sequence[DependentRow]) -> DependentRow | None:
    """Return the blocker because of which the condition can never be met, if there is one."""
    failing = next((row for row in ends if job.rule.is_failed_by(row.status)), None)
    if failing is None or job.rule.until is Until.ALL:
        return failing
    # Of any-of, the job fails only with its last open blocker, and only if none of those that end now meets it.
    is_last = len(ends) == job.blocked_by_count and not _is_met(job, ends)
    return failing if is_last else None


def _is_met(job: OpenJob, ends: Sequence[DependentRow]) -> bool:
    return job.rule.until is Until.ANY and any(job.rule.is_met_by(row.status) for row in ends)


async def _count_down(db: SqliteSession, at: int, jobs: Sequence[OpenJob], ends: _Ends) -> list[Transition]:
    """Store how many blockers are left; return the transitions of the jobs that are unblocked."""
    if not jobs:
        return []
    left = {job.key: 0 if _is_met(job, ends[job.key]) else job.blocked_by_count - len(ends[job.key]) for job in jobs}
    await db.write("count_down", dependents=batch([(job.chain_id, left[job.key]) for job in jobs]), now=at)
    # Of any-of, one blocker is enough: the other rows are released too, or a later end would find them.
    unblocked_early = [job.key for job in jobs if not left[job.key] and job.blocked_by_count > len(ends[job.key])]
    if unblocked_early:
        await db.write("release_other_blockers", jobs=batch(unblocked_early), now=at)
    return [build.blockers_ended(job.snapshot(at), failed_with=None) for job in jobs if not left[job.key]]


async def _fail(
    db: SqliteSession, at: int, jobs: Sequence[OpenJob], failing: Mapping[str, DependentRow]
) -> list[Transition]:
    if not jobs:
        return []
    failures = {
        job.chain_id: failure_by(failing[job.chain_id].blocker_id, failing[job.chain_id].status) for job in jobs
    }
    ended = [
        ClosedJob(chain_id, Status.FAILED, Verb.FAIL_BY_BLOCKER, None, failure.type, failure.text)
        for chain_id, failure in failures.items()
    ]
    await close(db, at, ended, with_dedup=any(job.has_dedup for job in jobs))
    return [build.blockers_ended(job.snapshot(at), failed_with=failures[job.chain_id].type) for job in jobs]
