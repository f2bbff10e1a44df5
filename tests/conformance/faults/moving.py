"""Open jobs that are changed, taken over or locked by halves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from otelq.errors import InvalidArgument, NotFound
from otelq.model import Amendment, JobRecord, Status, Verb
from tests.conformance.specimen import claiming, ending, moving
from tests.conformance.specimen.asking import Reader
from tests.conformance.specimen.state import MemoryState
from tests.conformance.specimen.store import OpenJob

from .planting import instead_of, real


@instead_of(moving, "amended_row")
def amends_no_priority(db: Any, row: OpenJob, *, amendment: Amendment) -> Any:
    return real("moving.amended_row", db, row, amendment=replace(amendment, priority=None))


@instead_of(moving, "amended_row")
def amends_no_time(db: Any, row: OpenJob, *, amendment: Amendment) -> Any:
    return real("moving.amended_row", db, row, amendment=replace(amendment, at=None, delay=None))


@instead_of(moving, "amended_row")
def makes_every_amended_job_due(db: Any, row: OpenJob, *, amendment: Amendment) -> Any:
    return replace(real("moving.amended_row", db, row, amendment=amendment), run_at=db.now)


@instead_of(moving, "amended_row")
def gives_what_is_not_named_its_default(db: Any, row: OpenJob, *, amendment: Amendment) -> Any:
    return real("moving.amended_row", db, row, amendment=replace(amendment, priority=amendment.priority or 0))


@instead_of(moving, "amended_row")
def lets_amended_jobs_go(db: Any, row: OpenJob, *, amendment: Amendment) -> Any:
    return replace(real("moving.amended_row", db, row, amendment=amendment), awaits=0)


@instead_of(moving, "amended_row")
def forgets_the_attempts_of_amended_jobs(db: Any, row: OpenJob, *, amendment: Amendment) -> Any:
    return replace(real("moving.amended_row", db, row, amendment=amendment), attempt=0)


@instead_of(moving, "amend")
def amends_nothing(db: Any, amendment: Amendment) -> None:
    real("moving.amend", db, replace(amendment, priority=None, at=None, delay=None, input=None))


@instead_of(moving, "amend")
def forgets_the_first_input(db: Any, amendment: Amendment) -> None:
    real("moving.amend", db, amendment)
    row = db.store.open[amendment.chain_id]
    key = row.chain_id, row.position
    request = db.store.requests[key]
    if request.amended is not None:
        db.store.requests.put(key, replace(request, input=request.amended, amended=None))


@instead_of(moving, "amend")
def amends_the_first_job(db: Any, amendment: Amendment) -> None:
    real("moving.amend", db, replace(amendment, input=None))
    request = db.store.requests[amendment.chain_id, 0]
    db.store.requests.put((amendment.chain_id, 0), replace(request, amended=amendment.input))


@instead_of(moving, "amend")
def amends_silently(db: Any, amendment: Amendment) -> None:
    real("moving.amend", db, amendment)
    db.made.pop()


@instead_of(moving, "amend")
def amends_what_runs(db: Any, amendment: Amendment) -> None:
    row = moving.open_job(db, amendment.chain_id)
    if row.token is None:
        real("moving.amend", db, amendment)


@instead_of(moving, "amend")
def amends_any_step(db: Any, amendment: Amendment) -> None:
    real("moving.amend", db, replace(amendment, step=None))


@instead_of(moving, "amend")
def amends_waiting_jobs_alone(db: Any, amendment: Amendment) -> None:
    row = moving.open_job(db, amendment.chain_id)
    if row.status(db.now) is not Status.READY:
        raise InvalidArgument("chain", "is not ready")
    real("moving.amend", db, amendment)


@instead_of(MemoryState, "amend")
async def amends_one_at_a_time(self: Any, amendments: Sequence[Amendment], **call: Any) -> Any:
    if len(amendments) != 1:
        raise InvalidArgument("amendments", "are many, or none")
    return await real("MemoryState.amend", self, amendments, **call)


@instead_of(MemoryState, "amend")
async def writes_before_it_looks_at_the_input(self: Any, amendments: Sequence[Amendment], **call: Any) -> Any:
    await real("MemoryState.amend", self, [replace(one, input=None) for one in amendments], **call)
    return await real("MemoryState.amend", self, amendments, **call)


@instead_of(claiming, "claimed_job")
def claims_the_first_input(db: Any, row: OpenJob, *, token: int) -> Any:
    claimed = real("claiming.claimed_job", db, row, token=token)
    return replace(claimed, input=db.store.requests[row.chain_id, row.position].input)


@instead_of(moving, "take_over")
def takes_over_nothing(db: Any, chain_id: str) -> None:
    row = moving.open_job(db, chain_id)
    real("moving.take_over", db, chain_id)
    db.store.open.put(chain_id, row)


@instead_of(moving, "take_over")
def gives_the_attempt_back_when_taken_over(db: Any, chain_id: str) -> None:
    real("moving.take_over", db, chain_id)
    row = db.store.open[chain_id]
    db.store.open.put(chain_id, replace(row, attempt=row.attempt - 1))


@instead_of(moving, "take_over")
def counts_a_take_over_for_a_crash(db: Any, chain_id: str) -> None:
    real("moving.take_over", db, chain_id)
    row = db.store.open[chain_id]
    db.store.open.put(chain_id, replace(row, crashes=row.crashes + 1))


@instead_of(moving, "take_over")
def forgives_crashes_when_taken_over(db: Any, chain_id: str) -> None:
    real("moving.take_over", db, chain_id)
    db.store.open.put(chain_id, replace(db.store.open[chain_id], crashes=0))


@instead_of(moving, "take_over")
def takes_over_in_the_past(db: Any, chain_id: str) -> None:
    row = moving.open_job(db, chain_id)
    real("moving.take_over", db, chain_id)
    db.store.open.put(chain_id, replace(db.store.open[chain_id], run_at=row.run_at))


@instead_of(moving, "take_over")
def records_no_take_over(db: Any, chain_id: str) -> None:
    row = moving.open_job(db, chain_id)
    if row.token is None:
        raise InvalidArgument("chain", "does not run")
    db.store.open.put(chain_id, replace(ending.unleased(row), run_at=db.now))
    db.note(Verb.TAKE_OVER, row, source=Status.RUNNING, target=Status.READY, worker=row.leased_by)


@instead_of(moving, "take_over")
def leaves_what_does_not_run(db: Any, chain_id: str) -> None:
    if moving.open_job(db, chain_id).token is not None:
        real("moving.take_over", db, chain_id)


@instead_of(MemoryState, "take_over")
async def takes_over_one_alone(self: Any, chain_ids: Sequence[str], **call: Any) -> Any:
    return await real("MemoryState.take_over", self, chain_ids[:1], **call)


@instead_of(MemoryState, "lock")
async def locks_what_it_can(self: Any, chain_ids: Sequence[str], *, tx: Any) -> Any:
    found: list[JobRecord] = []
    for chain_id in chain_ids:
        try:
            found += await real("MemoryState.lock", self, [chain_id], tx=tx)
        except Exception:
            continue
    return found


@instead_of(MemoryState, "lock")
async def locks_in_its_own_order(self: Any, chain_ids: Sequence[str], *, tx: Any) -> Any:
    return await real("MemoryState.lock", self, sorted(chain_ids), tx=tx)


@instead_of(MemoryState, "lock")
async def locks_what_is_committed(self: Any, chain_ids: Sequence[str], *, tx: Any) -> Any:
    reader = Reader(self._store, self._reader(tx)._now, inside=False)
    return [reader.open_job(chain_id) for chain_id in chain_ids]


@instead_of(MemoryState, "lock")
async def locks_nothing(self: Any, chain_ids: Sequence[str], *, tx: Any) -> Any:
    found = await real("MemoryState.lock", self, chain_ids, tx=tx)
    self._writer.release()
    self._writer = type(self._writer)()
    return found


@instead_of(Reader, "open_job")
def locks_closed_chains(self: Any, chain_id: str) -> Any:
    if not self._length(chain_id):
        raise NotFound("no such chain")
    return self._tail(chain_id)
