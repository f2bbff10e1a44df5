"""Starting chains."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import Decoder

from ..model import Amendment, Created, Dedup, NewJob, Status, Successor, Transition, Verb
from ..transitions import build
from ..transitions.blockers import ChainEnd, WaitDecision, decide_wait, rule_of
from ..transitions.dedup import is_duplicate, keeps_dedup_key
from .closed_jobs import ClosedJob, close
from .rows import seconds_to_micros, to_datetime, to_micros
from .session import SqliteSession, batch
from .value_checks import check_job
from .waits import blocker_ends, status_of


class ExistingJob(Struct, frozen=True, array_like=True):
    """A chain found under an id of the batch, as it was started."""

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
        """Whether a start at that time gets this chain instead of a new one."""
        age = (at - self.taken_at) / 1_000_000
        return is_duplicate(dedup, holder=self.chain_id, age=age, is_open=bool(self.is_open))


_BEFORE = Decoder(list[ExistingJob])
_HOLDERS = Decoder(list[KeyHolder])


async def create(
    db: SqliteSession, at: int, *, jobs: Sequence[NewJob], again: bool
) -> tuple[Sequence[Created], Sequence[Transition]]:
    """Start chains in the order given, each seeing those before it."""
    for job in jobs:
        check_job(job)
    start = _StartBatch(at)
    found = await db.read("read_existing", _BEFORE, chains=batch([job.chain_id for job in jobs]))
    start.found = {jobs[before.index].chain_id: before for before in found}
    await start.blocker_ends(db, jobs)
    created = [start.add(job, again=again) for job in jobs]
    await start.write(db)
    return created, start.made


class _StartBatch:
    """What one batch starts."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.made: list[Transition] = []
        self.found: dict[str, ExistingJob] = {}
        self._holders: dict[tuple[str, str], KeyHolder] = {}
        self._key_owners: dict[tuple[str, str], str] = {}
        """Keys that a start of this batch asked for, with the chain that it got: it counts for all later ones."""
        self._ends: dict[str, ChainEnd] = {}
        self._jobs: dict[str, NewJob] = {}
        self._open: list[tuple[object, ...]] = []
        self._edges: list[tuple[str, int, int, str, bool, bool]] = []
        self._keys: list[tuple[str, str, str, int, bool]] = []
        self._failed: list[ClosedJob] = []

    async def blocker_ends(self, db: SqliteSession, jobs: Sequence[NewJob]) -> None:
        """Read who holds the keys, and how the blockers stand."""
        keys = {(job.type, job.dedup.key) for job in jobs if job.dedup}
        if keys:
            holders = await db.read("read_keys", _HOLDERS, keys=batch(list(keys)))
            self._holders = {(holder.type, holder.key): holder for holder in holders}
        blockers = {blocker for job in jobs for blocker in job.blockers}
        if blockers:
            self._ends = await blocker_ends(db, blockers)

    def add(self, job: NewJob, *, again: bool) -> Created:
        if before := self.found.get(job.chain_id):
            return self._repeat(before, job, again=again)
        if job.chain_id in self._jobs:
            return Created(chain_id=job.chain_id, exists=True)
        if job.dedup and (holder := self._holder(job.type, job.dedup)):
            return Created(chain_id=holder, deduplicated=True)
        self._insert(job)
        return Created(chain_id=job.chain_id)

    def _repeat(self, before: ExistingJob, job: NewJob, *, again: bool) -> Created:
        if not again or (before.type, before.input) != (job.type, job.input):
            return Created(chain_id=job.chain_id, exists=True)
        is_blocked = before.blocked > 0 or before.failed_by is not None
        self.made += _started(job, before.created_at, is_blocked=is_blocked, failed_with=before.failed_by)
        return Created(chain_id=job.chain_id)

    def _holder(self, type: str, dedup: Dedup) -> str | None:
        """The chain that the start gets instead of a new one."""
        key = type, dedup.key
        holder = self._holders.get(key)
        if key not in self._key_owners and holder and holder.matches(dedup, self.at):
            self._key_owners[key] = holder.chain_id
        return self._key_owners.get(key)

    def _insert(self, job: NewJob) -> None:
        rule = rule_of(job)
        decision = decide_wait(rule, {blocker: status_of(self._ends, blocker) for blocker in job.blockers})
        self._jobs[job.chain_id] = job
        if job.dedup:
            self._key_owners[job.type, job.dedup.key] = job.chain_id
            self._keys.append((job.type, job.dedup.key, job.chain_id, self.at, keeps_dedup_key(job)))
        expires_at = None if job.expires is None else self.at + seconds_to_micros(max(job.expires, 0.0))
        due, awaited = due_at(job, self.at), len(decision.awaited)
        self._open.append((job.chain_id, job.type, job.queue, job.priority, due, awaited, *rule.columns, expires_at))
        for ordinal, blocker in enumerate(dict.fromkeys(job.blockers)):
            edge = job.chain_id, 0, ordinal, blocker, rule.waits_after_failure, blocker in decision.awaited
            self._edges.append(edge)
        self._ends[job.chain_id] = Status.FAILED if decision.failure else None
        self.made += _started(job, self.at, is_blocked=decision.is_blocked, failed_with=decision.failed_with)
        self._fail(job, decision)

    def _fail(self, job: NewJob, decision: WaitDecision) -> None:
        """Close the job if it is lost from the beginning."""
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
        if self._edges:
            held = [blocker for _, _, _, blocker, _, is_held in self._edges if is_held]
            await db.write("mark_waited_on", chains=batch(held))
            await db.write("add_blockers", blockers=batch(self._edges), now=self.at)
        if self._failed:
            await close(db, self.at, self._failed, with_dedup=bool(self._keys))


def _started(job: NewJob, at: int, *, is_blocked: bool, failed_with: str | None) -> list[Transition]:
    due = to_datetime(due_at(job, at))
    return build.started(job, at=to_datetime(at), run_at=due, is_blocked=is_blocked, failed_with=failed_with)


def job_row(job: NewJob | Successor, chain_id: str, position: int) -> tuple[object, ...]:
    """The immutable row of a job."""
    dedup = job.dedup if isinstance(job, NewJob) else None
    key = (dedup.key, dedup.scope == "any") if dedup else (None, None)
    return chain_id, position, job.type, job.queue, job.input, job.trace, job.meta, *key


def due_at(job: NewJob | Successor | Amendment, at: int) -> int:
    """When the job may run first; a time in the past means now."""
    if job.at is not None:
        return max(to_micros(job.at), at)
    return at + seconds_to_micros(max(job.delay or 0.0, 0.0))
