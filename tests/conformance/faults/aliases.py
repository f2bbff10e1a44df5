"""Names of a type that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from otelq.model import NewJob
from otelq.transitions.dedup import dedup_keys

from .adapter import SqliteState, StartBatch, open_jobs
from .dedup import BY_THEIR_KEYS, OF_THE_CHAINS
from .planting import Faults

faults = Faults()
faults.statements(
    frees_the_key_of_the_present_name_alone=("free_keys", "NOT lasting", f"NOT lasting AND {BY_THEIR_KEYS}"),
    deletes_the_key_of_the_present_name_alone=("delete_dedup", OF_THE_CHAINS, f"{OF_THE_CHAINS} AND {BY_THEIR_KEYS}"),
    forgets_the_aliases_of_a_redriven_chain=("read_tails", "head.dedup_aliases", "NULL"),
)


@faults.instead_of(SqliteState.create)
async def knows_no_alias(real: Any, self: object, jobs: Sequence[NewJob], **call: Any) -> Any:
    return await real(self, [replace(job, aliases=()) for job in jobs], **call)


@faults.instead_of(dedup_keys)
def holds_the_key_under_the_oldest_name_alone(real: Any, job: NewJob) -> Any:
    return real(job)[-1:]


@faults.instead_of(dedup_keys)
def gives_the_holder_under_the_oldest_name_first(real: Any, job: NewJob) -> Any:
    return real(job)[::-1]


@faults.instead_of(StartBatch._holder)
def asks_for_the_present_name_alone(real: Any, self: object, keys: Any, dedup: Any) -> Any:
    return real(self, keys[:1], dedup)


@faults.instead_of(StartBatch._holder)
def asks_for_the_aliases_only_if_nobody_has_the_present_name(real: Any, self: Any, keys: Any, dedup: Any) -> Any:
    return real(self, keys[:1] if keys[0] in self._holders else keys, dedup)


@faults.instead_of(open_jobs.open_step)
async def knows_a_step_by_its_present_name_alone(real: Any, db: Any, chain_id: str, steps: Sequence[str]) -> Any:
    return await real(db, chain_id, steps[:1])
