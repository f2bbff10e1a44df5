"""Open jobs that are changed, taken over or locked by halves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from otelq.errors import InvalidArgument, OtelqError
from otelq.model import Amendment
from otelq.transitions import refusals

from .adapter import SqliteState
from .planting import Faults

faults = Faults()
faults.statements(
    amends_no_priority=("amend_jobs", "coalesce(:priority, priority)", "priority"),
    gives_what_is_not_named_its_default=("amend_jobs", "coalesce(:priority, priority)", "coalesce(:priority, 0)"),
    amends_no_time=("amend_jobs", "run_at = :run_at", "run_at = run_at"),
    unblocks_amended_jobs=("amend_jobs", "run_at = :run_at", "run_at = :run_at, blocked_by_count = 0"),
    forgets_the_attempts_of_amended_jobs=("amend_jobs", "run_at = :run_at", "run_at = :run_at, attempt = 0"),
    amends_the_first_job=("amend_input", "job.position = item.value ->> 1", "job.position = 0"),
)


@faults.instead_of(refusals.check_amend)
def amends_what_runs(real: Any, *call: object) -> None:
    return None


@faults.instead_of(SqliteState.amend)
async def amends_any_step(real: Any, self: object, amendments: Sequence[Amendment], **call: Any) -> Any:
    return await real(self, [replace(one, step=None) for one in amendments], **call)


@faults.instead_of(SqliteState.amend)
async def amends_one_at_a_time(real: Any, self: object, amendments: Sequence[Amendment], **call: Any) -> Any:
    if len(amendments) != 1:
        raise InvalidArgument("amendments", "are many, or none")
    return await real(self, amendments, **call)


@faults.instead_of(SqliteState.amend)
async def writes_before_it_looks_at_the_input(
    real: Any, self: object, amendments: Sequence[Amendment], **call: Any
) -> Any:
    await real(self, [replace(one, input=None) for one in amendments], **call)
    return await real(self, amendments, **call)


@faults.instead_of(refusals.check_take_over)
def takes_over_what_does_not_run(real: Any, *call: object) -> None:
    return None


@faults.instead_of(SqliteState.lock)
async def locks_what_it_can(real: Any, self: object, chain_ids: Sequence[str], *, tx: object) -> Sequence[object]:
    found: list[object] = []
    for chain_id in chain_ids:
        with suppress(OtelqError):
            found += await real(self, [chain_id], tx=tx)
    return found


@faults.instead_of(SqliteState.lock)
async def locks_in_its_own_order(real: Any, self: object, chain_ids: Sequence[str], *, tx: object) -> Any:
    return await real(self, sorted(chain_ids), tx=tx)


@faults.instead_of(SqliteState.lock)
async def locks_what_is_committed(real: Any, self: Any, chain_ids: Sequence[str], *, tx: object) -> Any:
    return await real(self, [chain_id for chain_id in chain_ids if chain_id in await self.outcomes([chain_id])], tx=tx)


@faults.instead_of(SqliteState.lock)
async def locks_for_the_time_of_the_verb(real: Any, self: Any, chain_ids: object, *, tx: Any) -> Any:
    found = await real(self, chain_ids, tx=tx)
    await tx.handle.execute("COMMIT")
    await tx.handle.execute("BEGIN")
    self._database._writer.lock = asyncio.Lock()
    return found
