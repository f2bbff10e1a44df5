"""What the end of a chain does to those that wait for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.json import Decoder

from ..model import Failure, Status, Transition, Verb
from .ending import Close, close
from .rows import OPEN_JOBS, TEXTS, OpenJob, moved
from .session import Session, batch

MOST_DEPENDENTS = 1000
"""How many waiting chains one commit tells; the others are left to ``mop_up``."""


class Edge(Struct, frozen=True, array_like=True):
    """A dependent that was not told yet how its blocker ended."""

    chain_id: str
    ordinal: int
    blocker_id: str
    status: Status


_EDGES = Decoder(list[Edge])
_TOLD = Decoder(list[tuple[OpenJob, str | None]])


async def follow(db: Session, at: int, closed: Iterable[str], *, budget: int = MOST_DEPENDENTS) -> list[Transition]:
    """
    Unblock or fail the chains that wait for ``closed``, and those that wait for the failed.

    What exceeds ``budget`` is left pending.
    """
    made: list[Transition] = []
    blockers = list(closed)
    while blockers:
        edges = await db.read("follow_edges", _EDGES, blockers=batch(blockers), most=budget + 1)
        if len(edges) > budget:
            await db.write("pending_add", chains=batch(blockers))
            edges = edges[:budget]
        budget -= len(edges)
        transitions, failed = await _tell(db, at, edges)
        made += transitions
        blockers = [job.chain_id for job in failed if job.waited_on]
    return made


async def followed(db: Session, at: int, closed: Sequence[str]) -> list[Transition]:
    """What ``follow`` did for chains that closed ``at`` that time, told again."""
    made: list[Transition] = []
    blockers = list(closed)
    while blockers:
        told = await db.read("follow_before", _TOLD, blockers=batch(blockers), at=at)
        made += [_free(job, at) for job, error_type in told if error_type is None]
        made += [_failed(job, at, error_type) for job, error_type in told if error_type is not None]
        blockers = [job.chain_id for job, error_type in told if error_type is not None and job.waited_on]
    return made


async def has_pending(db: Session, at: int) -> bool:
    """Whether anything was left to ``mop_up``; asked first, so that it rarely needs the write lock."""
    return bool(await db.read("pending_look", TEXTS, most=1))


async def mop_up(db: Session, at: int, *, limit: int) -> list[Transition]:
    """Tell some of the dependents that were left pending."""
    pending = await db.read("pending_look", TEXTS, most=limit)
    if not pending:
        return []
    made = await follow(db, at, pending, budget=limit)
    await db.write("pending_done", chains=batch(pending))
    return made


async def _tell(db: Session, at: int, edges: Sequence[Edge]) -> tuple[list[Transition], list[OpenJob]]:
    """Tell dependents how their blockers ended; returns what was done, and the jobs that failed by it."""
    if not edges:
        return [], []
    await db.write("follow_resolve", edges=batch([(edge.chain_id, edge.ordinal) for edge in edges]), now=at)
    chains = list(dict.fromkeys(edge.chain_id for edge in edges))
    waiting = [job for job in await db.read("open_look", OPEN_JOBS, chains=batch(chains)) if job.blocked_by_count]
    bad = {edge.chain_id: edge for edge in reversed(edges) if edge.status is not Status.COMPLETED}
    failed = [job for job in waiting if job.chain_id in bad]
    freed = Counter(edge.chain_id for edge in edges)
    told = await _unblock(db, at, [job for job in waiting if job.chain_id not in bad], freed)
    return told + await _fail(db, at, failed, bad), failed


async def _unblock(db: Session, at: int, jobs: Sequence[OpenJob], freed: Mapping[str, int]) -> list[Transition]:
    if not jobs:
        return []
    dependents = [(job.chain_id, freed[job.chain_id]) for job in jobs]
    await db.write("follow_unblock", dependents=batch(dependents), now=at)
    return [_free(job, at) for job in jobs if job.blocked_by_count == freed[job.chain_id]]


async def _fail(db: Session, at: int, jobs: Sequence[OpenJob], edges: Mapping[str, Edge]) -> list[Transition]:
    if not jobs:
        return []
    failures = {
        job.chain_id: blocker_failure(edges[job.chain_id].blocker_id, edges[job.chain_id].status) for job in jobs
    }
    ended = [
        Close(chain_id, Status.FAILED, Verb.FAIL_BY_BLOCKER, None, failure.type, failure.text)
        for chain_id, failure in failures.items()
    ]
    await close(db, at, ended, with_dedup=any(job.has_dedup for job in jobs))
    return [_failed(job, at, failures[job.chain_id].type) for job in jobs]


def _free(job: OpenJob, at: int) -> Transition:
    if job.run_at > at:
        return moved(job, Verb.UNBLOCK, Status.SCHEDULED, at=at, due_at=job.run_at)
    return moved(job, Verb.UNBLOCK, Status.READY, at=at)


def _failed(job: OpenJob, at: int, error_type: str) -> Transition:
    return moved(job, Verb.FAIL_BY_BLOCKER, Status.FAILED, at=at, error_type=error_type)


def blocker_failure(blocker: str, status: Status | None) -> Failure:
    """Why a chain fails whose blocker ended badly."""
    word = "cancelled" if status is Status.CANCELLED else "failed"
    return Failure(f"otelq.Chain{word.capitalize()}", f"the blocker {blocker} ended {word}")
