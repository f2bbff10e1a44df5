"""Chains that are closed or deleted by request or by time, whether a worker runs them or not."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.json import Decoder

from ..model import Closure, Completes, Continues, Status, Successor, Transition, Verb
from ..transitions import build, refusals
from ..transitions.blockers import NO_WAIT, WaitDecision
from .closed_jobs import ClosedJob, close, end_attempts
from .open_jobs import check_known, open_jobs, open_step
from .rows import NUMBERS, OPEN_JOBS, TEXTS, AnyJob, OpenJob, to_datetime
from .session import SqliteSession, batch
from .settle import advanced_row, blocker_request
from .start import due_at, job_row
from .unblock import unblock_dependents
from .value_checks import check_outcome
from .waits import block

_ANY_JOBS = Decoder(list[AnyJob])
_PAIRS = Decoder(list[tuple[str, str]])


async def complete_externally(db: SqliteSession, at: int, *, closures: Sequence[Closure]) -> list[Transition]:
    """Close open jobs one after the other. A chain that is in the batch twice is closed job by job."""
    transitions: list[Transition] = []
    for closure in closures:
        check_outcome(closure.outcome)
        transitions += await _complete(db, at, closure)
    return transitions


async def _complete(db: SqliteSession, at: int, closure: Closure) -> list[Transition]:
    job = await open_step(db, closure.chain_id, closure.steps)
    # A worker that runs the job is fenced off: its token goes with the open row.
    await end_attempts(db, at, [job], Verb.COMPLETE_EXTERNALLY)
    match closure.outcome:
        case Completes(output):
            ended = ClosedJob(job.chain_id, Status.COMPLETED, Verb.COMPLETE_EXTERNALLY, output)
            await close(db, at, [ended], with_dedup=bool(job.has_dedup))
            transitions = [build.moved(job.snapshot(at), Verb.COMPLETE_EXTERNALLY, Status.COMPLETED)]
            return transitions + await unblock_dependents(db, at, [job.chain_id] if job.waited_on else [])
        case Continues(successor):
            return await _continue(db, at, job, successor)


async def _continue(db: SqliteSession, at: int, job: OpenJob, successor: Successor) -> list[Transition]:
    ended = ClosedJob(job.chain_id, Status.CONTINUED, Verb.COMPLETE_EXTERNALLY)
    await db.write("record_outcomes", closed=batch([ended]), now=at)
    await db.write("create_jobs", jobs=batch([job_row(successor, job.chain_id, job.position + 1)]), now=at)
    await db.write("advance_chains", advanced=batch([advanced_row(successor, job.chain_id, at)]))
    decision = await _wait(db, at, job, successor)
    transitions = build.continued_externally(
        job.snapshot(at),
        successor,
        at=to_datetime(at),
        run_at=to_datetime(due_at(successor, at)),
        is_blocked=decision.is_blocked,
        failed_with=decision.failed_with,
    )
    return transitions + await unblock_dependents(db, at, [job.chain_id] if decision.failure else [])


async def _wait(db: SqliteSession, at: int, job: OpenJob, successor: Successor) -> WaitDecision:
    """Block the successor by its blockers, if it has any."""
    if not successor.blockers:
        return NO_WAIT
    (decision,) = await block(db, at, [blocker_request(job.key, successor)])
    return decision


async def cancel(db: SqliteSession, at: int, *, chain_ids: Sequence[str]) -> list[Transition]:
    """Close open chains as cancelled, and fail the chains that wait for them."""
    return await _cancel(db, at, await open_jobs(db, chain_ids), Verb.CANCEL)


async def has_expired(db: SqliteSession, at: int) -> bool:
    """Return whether any job has expired. Asked first, so that ``expire`` rarely needs the write lock."""
    return bool(await db.read("find_any_expired", NUMBERS, now=at))


async def expire(db: SqliteSession, at: int, *, limit: int) -> list[Transition]:
    """Close as cancelled the jobs that were not started in time."""
    return await _cancel(db, at, await db.read("find_expired", OPEN_JOBS, now=at, limit=limit), Verb.EXPIRE)


async def _cancel(db: SqliteSession, at: int, jobs: Sequence[OpenJob], verb: Verb) -> list[Transition]:
    if not jobs:
        return []
    await end_attempts(db, at, jobs, verb)
    ended = [ClosedJob(job.chain_id, Status.CANCELLED, verb) for job in jobs]
    await close(db, at, ended, with_dedup=any(job.has_dedup for job in jobs))
    # Dependents fail in the same commit, and so do theirs.
    transitions = [build.moved(job.snapshot(at), verb, Status.CANCELLED) for job in jobs]
    return transitions + await unblock_dependents(db, at, [job.chain_id for job in jobs if job.waited_on])


async def delete(db: SqliteSession, at: int, *, chain_ids: Sequence[str], cascade: bool) -> list[Transition]:
    """Delete chains with their history, unless a chain outside the set has one of them as a blocker."""
    unique = list(dict.fromkeys(chain_ids))
    await check_known(db, unique)
    if cascade:
        unique = await db.read("find_cascade", TEXTS, chains=batch(unique))
    chains = batch(unique)
    # Under the write lock, so that no start can add a dependent between this check and the delete.
    for dependent, blocker in await db.read("find_dependent", _PAIRS, chains=chains):
        raise refusals.still_referenced(dependent, blocker)
    jobs = await db.read("read_deleted", _ANY_JOBS, chains=chains, now=at)
    await db.write("delete_open", chains=chains)
    for table in ("dedup", "job", "outcome", "attempt", "blocker", "pending"):
        await db.write(f"delete_{table}", chains=chains)
    in_order = sorted(jobs, key=lambda job: (job.index, job.position))
    return [build.moved(job.snapshot(at), Verb.DELETE, None) for job in in_order]


async def truncate_all(db: SqliteSession, at: int) -> None:
    """Delete the rows of all tables."""
    for name in ("open", "dedup", "job", "outcome", "attempt", "blocker", "pending", "worker", "leader"):
        await db.write(f"truncate_{name}")
