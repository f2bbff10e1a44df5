"""Chains that wait for others: how they begin to wait, and what the end of a chain does to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from otelq.errors import InvalidArgument, NotFound
from otelq.model import BLOCKER_FAILED, Failure, JobKey, OnFailure, Status, Until, Verb

from . import ending
from .statement import Statement
from .store import OpenJob

BAD_ENDS = frozenset({Status.FAILED, Status.CANCELLED})


class Wait(Struct, frozen=True):
    """What a job has to wait for: these blockers, or nothing; or, with ``lost_by``, what it cannot get any more."""

    awaited: frozenset[str] = frozenset()
    lost_by: str | None = None

    @property
    def count(self) -> int:
        """The blockers awaited; a lost one counts until the job has failed by it."""
        return len(self.awaited) + (self.lost_by is not None)


# Begin to wait


def look(db: Statement, blockers: Iterable[str], *, until: Until, on_failure: OnFailure) -> Wait:
    """
    What a job has to wait for that is given these blockers now.

    Raises:
        NotFound: there is no such chain.
    """
    return judge({blocker: standing(db, blocker) for blocker in blockers}, until=until, on_failure=on_failure)


def standing(db: Statement, blocker: str) -> Status:
    """How a blocker stands; all open statuses are alike here."""
    if blocker not in db.store.chains:
        raise NotFound(f"the blocker {blocker} does not exist")
    return Status.READY if blocker in db.store.open else ending.last_outcome(db, blocker).status


def judge(standings: Mapping[str, Status], *, until: Until, on_failure: OnFailure) -> Wait:
    """What is left to wait for where the blockers stand like this."""
    bad = [blocker for blocker, status in standings.items() if status in BAD_ENDS]
    lost = bad if on_failure is OnFailure.FAIL else []
    closed = {blocker for blocker, status in standings.items() if status is Status.COMPLETED}
    if on_failure is not OnFailure.WAIT:
        closed.update(bad)
    awaited = frozenset(standings.keys() - closed)
    if until is Until.ANY and (len(closed) > len(lost) or not standings):
        return Wait()
    if lost and (until is Until.ALL or not awaited):
        return Wait(awaited, lost[0])
    return Wait(awaited)


def give(db: Statement, key: JobKey, *, blockers: Iterable[str], awaited: frozenset[str]) -> None:
    """Note the blockers of a job, old ones once, and which of them it awaits."""
    given = dict.fromkeys(blockers)
    if given:
        db.store.blockers.put(key, tuple(dict.fromkeys((*(db.store.blockers.get(key) or ()), *given))))
    for blocker in given:
        db.store.edges.put((*key, blocker), blocker in awaited)


def refuse_circle(db: Statement, chain_id: str, *, blockers: Iterable[str]) -> None:
    """
    Refuse to let a chain wait for chains that wait for it.

    Raises:
        InvalidArgument: one of them does, itself or through others.
    """
    asked: dict[str, str] = {}
    todo = [(blocker, chain_id) for blocker in blockers]
    while todo:
        blocker, dependent = todo.pop()
        if blocker == chain_id:
            way = " → ".join((chain_id, *_way(asked, dependent, chain_id)))
            raise InvalidArgument("blockers", f"would close a circle of chains, each waiting for the next: {way}")
        if blocker not in asked:
            asked[blocker] = dependent
            todo += [(further, blocker) for further in awaited_by(db, blocker)]


def _way(asked: Mapping[str, str], last: str, first: str) -> Sequence[str]:
    """The chains between ``first`` and its return to itself."""
    way = [first]
    while last != first:
        way.append(last)
        last = asked[last]
    return way[::-1]


def awaited_by(db: Statement, chain_id: str) -> Sequence[str]:
    """The blockers that a chain waits for at present."""
    row = db.store.open.get(chain_id)
    if row is None or not row.awaits:
        return ()
    key = chain_id, row.position
    return [blocker for blocker in db.store.blockers.get(key) or () if db.store.edges.get((*key, blocker))]


# The end of a blocker


def follow(db: Statement) -> None:
    """Tell the chains that wait for those that closed; what is too much is left pending."""
    while db.closed:
        blocker = db.closed.popleft()
        waiting = _to_tell(db, blocker)
        if len(waiting) > db.budget:
            db.store.pending.put(blocker, True)
        else:
            db.store.pending.pop(blocker)
        for dependent in waiting[: db.budget]:
            db.budget -= 1
            tell(db, dependent, blocker=blocker)


def unblock_pending(db: Statement, *, limit: int) -> None:
    """Tell some of the dependents that were left pending."""
    db.budget = limit
    db.closed.extend(db.store.pending)
    follow(db)


def _to_tell(db: Statement, blocker: str) -> list[JobKey]:
    """The jobs to which the end of a blocker means something: not those that wait for it to be redriven."""
    waiting = db.store.awaiting(blocker)
    if ending.last_outcome(db, blocker).status in BAD_ENDS:
        return [job for job in waiting if not _waits_on(waiting_row(db, job))]
    return waiting


def _waits_on(row: OpenJob | None) -> bool:
    return row is not None and row.on_failure is OnFailure.WAIT


def waiting_row(db: Statement, job: JobKey) -> OpenJob | None:
    """The job's row, if it is blocked."""
    row = db.store.open.get(job[0])
    return row if row is not None and row.position == job[1] and row.awaits else None


def tell(db: Statement, job: JobKey, *, blocker: str) -> None:
    """Let a job know that a blocker of it closed."""
    db.store.edges.put((*job, blocker), False)
    row = waiting_row(db, job)
    if row is None:
        return
    is_lost = row.on_failure is OnFailure.FAIL and ending.last_outcome(db, blocker).status in BAD_ENDS
    is_decisive = row.until is (Until.ALL if is_lost else Until.ANY)
    if not is_decisive and row.awaits > 1:
        db.store.open.put(row.chain_id, replace(row, awaits=row.awaits - 1))
    elif is_lost:
        fail_by(db, row, blocker=blocker)
    else:
        unblock(db, row)


def unblock(db: Statement, row: OpenJob) -> None:
    """Let a blocked job go; it awaits none of its blockers any more."""
    for blocker in awaited_by(db, row.chain_id):
        db.store.edges.put((row.chain_id, row.position, blocker), False)
    free = replace(row, awaits=0, run_at=max(row.run_at, db.now))
    db.store.open.put(row.chain_id, free)
    db.note(Verb.UNBLOCK, free, source=Status.BLOCKED, target=free.status(db.now), due_at=free.run_at)


def fail_by(db: Statement, row: OpenJob, *, blocker: str) -> None:
    """Fail a blocked job for the end of one of its blockers."""
    status = ending.last_outcome(db, blocker).status
    failure = Failure(BLOCKER_FAILED, f"the blocker {blocker} ended {status}")
    ending.close(db, row, verb=Verb.FAIL_BY_BLOCKER, status=Status.FAILED, failure=failure)
