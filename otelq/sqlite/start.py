"""The start of chains."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import Decoder, encode

from ..model import Amendment, Created, Dedup, NewJob, Status, Successor, Transition, Verb
from ..transitions import build
from ..transitions.blockers import ChainEnd, WaitDecision, decide_wait, rule_of
from ..transitions.dedup import DedupKey, dedup_keys, is_duplicate, keeps_dedup_key
from .closed_jobs import ClosedJob, close
from .rows import seconds_to_micros, to_datetime, to_micros
from .session import SqliteSession, batch
from .value_checks import check_job
from .waits import blocker_ends, status_of


class ExistingJob(Struct, frozen=True, array_like=True):
    """A chain that is stored under an id of the batch, as it was started."""

    index: int
    type: str
    input: str
    created_at: int
    blocked: int
    failed_by: str | None


class KeyHolder(Struct, frozen=True, array_like=True):
    """The chain that holds a dedup key."""

    type: str
    key: str
    chain_id: str
    taken_at: int
    is_open: int

    def matches(self, dedup: Dedup, at: int) -> bool:
        """Return whether a start at that time gets this chain instead of a new one."""
        age = (at - self.taken_at) / 1_000_000
        return is_duplicate(dedup, holder=self.chain_id, age=age, is_open=bool(self.is_open))


_EXISTING = Decoder(list[ExistingJob])
_HOLDERS = Decoder(list[KeyHolder])


async def create(
    db: SqliteSession, at: int, *, jobs: Sequence[NewJob], resent: bool
) -> tuple[Sequence[Created], Sequence[Transition]]:
    """Start chains in the order given; each sees those before it."""
    for job in jobs:
        check_job(job)
    # By id: a repeated call finds the chains that it created before its reply was lost.
    start = _StartBatch(at)
    existing = await db.read("read_existing", _EXISTING, chains=batch([job.chain_id for job in jobs]))
    start.existing = {jobs[existing.index].chain_id: existing for existing in existing}
    await start.read_state(db, jobs)
    created = [start.add(job, resent=resent) for job in jobs]
    await start.write(db)
    return created, start.transitions


class _StartBatch:
    """The rows and transitions of one batch of starts."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.transitions: list[Transition] = []
        self.existing: dict[str, ExistingJob] = {}
        self._holders: dict[DedupKey, KeyHolder] = {}
        self._key_owners: dict[DedupKey, str] = {}
        """The chain that the first start of this batch with a key got; later ones with the key get the same."""
        self._ends: dict[str, ChainEnd] = {}
        self._jobs: dict[str, NewJob] = {}
        self._open: list[tuple[object, ...]] = []
        self._blockers: list[tuple[str, int, int, str, bool, bool]] = []
        self._keys: list[tuple[str, str, str, int, bool]] = []
        self._failed: list[ClosedJob] = []

    async def read_state(self, db: SqliteSession, jobs: Sequence[NewJob]) -> None:
        """Read the holders of the keys, and how the blockers ended."""
        keys = {key for job in jobs for key in dedup_keys(job)}
        if keys:
            holders = await db.read("read_keys", _HOLDERS, keys=batch(list(keys)))
            self._holders = {(holder.type, holder.key): holder for holder in holders}
        blockers = {blocker for job in jobs for blocker in job.blockers}
        if blockers:
            self._ends = await blocker_ends(db, blockers)

    def add(self, job: NewJob, *, resent: bool) -> Created:
        if existing := self.existing.get(job.chain_id):
            return self._repeat(existing, job, resent=resent)
        if job.chain_id in self._jobs:
            return Created(chain_id=job.chain_id, exists=True)
        if job.dedup and (holder := self._holder(dedup_keys(job), job.dedup)):
            return Created(chain_id=holder, deduplicated=True)
        self._insert(job)
        return Created(chain_id=job.chain_id)

    def _repeat(self, existing: ExistingJob, job: NewJob, *, resent: bool) -> Created:
        # Same id, other contents: not a repeated call but a collision.
        if not resent or (existing.type, existing.input) != (job.type, job.input):
            return Created(chain_id=job.chain_id, exists=True)
        is_blocked = existing.blocked > 0 or existing.failed_by is not None
        self.transitions += _started(job, existing.created_at, is_blocked=is_blocked, failed_with=existing.failed_by)
        return Created(chain_id=job.chain_id)

    def _holder(self, keys: Sequence[DedupKey], dedup: Dedup) -> str | None:
        """Return the chain that the start gets instead of a new one, if there is one."""
        # Only the first start with a key asks its stored holder. A chain of this batch is newer than any of these.
        if owner := next((self._key_owners[key] for key in keys if key in self._key_owners), None):
            return owner
        holders = [self._holders[key] for key in keys if key in self._holders]
        owner = next((holder.chain_id for holder in holders if holder.matches(dedup, self.at)), None)
        if owner:
            self._key_owners |= dict.fromkeys(keys, owner)
        return owner

    def _insert(self, job: NewJob) -> None:
        rule = rule_of(job)
        decision = decide_wait(rule, {blocker: status_of(self._ends, blocker) for blocker in job.blockers})
        self._jobs[job.chain_id] = job
        for key in dedup_keys(job):
            self._key_owners[key] = job.chain_id
            self._keys.append((*key, job.chain_id, self.at, keeps_dedup_key(job)))
        expires_at = None if job.expires is None else self.at + seconds_to_micros(max(job.expires, 0.0))
        due, awaited = due_at(job, self.at), len(decision.awaited)
        self._open.append((job.chain_id, job.type, job.queue, job.priority, due, awaited, *rule.columns, expires_at))
        for ordinal, blocker in enumerate(dict.fromkeys(job.blockers)):
            row = job.chain_id, 0, ordinal, blocker, rule.waits_after_failure, blocker in decision.awaited
            self._blockers.append(row)
        # A later job of the batch may have this chain as a blocker.
        self._ends[job.chain_id] = Status.FAILED if decision.failure else None
        self.transitions += _started(job, self.at, is_blocked=decision.is_blocked, failed_with=decision.failed_with)
        self._fail(job, decision)

    def _fail(self, job: NewJob, decision: WaitDecision) -> None:
        """Close the job if a blocker failed before it started."""
        if decision.failure:
            why = decision.failure.type, decision.failure.text
            self._failed.append(ClosedJob(job.chain_id, Status.FAILED, Verb.FAIL_BY_BLOCKER, None, *why))

    async def write(self, db: SqliteSession) -> None:
        if not self._jobs:
            return
        rows = [job_row(job, chain_id, 0) for chain_id, job in self._jobs.items()]
        await db.write("create_jobs", jobs=batch(rows), now=self.at)
        await db.write("create_open_jobs", jobs=batch(self._open))
        if self._keys:
            await db.write("take_keys", keys=batch(self._keys))
        if self._blockers:
            awaited = [blocker for _, _, _, blocker, _, is_awaited in self._blockers if is_awaited]
            # Under one write lock, so that no blocker can close between the read of its state and this.
            await db.write("mark_waited_on", chains=batch(awaited))
            await db.write("add_blockers", blockers=batch(self._blockers), now=self.at)
        if self._failed:
            await close(db, self.at, self._failed, with_dedup=bool(self._keys))


def _started(job: NewJob, at: int, *, is_blocked: bool, failed_with: str | None) -> list[Transition]:
    due = to_datetime(due_at(job, at))
    return build.started(job, at=to_datetime(at), run_at=due, is_blocked=is_blocked, failed_with=failed_with)


def job_row(job: NewJob | Successor, chain_id: str, position: int) -> tuple[object, ...]:
    """Return the immutable row of a job."""
    return chain_id, position, job.type, job.queue, job.input, job.trace, job.meta, *_key_columns(job)


def _key_columns(job: NewJob | Successor) -> tuple[object, ...]:
    """Return the dedup key of a job, whether it lasts, and the other names of the type that have it."""
    if not isinstance(job, NewJob) or job.dedup is None:
        return None, None, None
    return job.dedup.key, keeps_dedup_key(job), encode(job.aliases).decode() if job.aliases else None


def due_at(job: NewJob | Successor | Amendment, at: int) -> int:
    """Return when the job may run first. A time in the past means now."""
    if job.at is not None:
        return max(to_micros(job.at), at)
    return at + seconds_to_micros(max(job.delay or 0.0, 0.0))
