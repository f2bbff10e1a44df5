"""Starting chains."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.json import Decoder

from ..errors import NotFound
from ..model import Created, NewJob, Status, Successor, Transition, Verb
from .ending import Close, close
from .rows import micros, span, when
from .session import Session, batch
from .unblocking import blocker_failure
from .values import check_job


class Before(Struct, frozen=True, array_like=True):
    """A chain found under an id of the batch, as it was started."""

    nr: int
    type: str
    input: str
    created_at: int
    blocked: int
    failed_by: str | None


_BEFORE = Decoder(list[Before])
_HOLDERS = Decoder(list[tuple[str, str, str]])
_STANDING = Decoder(list[tuple[str, Status | None]])
_BAD_ENDS = frozenset({Status.FAILED, Status.CANCELLED})


async def create(
    db: Session, at: int, *, jobs: Sequence[NewJob], again: bool
) -> tuple[Sequence[Created], Sequence[Transition]]:
    """Start chains in the order given, each seeing those before it."""
    for job in jobs:
        check_job(job)
    start = _Start(at)
    found = await db.read("create_before", _BEFORE, chains=batch([job.chain_id for job in jobs]))
    start.found = {jobs[before.nr].chain_id: before for before in found}
    await start.look_up(db, jobs)
    created = [start.add(job, again=again) for job in jobs]
    await start.write(db)
    return created, start.made


class _Start:
    """What one batch starts."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.made: list[Transition] = []
        self.found: dict[str, Before] = {}
        self._fresh: set[str] = set()
        self._holders: dict[tuple[str, str], str] = {}
        self._standing: dict[str, Status | None] = {}
        self._jobs: list[NewJob] = []
        self._open: list[tuple[str, str, str, int, int, int]] = []
        self._edges: list[tuple[str, int, str, bool]] = []
        self._keys: list[tuple[str, str, str]] = []
        self._failed: list[Close] = []

    async def look_up(self, db: Session, jobs: Sequence[NewJob]) -> None:
        """Read who holds the keys, and how the blockers stand."""
        keys = {(job.type, job.dedup.key) for job in jobs if job.dedup}
        if keys:
            holders = await db.read("dedup_look", _HOLDERS, keys=batch(list(keys)))
            self._holders = {(type, key): chain_id for type, key, chain_id in holders}
        blockers = {blocker for job in jobs for blocker in job.blockers}
        if blockers:
            self._standing = dict(await db.read("blocker_look", _STANDING, chains=batch(list(blockers))))

    def add(self, job: NewJob, *, again: bool) -> Created:
        if before := self.found.get(job.chain_id):
            return self._found(before, job, again=again)
        if job.chain_id in self._fresh:
            return Created(chain_id=job.chain_id, exists=True)
        if job.dedup and (holder := self._holders.get((job.type, job.dedup.key))):
            return Created(chain_id=holder, deduplicated=True)
        self._insert(job)
        return Created(chain_id=job.chain_id)

    def _found(self, before: Before, job: NewJob, *, again: bool) -> Created:
        if not again or (before.type, before.input) != (job.type, job.input):
            return Created(chain_id=job.chain_id, exists=True)
        blocked = before.blocked > 0 or before.failed_by is not None
        self.made.append(created_transition(job, before.created_at, blocked=blocked))
        if before.failed_by is not None:
            self.made.append(_failed_transition(job, before.created_at, before.failed_by))
        return Created(chain_id=job.chain_id)

    def _insert(self, job: NewJob) -> None:
        awaited = self._awaited(job) if job.blockers else []
        if job.dedup:
            self._holders[job.type, job.dedup.key] = job.chain_id
            self._keys.append((job.type, job.dedup.key, job.chain_id))
        self._jobs.append(job)
        due = due_at(job, self.at)
        self._open.append((job.chain_id, job.type, job.queue, job.priority, due, len(awaited)))
        self._fresh.add(job.chain_id)
        self._standing[job.chain_id] = None
        self.made.append(created_transition(job, self.at, blocked=bool(awaited)))
        for blocker in awaited:
            if self._standing[blocker] in _BAD_ENDS:
                self._fail(job, blocker)
                break

    def _awaited(self, job: NewJob) -> list[str]:
        """Note what blocks the job, and tell which of it has not completed."""
        blockers = dict.fromkeys(job.blockers)
        awaited = [blocker for blocker in blockers if not self._is_completed(blocker)]
        for ordinal, blocker in enumerate(blockers):
            self._edges.append((job.chain_id, ordinal, blocker, self._standing[blocker] is None))
        return awaited

    def _is_completed(self, blocker: str) -> bool:
        if blocker not in self._standing:
            raise NotFound(f"the blocker {blocker} does not exist")
        return self._standing[blocker] is Status.COMPLETED

    def _fail(self, job: NewJob, blocker: str) -> None:
        failure = blocker_failure(blocker, self._standing[blocker])
        ended = Close(job.chain_id, Status.FAILED, Verb.FAIL_BY_BLOCKER, None, failure.type, failure.text)
        self._failed.append(ended)
        self._standing[job.chain_id] = Status.FAILED
        self.made.append(_failed_transition(job, self.at, failure.type))

    async def write(self, db: Session) -> None:
        if not self._jobs:
            return
        await db.write("create_job", jobs=batch([request(job, job.chain_id, 0) for job in self._jobs]), now=self.at)
        await db.write("create_open", jobs=batch(self._open))
        if self._keys:
            await db.write("dedup_take", keys=batch(self._keys))
        if self._edges:
            await db.write("blocker_wait", chains=batch([blocker for _, _, blocker, is_open in self._edges if is_open]))
            await db.write("blocker_add", edges=batch(self._edges), now=self.at)
        if self._failed:
            await close(db, self.at, self._failed, with_dedup=bool(self._keys))


