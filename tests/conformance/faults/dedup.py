"""Keys that are free or held at the wrong time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from otelq.model import Dedup, NewJob
from otelq.transitions.dedup import is_duplicate

from .adapter import SqliteState, StartBatch, waits
from .planting import Faults

OF_THE_CHAINS = "chain_id IN (SELECT value FROM json_each(:chains))"
BY_THEIR_KEYS = f"""\
(type, key) IN (SELECT type, dedup_key FROM main."{{schema}}_job" WHERE position = 0 AND {OF_THE_CHAINS})"""

faults = Faults()
faults.statements(
    shares_keys_among_types=(
        "read_keys", "dedup.type, dedup.key,", "item.value ->> 0, dedup.key,", "dedup.type = item.value ->> 0", "true",
    ),
    frees_no_key=("free_keys", "NOT lasting", "false"),
    keeps_no_key_after_the_end=("free_keys", "NOT lasting", "true"),
    frees_a_key_that_others_took=("delete_dedup", OF_THE_CHAINS, BY_THEIR_KEYS),
    takes_a_lasting_holder_for_closed=("read_keys", "EXISTS (", "NOT dedup.lasting AND EXISTS ("),
)  # fmt: skip


@faults.instead_of(is_duplicate)
def gives_closed_holders_to_all(real: Any, dedup: Dedup, **holder: Any) -> Any:
    return real(replace(dedup, scope="any"), **holder)


@faults.instead_of(is_duplicate)
def knows_no_window(real: Any, dedup: Dedup, **holder: Any) -> Any:
    return real(replace(dedup, window=None), **holder)


@faults.instead_of(is_duplicate)
def ends_the_window_too_soon(real: Any, dedup: Dedup, *, age: float, **holder: Any) -> Any:
    return real(dedup, age=age + 1, **holder)


@faults.instead_of(is_duplicate)
def knows_no_exclusion(real: Any, dedup: Dedup, **holder: Any) -> Any:
    return real(replace(dedup, exclude=()), **holder)


@faults.instead_of(is_duplicate)
def excludes_everybody(real: Any, dedup: Dedup, **holder: Any) -> Any:
    return not dedup.exclude and real(dedup, **holder)


@faults.instead_of(SqliteState.create)
async def knows_no_key(real: Any, self: object, jobs: Sequence[NewJob], **call: Any) -> Any:
    return await real(self, [replace(job, dedup=None) for job in jobs], **call)


@faults.instead_of(SqliteState.create)
async def cuts_long_keys(real: Any, self: object, jobs: Sequence[NewJob], **call: Any) -> Any:
    cut = [replace(job, dedup=job.dedup and replace(job.dedup, key=job.dedup.key[:255])) for job in jobs]
    return await real(self, cut, **call)


@faults.instead_of(StartBatch._holder)
def decides_each_start_of_a_batch_alone(real: Any, self: Any, type: str, dedup: Dedup) -> Any:
    self._key_owners.clear()
    return real(self, type, dedup)


@faults.instead_of(StartBatch.add)
def looks_at_the_blockers_of_a_duplicate(real: Any, self: Any, job: NewJob, *, resent: bool) -> Any:
    for blocker in job.blockers:
        waits.status_of(self._ends, blocker)
    return real(self, job, resent=resent)


@faults.instead_of(SqliteState.create)
async def knows_no_scope(real: Any, self: object, jobs: Sequence[NewJob], **call: Any) -> Any:
    lasting = [replace(job, dedup=job.dedup and replace(job.dedup, scope="any")) for job in jobs]
    return await real(self, lasting, **call)
