"""Chains that are closed by request or by time, whatever worker may hold them."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Closure, Completes, Continues, Transition, Verb
from ..transitions import build, refusals
from ..transitions.build import Snapshot
from ..transitions.outcomes import blocker_source
from . import closed_jobs, dedup_keys, rows, waits
from .closed_jobs import OTHERS, Made, in_order
from .database import WAIT, PostgresSession
from .locks import hold
from .waits import WaitRequest, WrittenWait

Continued = tuple[Snapshot, Continues]


async def complete_externally(session: PostgresSession, closures: Sequence[Closure]) -> list[Transition]:
    """Close open jobs without a worker."""
    chain_ids = [closure.chain_id for closure in closures]
    continues = {closure.chain_id: closure.outcome for closure in closures if isinstance(closure.outcome, Continues)}
    held = await hold(session, chain_ids, beside=[id for end in continues.values() for id in end.successor.blockers])
    for closure in closures:
        await check_step(session, held[closure.chain_id], closure.step)
    made = await _continue(session, [(held[id], outcome) for id, outcome in continues.items()])
    outputs = {closure.chain_id: end.output for closure in closures if isinstance(end := closure.outcome, Completes)}
    closed = await closed_jobs.close(
        session, [held[id] for id in outputs], verb=Verb.COMPLETE_EXTERNALLY, outputs=outputs
    )
    others = [*made.pop(OTHERS, ()), *closed.pop(OTHERS, ())]
    return in_order(chain_ids, {**made, **closed, OTHERS: others})


async def cancel(session: PostgresSession, chain_ids: Sequence[str]) -> list[Transition]:
    """Close open chains as cancelled."""
    held = await hold(session, chain_ids)
    return in_order(chain_ids, await closed_jobs.close(session, [*held.values()], verb=Verb.CANCEL))


async def expire(session: PostgresSession, *, limit: int) -> list[Transition]:
    """Close as cancelled the jobs that nobody started in time."""
    found = [rows.snapshot(row) for row in await session.rows("hold_expiring", limit)]
    busy = await dedup_keys.held_elsewhere(session, [job.chain_id for job in found])
    jobs = [job for job in found if job.chain_id not in busy]
    return in_order([job.chain_id for job in jobs], await closed_jobs.close(session, jobs, verb=Verb.EXPIRE))


async def check_step(session: PostgresSession, job: Snapshot, step: str) -> None:
    """
    See that the open job is of the type ``step``.

    Raises:
        JobAlreadyClosed: an earlier job of the chain is of that type.
        JobTypeMismatch: none is.
    """
    if job.type == step:
        return
    steps = [row["type"] for row in await session.rows("read_steps", job.chain_id)]
    is_past = step in steps[: job.position]
    raise refusals.wrong_step(job.chain_id, step=step, open_step=job.type, is_past=is_past)


async def _continue(session: PostgresSession, pairs: Sequence[Continued]) -> Made:
    await closed_jobs.untie(session, [job for job, _ in pairs])
    tied = [pair for pair in pairs if blocker_source(pair[1])]
    plain = [pair for pair in pairs if not blocker_source(pair[1])]
    return await _continue_plain(session, plain) | await _continue_tied(session, tied)


async def _continue_plain(session: PostgresSession, pairs: Sequence[Continued]) -> Made:
    if not pairs:
        return {}
    pairs = sorted(pairs, key=lambda pair: pair[0].chain_id)
    jobs = [job for job, _ in pairs]
    found = await session.rows(
        "continue",
        Verb.COMPLETE_EXTERNALLY,
        *closed_jobs.marks(jobs),
        None,
        *rows.successor_columns([outcome for _, outcome in pairs]),
        [job.chain_type for job in jobs],
        [job.chain_created_at for job in jobs],
        None,
        None,
        None,
        lock=WAIT,
    )
    return {pairs[rows.place(row)][0].chain_id: _continued(*pairs[rows.place(row)], row) for row in found}


def _continued(job: Snapshot, outcome: Continues, row: rows.Row) -> list[Transition]:
    return build.continued_externally(job, outcome.successor, at=row["at"], run_at=row["run_at"])


async def _continue_tied(session: PostgresSession, pairs: Sequence[Continued]) -> Made:
    if not pairs:
        return {}
    links = [_link(job, outcome) for job, outcome in sorted(pairs, key=lambda pair: pair[0].chain_id)]
    written = await waits.link(session, links, verb=Verb.COMPLETE_EXTERNALLY, lock=WAIT)
    by_chain = {job.chain_id: (job, outcome) for job, outcome in pairs}
    made = {one.link.chain_id: _joined(*by_chain[one.link.chain_id], one) for one in written.joined}
    return made | {OTHERS: written.aside}


def _link(job: Snapshot, outcome: Continues) -> WaitRequest:
    return WaitRequest(
        chain_id=job.chain_id,
        position=job.position,
        token=job.token,
        outcome=outcome,
        chain_type=job.chain_type,
        chain_created_at=job.chain_created_at,
    )


def _joined(job: Snapshot, outcome: Continues, one: WrittenWait) -> list[Transition]:
    fate = one.wait.fate
    at, run_at = one.row["at"], one.row["run_at"]
    return build.continued_externally(
        job, outcome.successor, at=at, run_at=run_at, is_blocked=fate.is_blocked, failed_with=fate.failed_with
    )
