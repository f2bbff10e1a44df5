"""Starting chains, and the jobs that continue them."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from otelq.model import Amendment, Created, JobKey, NewJob, Successor, Verb

from . import keys, unblocking
from .statement import Statement
from .store import Chain, OpenJob, Request


def create(db: Statement, job: NewJob, *, again: bool) -> Created:
    """Start one chain, or tell which chain it is given in its place."""
    created = _create(db, job, again=again)
    if job.dedup and (created.is_new or created.deduplicated):
        db.given[job.type, job.dedup.key] = created.chain_id
    return created


def _create(db: Statement, job: NewJob, *, again: bool) -> Created:
    if chain := db.store.chains.get(job.chain_id):
        return found(db, job, chain=chain, again=again)
    if holder := keys.given(db, job):
        return Created(chain_id=holder, deduplicated=True)
    insert(db, job)
    return Created(chain_id=job.chain_id)


def found(db: Statement, job: NewJob, *, chain: Chain, again: bool) -> Created:
    """What to say of a chain that is there under the id of a new one."""
    first = db.store.requests[chain.chain_id, 0]
    if not again or (first.type, first.input) != (job.type, job.input):
        return Created(chain_id=job.chain_id, exists=True)
    db.made += chain.made
    return Created(chain_id=job.chain_id)


def insert(db: Statement, job: NewJob) -> None:
    """Write a new chain."""
    chain = Chain(chain_id=job.chain_id, type=job.type, created_at=db.now, dedup=job.dedup)
    mark = len(db.made)
    wait = look(db, job)
    db.store.chains.put(job.chain_id, chain)
    keys.take(db, chain)
    append(db, job, key=(job.chain_id, 0), priority=job.priority, wait=wait)
    db.store.chains.put(job.chain_id, replace(chain, made=tuple(db.made[mark:])))


def look(db: Statement, job: NewJob | Successor) -> unblocking.Wait:
    """What a new job has to wait for."""
    return unblocking.look(db, job.blockers, until=job.until, on_failure=job.on_failure)


def append(db: Statement, job: NewJob | Successor, *, key: JobKey, priority: int, wait: unblocking.Wait) -> OpenJob:
    """Write a new job; one whose wait is lost already fails at once."""
    row = OpenJob(
        chain_id=key[0],
        position=key[1],
        type=job.type,
        priority=priority,
        run_at=due(db, job),
        awaits=wait.count,
        until=job.until,
        on_failure=job.on_failure,
        expires_at=db.after(job.expires) if isinstance(job, NewJob) and job.expires is not None else None,
    )
    db.store.requests.put(key, _request(db, job, key))
    db.store.lengths.put(key[0], key[1] + 1)
    db.store.open.put(key[0], row)
    unblocking.give(db, key, blockers=job.blockers, awaited=wait.awaited)
    db.note(Verb.CREATE, row, source=None, target=row.status(db.now))
    if wait.lost_by:
        unblocking.fail_by(db, row, blocker=wait.lost_by)
    return row


def _request(db: Statement, job: NewJob | Successor, key: JobKey) -> Request:
    return Request(
        chain_id=key[0],
        position=key[1],
        type=job.type,
        queue=job.queue,
        input=job.input,
        created_at=db.now,
        trace=job.trace,
        meta=job.meta,
    )


def due(db: Statement, job: NewJob | Successor | Amendment) -> datetime:
    """When the job may run first; a time in the past means now."""
    if job.at is not None:
        return max(job.at, db.now)
    return db.after(job.delay or 0)
