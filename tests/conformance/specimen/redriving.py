"""Chains that ended badly, opened again."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from otelq.errors import InvalidArgument, NotFound
from otelq.model import AttemptRecord, JobKey, Verb

from . import ending, keys, unblocking
from .statement import Statement
from .store import Ended, OpenJob, Outcome, Reopened


def redrive(db: Statement, chain_ids: Collection[str]) -> None:
    """Open chains again, all before any of them looks at its blockers: each counts as open for the others."""
    ended = {chain_id: outcome_of(db, chain_id) for chain_id in chain_ids}
    for outcome in ended.values():
        reopen(db, outcome)
    for outcome in ended.values():
        wait_anew(db, outcome)
    for chain_id in ended:
        unblocking.refuse_circle(db, chain_id, blockers=unblocking.awaited_by(db, chain_id))


def outcome_of(db: Statement, chain_id: str) -> Outcome:
    """
    How a chain ended that is to be opened again.

    Raises:
        NotFound: there is no such chain.
        InvalidArgument: it is open, or completed.
    """
    if chain_id not in db.store.chains:
        raise NotFound(f"there is no chain {chain_id}")
    if chain_id in db.store.open:
        raise InvalidArgument("chain", f"{chain_id} is open; only a failed or cancelled chain can be redriven")
    outcome = ending.last_outcome(db, chain_id)
    if outcome.status not in unblocking.BAD_ENDS:
        raise InvalidArgument("chain", f"{chain_id} is {outcome.status}; give one that failed or was cancelled")
    return outcome


def reopen(db: Statement, outcome: Outcome) -> None:
    """Put the outcome on record as an earlier generation, and the job back into its line."""
    row = outcome.row
    key = row.chain_id, row.position
    keys.take_back(db, db.store.chains[row.chain_id])
    db.store.outcomes.pop(key)
    db.store.reopened.put(key, (*(db.store.reopened.get(key) or ()), Reopened(outcome, db.now)))
    renumber(db, key, outcome=outcome)
    db.store.pending.pop(row.chain_id)
    db.store.open.put(row.chain_id, fresh(db, row))


def fresh(db: Statement, row: OpenJob) -> OpenJob:
    """The job as it begins once more, with the trace of the attempt that ended it."""
    attempts = db.store.attempts.get((row.chain_id, row.position)) or ()
    return OpenJob(
        chain_id=row.chain_id,
        position=row.position,
        type=row.type,
        priority=row.priority,
        run_at=db.now,
        until=row.until,
        on_failure=row.on_failure,
        last_trace=attempts[-1].record.trace if attempts and row.token is not None else None,
    )


def renumber(db: Statement, key: JobKey, *, outcome: Outcome) -> None:
    """Move the attempts so far into the next generation; a job that closed without one gets one."""
    attempts = db.store.attempts.get(key) or ()
    if outcome.row.token is None:
        attempts = (*attempts, Ended(record=_closing(outcome)))
    generation = max(ended.record.generation for ended in attempts) + 1
    moved = (
        ended if ended.record.generation else replace(ended, record=replace(ended.record, generation=generation))
        for ended in attempts
    )
    db.store.attempts.put(key, tuple(moved))


def _closing(outcome: Outcome) -> AttemptRecord:
    return AttemptRecord(
        chain_id=outcome.row.chain_id,
        position=outcome.row.position,
        number=outcome.row.attempt,
        token=None,
        verb=outcome.verb,
        worker=None,
        started_at=None,
        ended_at=outcome.closed_at,
        failure=outcome.failure,
    )


def wait_anew(db: Statement, outcome: Outcome) -> None:
    """
    Let a job that is open again wait for its blockers as they stand now.

    Raises:
        InvalidArgument: what it waits for cannot come about any more.
    """
    row = db.store.open[outcome.row.chain_id]
    key = row.chain_id, row.position
    blockers = db.store.blockers.get(key) or ()
    wait = unblocking.look(db, blockers, until=row.until, on_failure=row.on_failure)
    if wait.lost_by:
        problem = f"{row.chain_id} has the blocker {wait.lost_by}, which ended badly; redrive that first, or together"
        raise InvalidArgument("chain", problem)
    unblocking.give(db, key, blockers=blockers, awaited=wait.awaited)
    waiting = replace(row, awaits=wait.count)
    db.store.open.put(row.chain_id, waiting)
    db.note(Verb.REDRIVE, waiting, source=outcome.status, target=waiting.status(db.now))
