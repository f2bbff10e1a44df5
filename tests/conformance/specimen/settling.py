"""Outcomes of attempts, each written under its token."""

from __future__ import annotations

from msgspec.structs import replace

from otelq.model import (
    Blocks,
    Claimed,
    Completes,
    Continues,
    Fails,
    Failure,
    Lease,
    Releases,
    Retries,
    Settlement,
    SettleResult,
    Snoozes,
    Status,
    Successor,
    Verb,
)

from . import claiming, ending, starting, unblocking
from .statement import Statement
from .store import OpenJob


def settle(db: Statement, item: Settlement, *, kept: dict[str, Claimed]) -> SettleResult:
    """
    Write one outcome under its token; a granted successor is put into ``kept``.

    Raises:
        NotFound, InvalidArgument: the outcome names a blocker that does not exist, or would close a circle.
    """
    row = held(db, item.job.lease)
    if row is None:
        return repeat(db, item.job.lease, kept=kept)
    mark = len(db.made)
    granted = _apply(db, row, item=item)
    unblocking.follow(db)
    if granted:
        kept[row.chain_id] = granted
    ending.end_attempt(
        db,
        row,
        ending=db.made[mark],
        failure=_failure(item),
        trace=item.trace,
        made=tuple(db.made[mark:]),
        kept=granted,
    )
    return SettleResult.DONE


def held(db: Statement, lease: Lease) -> OpenJob | None:
    """The open job of a lease that still counts."""
    row = db.store.open.get(lease.chain_id)
    is_held = row is not None and (row.position, row.token) == (lease.position, lease.token)
    return row if is_held else None


def repeat(db: Statement, lease: Lease, *, kept: dict[str, Claimed]) -> SettleResult:
    """Say again what was settled under a token, if it was."""
    for ended in db.store.attempts.get((lease.chain_id, lease.position)) or ():
        if ended.record.token == lease.token and ended.made is not None:
            db.made += ended.made
            if ended.kept and held(db, ended.kept.lease):
                kept[lease.chain_id] = ended.kept
            return SettleResult.DONE
    return lost(db, lease)


def lost(db: Statement, lease: Lease) -> SettleResult:
    """Why the token no longer counts."""
    is_closed = lease.chain_id in db.store.chains and lease.chain_id not in db.store.open
    if is_closed and ending.last_outcome(db, lease.chain_id).status is Status.CANCELLED:
        return SettleResult.CANCELLED
    return SettleResult.LOST


def _apply(db: Statement, row: OpenJob, *, item: Settlement) -> Claimed | None:
    match item.outcome:
        case Completes(output):
            ending.close(db, row, verb=Verb.COMPLETE, status=Status.COMPLETED, output=output, worker=item.worker)
        case Continues(successor, keep):
            following = go_on(db, row, verb=Verb.CONTINUE, successor=successor, worker=item.worker)
            return claiming.keep(db, following, wanted=keep, worker=item.worker) if keep else None
        case Retries(delay, failure):
            put_back(db, row, verb=Verb.RETRY, delay=delay, item=item, failure=failure)
        case Snoozes(delay):
            put_back(db, row, verb=Verb.SNOOZE, delay=delay, item=item)
        case Blocks() as blocks:
            block(db, row, blocks=blocks, item=item)
        case Fails(failure):
            ending.close(db, row, verb=Verb.FAIL, status=Status.FAILED, failure=failure, worker=item.worker)
        case Releases():
            put_back(db, row, verb=Verb.RELEASE, delay=0, item=item)
    return None


def put_back(
    db: Statement, row: OpenJob, *, verb: Verb, delay: float, item: Settlement, failure: Failure | None = None
) -> None:
    """Let a running job wait for its next attempt."""
    attempt = row.attempt if verb is Verb.RETRY else row.attempt - 1
    waiting = replace(ending.unleased(row), attempt=attempt, run_at=db.after(delay), last_trace=item.trace)
    db.store.open.put(row.chain_id, waiting)
    db.note(
        verb,
        row,
        source=Status.RUNNING,
        target=waiting.status(db.now),
        due_at=waiting.run_at,
        error_type=failure.type if failure else None,
        worker=item.worker,
    )


def go_on(db: Statement, row: OpenJob, *, verb: Verb, successor: Successor, worker: str | None = None) -> OpenJob:
    """Close a job and append the one that continues its chain."""
    unblocking.refuse_circle(db, row.chain_id, blockers=successor.blockers)
    wait = starting.look(db, successor)
    ending.put_outcome(db, row, verb=verb, status=Status.CONTINUED)
    db.note(verb, row, source=row.status(db.now), target=Status.CONTINUED, worker=worker)
    priority = row.priority if successor.priority is None else successor.priority
    return starting.append(db, successor, key=(row.chain_id, row.position + 1), priority=priority, wait=wait)


def block(db: Statement, row: OpenJob, *, blocks: Blocks, item: Settlement) -> None:
    """Let a running job wait for chains, with its attempt given back; a wait that is over, or lost, ends here."""
    unblocking.refuse_circle(db, row.chain_id, blockers=blocks.blockers)
    wait = unblocking.look(db, blocks.blockers, until=blocks.until, on_failure=blocks.on_failure)
    unblocking.give(db, (row.chain_id, row.position), blockers=blocks.blockers, awaited=wait.awaited)
    blocked = replace(
        ending.unleased(row),
        attempt=row.attempt - 1,
        run_at=db.now,
        awaits=wait.count,
        until=blocks.until,
        on_failure=blocks.on_failure,
        last_trace=item.trace,
    )
    db.store.open.put(row.chain_id, blocked)
    db.note(Verb.BLOCK, row, source=Status.RUNNING, target=Status.BLOCKED, worker=item.worker)
    if wait.lost_by:
        unblocking.fail_by(db, blocked, blocker=wait.lost_by)
    elif not wait.awaited:
        unblocking.unblock(db, blocked)


def _failure(item: Settlement) -> Failure | None:
    match item.outcome:
        case Retries(_, failure) | Fails(failure):
            return failure
        case _:
            return None
