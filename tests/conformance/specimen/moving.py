"""Open jobs that are moved by request: made due, changed, or taken from their worker."""

from __future__ import annotations

from msgspec.structs import replace

from otelq.errors import InvalidArgument, JobAlreadyClosed, JobTypeMismatch, NotFound
from otelq.model import Amendment, Status, Verb

from . import ending, starting
from .statement import Statement
from .store import OpenJob


def open_job(db: Statement, chain_id: str) -> OpenJob:
    """
    The open job of a chain.

    Raises:
        NotFound: there is no such chain.
        JobAlreadyClosed: the chain is closed.
    """
    if chain_id not in db.store.chains:
        raise NotFound(f"there is no chain {chain_id}")
    row = db.store.open.get(chain_id)
    if row is None:
        raise JobAlreadyClosed(f"chain {chain_id} is {ending.last_outcome(db, chain_id).status}")
    return row


def open_step(db: Statement, chain_id: str, *, step: str) -> OpenJob:
    """
    The open job of a chain, which must be of the type ``step``; errors as of ``open_job``, and:

    Raises:
        JobAlreadyClosed: an earlier job of the chain is of that type.
        JobTypeMismatch: none is.
    """
    row = open_job(db, chain_id)
    if row.type != step:
        raise not_the_step(db, row, step=step)
    return row


def not_the_step(db: Statement, row: OpenJob, *, step: str) -> JobAlreadyClosed | JobTypeMismatch:
    """Why the open job is of another type."""
    earlier = (db.store.requests[row.chain_id, position].type for position in range(row.position))
    if step in earlier:
        return JobAlreadyClosed(f"the job {step} of chain {row.chain_id} is closed; {row.type} is open")
    return JobTypeMismatch(f"the open job of chain {row.chain_id} is {row.type}, not {step}")


def trigger(db: Statement, chain_id: str) -> None:
    """Make a scheduled job due now."""
    row = open_job(db, chain_id)
    match row.status(db.now):
        case Status.SCHEDULED:
            db.store.open.put(chain_id, replace(row, run_at=db.now))
            db.note(Verb.TRIGGER, row, source=Status.SCHEDULED, target=Status.READY)
        case Status.BLOCKED | Status.RUNNING as status:
            raise InvalidArgument("chain", f"{chain_id} is {status}; only a scheduled job can be triggered")
        case _:
            pass


def amend(db: Statement, amendment: Amendment) -> None:
    """Change a job that waits."""
    chain_id = amendment.chain_id
    row = open_job(db, chain_id) if amendment.step is None else open_step(db, chain_id, step=amendment.step)
    if row.token is not None:
        raise InvalidArgument("chain", f"{chain_id} is running; only a job that waits can be amended")
    amended = amended_row(db, row, amendment=amendment)
    db.store.open.put(chain_id, amended)
    if amendment.input is not None:
        key = chain_id, row.position
        db.store.requests.put(key, replace(db.store.requests[key], amended=amendment.input))
    target = amended.status(db.now)
    db.note(Verb.AMEND, row, source=row.status(db.now), target=target, due_at=amended.run_at)


def amended_row(db: Statement, row: OpenJob, *, amendment: Amendment) -> OpenJob:
    """The job with its new priority and time."""
    priority = row.priority if amendment.priority is None else amendment.priority
    stays = amendment.at is None and amendment.delay is None
    return replace(row, priority=priority, run_at=row.run_at if stays else starting.due(db, amendment))


def take_over(db: Statement, chain_id: str) -> None:
    """End the lease of a running job; its attempt is spent."""
    row = open_job(db, chain_id)
    if row.token is None:
        raise InvalidArgument("chain", f"{chain_id} is {row.status(db.now)}; only a running job can be taken over")
    db.store.open.put(chain_id, replace(ending.unleased(row), run_at=db.now))
    db.note(Verb.TAKE_OVER, row, source=Status.RUNNING, target=Status.READY, worker=row.leased_by)
    ending.end_attempt(db, row, ending=db.made[-1])
