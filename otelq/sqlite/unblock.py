"""What the end of a chain does to those that wait for it."""

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
"""How many edges one commit tells; the others are left to ``unblock_pending``."""


class DependentRow(Struct, frozen=True, array_like=True):
    """A dependent that was not told yet how its blocker ended."""

    chain_id: str
    position: int
    ordinal: int
    blocker_id: str
    status: Status


_EDGES = Decoder(list[DependentRow])
_UNBLOCKED = Decoder(list[tuple[OpenJob, str | None]])
_Ends: TypeAlias = Mapping[JobKey, Sequence[DependentRow]]


async def unblock_dependents(
    db: SqliteSession, at: int, closed: Iterable[str], *, budget: int = MAX_DEPENDENTS
) -> list[Transition]:
    """
    Unblock or fail the chains that wait for ``closed``, and those that wait for the failed.

    What exceeds ``budget`` is left pending.
    """
    made: list[Transition] = []
    blockers = list(closed)
    while blockers:
        edges = await db.read("find_dependents", _EDGES, blockers=batch(blockers), limit=budget + 1)
        if len(edges) > budget:
            await db.write("add_pending", chains=batch(blockers))
            edges = edges[:budget]
        budget -= len(edges)
        transitions, failed = await _apply_ends(db, at, edges)
        made += transitions
        blockers = [job.chain_id for job in failed if job.waited_on]
    return made


async def past_unblocks(db: SqliteSession, at: int, closed: Sequence[str]) -> list[Transition]:
    """What ``unblock_dependents`` did for chains that closed ``at`` that time, told again."""
    made: list[Transition] = []
    blockers = list(closed)
    while blockers:
        told = await db.read("read_past_unblocks", _UNBLOCKED, blockers=batch(blockers), at=at)
        in_order = sorted(told, key=lambda each: each[1] is not None)
        made += [build.blockers_ended(job.snapshot(at), failed_with=error_type) for job, error_type in in_order]
        blockers = [job.chain_id for job, error_type in told if error_type is not None and job.waited_on]
    return made


async def has_pending(db: SqliteSession, at: int) -> bool:
    """Whether anything was left to ``unblock_pending``; asked first, so that it rarely needs the write lock."""
    return bool(await db.read("read_pending", TEXTS, limit=1))


async def unblock_pending(db: SqliteSession, at: int, *, limit: int) -> list[Transition]:
    """Tell some of the dependents that were left pending."""
    pending = await db.read("read_pending", TEXTS, limit=limit)
    if not pending:
        return []
    made = await unblock_dependents(db, at, pending, budget=limit)
    await db.write("remove_pending", chains=batch(pending))
    return made


async def _apply_ends(
    db: SqliteSession, at: int, edges: Sequence[DependentRow]
) -> tuple[list[Transition], list[OpenJob]]:
    """Tell dependents how their blockers ended; returns what was done, and the jobs that failed by it."""
    if not edges:
        return [], []
    released = [(edge.chain_id, edge.position, edge.ordinal) for edge in edges]
    await db.write("release_dependents", blockers=batch(released), now=at)
    ends: defaultdict[JobKey, list[DependentRow]] = defaultdict(list)
    for edge in edges:
        ends[edge.chain_id, edge.position].append(edge)
    chains = list(dict.fromkeys(edge.chain_id for edge in edges))
    waiting = [
        job
        for job in await db.read("read_open_jobs", OPEN_JOBS, chains=batch(chains))
        if job.blocked_by_count and job.key in ends
    ]
    lost = {job.chain_id: by for job in waiting if (by := _failing_blocker(job, ends[job.key]))}
    failed = [job for job in waiting if job.chain_id in lost]
    told = await _count_down(db, at, [job for job in waiting if job.chain_id not in lost], ends)
    return told + await _fail(db, at, failed, lost), failed


def _failing_blocker(job: OpenJob, ends: Sequence[DependentRow]) -> DependentRow | None:
    """The blocker whose end means that the condition can never be met, if there is one."""
    lost = next((edge for edge in ends if job.rule.is_failed_by(edge.status)), None)
    if lost is None or job.rule.until is Until.ALL:
        return lost
    is_last = len(ends) == job.blocked_by_count and not _is_met(job, ends)
    return lost if is_last else None


def _is_met(job: OpenJob, ends: Sequence[DependentRow]) -> bool:
    return job.rule.until is Until.ANY and any(job.rule.is_met_by(edge.status) for edge in ends)


async def _count_down(db: SqliteSession, at: int, jobs: Sequence[OpenJob], ends: _Ends) -> list[Transition]:
    """Note how many blockers are left; returns who is free."""
    if not jobs:
        return []
    left = {job.key: 0 if _is_met(job, ends[job.key]) else job.blocked_by_count - len(ends[job.key]) for job in jobs}
    await db.write("count_down", dependents=batch([(job.chain_id, left[job.key]) for job in jobs]), now=at)
    early = [job.key for job in jobs if not left[job.key] and job.blocked_by_count > len(ends[job.key])]
    if early:
        await db.write("release_other_blockers", jobs=batch(early), now=at)
    return [build.blockers_ended(job.snapshot(at), failed_with=None) for job in jobs if not left[job.key]]


async def _fail(
    db: SqliteSession, at: int, jobs: Sequence[OpenJob], lost: Mapping[str, DependentRow]
) -> list[Transition]:
    if not jobs:
        return []
    failures = {job.chain_id: failure_by(lost[job.chain_id].blocker_id, lost[job.chain_id].status) for job in jobs}
    ended = [
        ClosedJob(chain_id, Status.FAILED, Verb.FAIL_BY_BLOCKER, None, failure.type, failure.text)
        for chain_id, failure in failures.items()
    ]
    await close(db, at, ended, with_dedup=any(job.has_dedup for job in jobs))
    return [build.blockers_ended(job.snapshot(at), failed_with=failures[job.chain_id].type) for job in jobs]