def request(job: NewJob | Successor, chain_id: str, position: int) -> tuple[object, ...]:
    """The immutable row of a job."""
    return chain_id, position, job.type, job.queue, job.input, job.trace, job.meta


def due_at(job: NewJob | Successor, at: int) -> int:
    """When the job may run first; a time in the past means now."""
    if job.at is not None:
        return max(micros(job.at), at)
    return at + span(max(job.delay or 0.0, 0.0))


def created_transition(job: NewJob, at: int, *, blocked: bool) -> Transition:
    """The transition of a start at ``at``."""
    due = due_at(job, at)
    target = Status.BLOCKED if blocked else Status.SCHEDULED if due > at else Status.READY
    due_then = when(due) if target is Status.SCHEDULED else None
    return _transition(job, at)(verb=Verb.CREATE, source=None, target=target, due_at=due_then)


def continued_transition(
    job: Successor, at: int, *, chain_id: str, position: int, chain_type: str, chain_created_at: datetime
) -> Transition:
    """The transition that made the successor of a job at ``at``."""
    due = due_at(job, at)
    return Transition(
        verb=Verb.CREATE,
        chain_id=chain_id,
        position=position,
        type=job.type,
        queue=job.queue,
        chain_type=chain_type,
        source=None,
        target=Status.SCHEDULED if due > at else Status.READY,
        at=when(at),
        attempt=0,
        created_at=when(at),
        chain_created_at=chain_created_at,
        due_at=when(due) if due > at else None,
        trace=job.trace,
    )


def _failed_transition(job: NewJob, at: int, error_type: str) -> Transition:
    make = _transition(job, at)
    return make(verb=Verb.FAIL_BY_BLOCKER, source=Status.BLOCKED, target=Status.FAILED, error_type=error_type)


def _transition(job: NewJob, at: int) -> partial[Transition]:
    moment = when(at)
    return partial(
        Transition,
        chain_id=job.chain_id,
        position=0,
        type=job.type,
        queue=job.queue,
        chain_type=job.type,
        at=moment,
        attempt=0,
        created_at=moment,
        chain_created_at=moment,
        trace=job.trace,
    )
