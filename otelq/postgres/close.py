"""Chains closed by request or because their time ran out, whether or not a worker holds them."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Closure, Completes, Continues, Transition, Verb
from ..transitions import build, refusals
from ..transitions.build import Snapshot
from ..transitions.outcomes import blocker_source
from . import closed_jobs, dedup_keys, rows, waits
from .closed_jobs import OTHERS, ChainTransitions, in_order
from .database import WAIT, PostgresSession
from .locks import lock_jobs
from .waits import WaitRequest, WrittenWait

Continued = tuple[Snapshot, Continues]


async def complete_externally(session: PostgresSession, closures: Sequence[Closure]) -> list[Transition]:
    """Close open jobs without a worker."""
    chain_ids = [closure.chain_id for closure in closures]
    continues = {closure.chain_id: closure.outcome for closure in closures if isinstance(closure.outcome, Continues)}
    blockers = [id for outcome in continues.values() for id in outcome.successor.blockers]
    # Blockers of successors are locked in the same ascending pass as the jobs, or two such calls could deadlock.
    locked = await lock_jobs(session, chain_ids, also=blockers)
    # Under the lock, so that the chain cannot move on to another step before it is closed.
    for closure in closures:
        await check_step(session, locked[closure.chain_id], closure.steps)
    continued = await _continue(session, [(locked[id], outcome) for id, outcome in continues.items()])
    outputs = {closure.chain_id: end.output for closure in closures if isinstance(end := closure.outcome, Completes)}
    closed = await closed_jobs.close(
        session, [locked[id] for id in outputs], verb=Verb.COMPLETE_EXTERNALLY, outputs=outputs
    )
    others = [*continued.pop(OTHERS, ()), *closed.pop(OTHERS, ())]
    return in_order(chain_ids, {**continued, **closed, OTHERS: others})


async def cancel(session: PostgresSession, chain_ids: Sequence[str]) -> list[Transition]:
    """Close open chains as cancelled."""
    locked = await lock_jobs(session, chain_ids)
    return in_order(chain_ids, await closed_jobs.close(session, [*locked.values()], verb=Verb.CANCEL))


async def expire(session: PostgresSession, *, limit: int) -> list[Transition]:
    """Close as cancelled the jobs that no worker started in time."""
    found = [rows.snapshot(row) for row in await session.rows("lock_expired_jobs", limit)]
    # This runs in a worker's loop, which must not wait for a start that takes over one of the keys.
    busy = await dedup_keys.locked_by_others(session, [job.chain_id for job in found])
    jobs = [job for job in found if job.chain_id not in busy]
    return in_order([job.chain_id for job in jobs], await closed_jobs.close(session, jobs, verb=Verb.EXPIRE))


async def check_step(session: PostgresSession, job: Snapshot, steps: Sequence[str]) -> None:
    """
    Check that the open job is of the type with these names; no names are any type.

    Raises:
        JobAlreadyClosed: an earlier job of the chain is of that type.
        JobTypeMismatch: none is.
    """
    if not steps or job.type in steps:
        return
    types = [row["type"] for row in await session.rows("read_steps", job.chain_id)]
    is_past = not set(steps).isdisjoint(types[: job.position])
    raise refusals.wrong_step(job.chain_id, step=steps[0], open_step=job.type, is_past=is_past)


async def _continue(session: PostgresSession, pairs: Sequence[Continued]) -> ChainTransitions:
    # A blocked job that is continued by request waits no longer, even if its blockers are open.
    await closed_jobs.release_blockers(session, [job for job, _ in pairs])
    waiting = [pair for pair in pairs if blocker_source(pair[1])]
    plain = [pair for pair in pairs if not blocker_source(pair[1])]
    return await _continue_plain(session, plain) | await _continue_with_blockers(session, waiting)


async def _continue_plain(session: PostgresSession, pairs: Sequence[Continued]) -> ChainTransitions:
    if not pairs:
        return {}
    pairs = sorted(pairs, key=lambda pair: pair[0].chain_id)
    jobs = [job for job, _ in pairs]
    found = await session.rows(
        "continue",
        Verb.COMPLETE_EXTERNALLY,
        *closed_jobs.token_columns(jobs),
        None,
        *rows.successor_columns([outcome for _, outcome in pairs]),
        [job.chain_type for job in jobs],
        [job.chain_created_at for job in jobs],
        # No worker asks for a lease of the successor.
        None,
        None,
        None,
        lock=WAIT,
    )
    return {pairs[rows.index(row)][0].chain_id: _continued(*pairs[rows.index(row)], row) for row in found}


def _continued(job: Snapshot, outcome: Continues, row: rows.Row) -> list[Transition]:
    return build.continued_externally(job, outcome.successor, at=row["at"], run_at=row["run_at"])


async def _continue_with_blockers(session: PostgresSession, pairs: Sequence[Continued]) -> ChainTransitions:
    if not pairs:
        return {}
    requests = [_request(job, outcome) for job, outcome in sorted(pairs, key=lambda pair: pair[0].chain_id)]
    result = await waits.write_waits(session, requests, verb=Verb.COMPLETE_EXTERNALLY, lock=WAIT)
    by_chain = {job.chain_id: (job, outcome) for job, outcome in pairs}
    own = {one.request.chain_id: _waiting(*by_chain[one.request.chain_id], one) for one in result.written}
    return own | {OTHERS: result.others}


def _request(job: Snapshot, outcome: Continues) -> WaitRequest:
    return WaitRequest(
        chain_id=job.chain_id,
        position=job.position,
        token=job.token,
        outcome=outcome,
        chain_type=job.chain_type,
        chain_created_at=job.chain_created_at,
    )


def _waiting(job: Snapshot, outcome: Continues, one: WrittenWait) -> list[Transition]:
    end = one.wait.decision
    at, run_at = one.row["at"], one.row["run_at"]
    return build.continued_externally(
        job, outcome.successor, at=at, run_at=run_at, is_blocked=end.is_blocked, failed_with=end.failed_with
    )
