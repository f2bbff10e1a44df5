"""Chains that are moved, closed or removed by request, whatever worker may hold them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import InvalidArgument, JobAlreadyClosed, JobTypeMismatch, NotFound, StillReferenced
from ..model import Closure, Completes, Continues, Status, Transition, Verb
from . import rows
from .database import WAIT, Session
from .rows import Held
from .settling import successor_columns
from .unblocking import let_go


async def finish(session: Session, closures: Sequence[Closure]) -> list[Transition]:
    """Close open jobs without a worker."""
    held = await _hold(session, [closure.chain_id for closure in closures])
    for closure in closures:
        if held[closure.chain_id].type != closure.step:
            raise await _not_the_step(session, held[closure.chain_id], closure.step)
    completes = [closure for closure in closures if isinstance(closure.outcome, Completes)]
    continues = [closure for closure in closures if isinstance(closure.outcome, Continues)]
    made = await _continue(session, [held[closure.chain_id] for closure in continues], continues)
    outputs = {closure.chain_id: _output(closure) for closure in completes}
    made |= await close(session, [held[id] for id in outputs], verb=Verb.COMPLETE_EXTERNALLY, outputs=outputs)
    return _in_order([closure.chain_id for closure in closures], made)


async def cancel(session: Session, chain_ids: Sequence[str]) -> list[Transition]:
    """Close open chains as cancelled."""
    held = await _hold(session, chain_ids)
    made = await close(session, [*held.values()], verb=Verb.CANCEL)
    return _in_order(chain_ids, made)


async def trigger(session: Session, chain_ids: Sequence[str]) -> list[Transition]:
    """Make scheduled jobs due."""
    held = await _hold(session, chain_ids)
    for job in held.values():
        if job.status in (Status.BLOCKED, Status.RUNNING):
            raise InvalidArgument("chain", f"{job.chain_id} is {job.status}; only a scheduled job can be triggered")
    scheduled = [job for job in held.values() if job.status is Status.SCHEDULED]
    if scheduled:
        await session.rows("trigger", [job.chain_id for job in scheduled], scheduled[0].at)
    return [rows.moved(job, Verb.TRIGGER, Status.READY) for job in scheduled]


async def delete(session: Session, chain_ids: Collection[str]) -> list[Transition]:
    """Remove chains with all their history."""
    ids = sorted(chain_ids)
    await session.rows("hold", ids, lock=WAIT)
    found = {row["chain_id"] for row in await session.rows("hold_chains", ids)}
    if missing := next((id for id in chain_ids if id not in found), None):
        raise NotFound(f"there is no chain {missing}")
    for row in await session.rows("find_dependent", ids):
        raise StillReferenced(f"chain {row['chain_id']} has {row['blocker_id']} as a blocker; delete it too, or first")
    await session.rows("free_keys", ids)
    return [rows.moved(rows.held(row), Verb.DELETE, None) for row in await session.rows("delete", [*chain_ids])]


async def close(
    session: Session,
    jobs: Sequence[Held],
    *,
    verb: Verb,
    outputs: dict[str, str] | None = None,
    failures: dict[str, tuple[str, str]] | None = None,
) -> dict[str, list[Transition]]:
    """Close jobs whose rows are held; what was made, by chain, with what it did to others at the last."""
    if not jobs:
        return {}
    outputs, failures = outputs or {}, failures or {}
    jobs = sorted(jobs, key=lambda job: job.chain_id)
    ends = [failures.get(job.chain_id, (None, None)) for job in jobs]
    row = await session.row(
        "close",
        verb,
        *_marks(jobs),
        [outputs.get(job.chain_id) for job in jobs],
        [error_type for error_type, _ in ends],
        [error_text for _, error_text in ends],
        None,
        lock=WAIT,
        which="",
    )
    await _untie(session, jobs)
    if row["keyed"]:
        await session.rows("free_keys", row["keyed"])
    status = Status.COMPLETED if outputs else Status.FAILED if failures else Status.CANCELLED
    worker = {job.chain_id: job.leased_by if verb is Verb.REAP else None for job in jobs}
    made = {
        job.chain_id: [rows.moved(job, verb, status, at=row["at"], error_type=error_type, worker=worker[job.chain_id])]
        for job, (error_type, _) in zip(jobs, ends, strict=True)
    }
    others, _ = await let_go(session, row["waited_on"]) if row["waited_on"] else ([], [])
    return made | ({"": others} if others else {})


async def _continue(session: Session, jobs: Sequence[Held], closures: Sequence[Closure]) -> dict[str, list[Transition]]:
    if not jobs:
        return {}
    order = sorted(range(len(jobs)), key=lambda n: jobs[n].chain_id)
    jobs = [jobs[n] for n in order]
    outcomes = [outcome for n in order if isinstance(outcome := closures[n].outcome, Continues)]
    found = await session.rows(
        "continue",
        Verb.COMPLETE_EXTERNALLY,
        *_marks(jobs),
        None,
        *successor_columns(outcomes),
        [job.chain_type for job in jobs],
        [job.chain_created_at for job in jobs],
        None,
        None,
        None,
        lock=WAIT,
    )
    await _untie(session, jobs)
    made: dict[str, list[Transition]] = {}
    for row in found:
        job, successor = jobs[rows.place(row)], outcomes[rows.place(row)].successor
        made[job.chain_id] = [
            rows.moved(job, Verb.COMPLETE_EXTERNALLY, Status.CONTINUED, at=row["at"]),
            rows.succeeded(job, successor, at=row["at"], run_at=row["run_at"]),
        ]
    return made


async def _untie(session: Session, jobs: Sequence[Held]) -> None:
    """A job that was blocked waits no longer."""
    if blocked := [job.chain_id for job in jobs if job.status is Status.BLOCKED]:
        await session.rows("forget_edges", blocked)


async def _hold(session: Session, chain_ids: Sequence[str]) -> dict[str, Held]:
    """
    Lock the hot rows of these chains.

    Raises:
        NotFound: no such chain.
        JobAlreadyClosed: a chain is closed.
    """
    ids = sorted(set(chain_ids))
    held = {row["chain_id"]: rows.held(row) for row in await session.rows("hold", ids, lock=WAIT)}
    if len(held) < len(ids):
        raise await _not_open(session, next(id for id in chain_ids if id not in held))
    return {id: held[id] for id in chain_ids}


async def _not_open(session: Session, chain_id: str) -> NotFound | JobAlreadyClosed:
    for row in await session.rows("read_tails", [chain_id]):
        return JobAlreadyClosed(f"chain {chain_id} is {row['status']}")
    return NotFound(f"there is no chain {chain_id}")


async def _not_the_step(session: Session, job: Held, step: str) -> JobAlreadyClosed | JobTypeMismatch:
    steps = [row["type"] for row in await session.rows("read_steps", job.chain_id)]
    if step in steps[: job.position]:
        return JobAlreadyClosed(f"the job {step} of chain {job.chain_id} is closed; {job.type} is open")
    return JobTypeMismatch(f"the open job of chain {job.chain_id} is {job.type}, not {step}")


def _output(closure: Closure) -> str:
    assert isinstance(closure.outcome, Completes)
    return closure.outcome.output


def _in_order(chain_ids: Sequence[str], made: dict[str, list[Transition]]) -> list[Transition]:
    """By chain as they were given, then what happened to others."""
    return [change for id in (*dict.fromkeys(chain_ids), "") for change in made.get(id, ())]


def _marks(jobs: Sequence[Held]) -> tuple[list[str], list[int], list[int | None]]:
    return [job.chain_id for job in jobs], [job.position for job in jobs], [job.token for job in jobs]
