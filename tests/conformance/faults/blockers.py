"""Dependents that are unblocked too soon, too often or never."""

from __future__ import annotations

from typing import Any

from otelq.errors import NotFound
from otelq.model import Status

from .adapter import unblock, waits
from .planting import Faults

faults = Faults()
faults.statements(
    waits_for_what_closed_before=("read_blocker_ends", "WHERE outcome.chain_id", "WHERE false AND outcome.chain_id"),
    unblocks_with_the_first_blocker=("count_down", "blocked_by_count = item.value ->> 1", "blocked_by_count = 0"),
    forgets_the_plan_of_a_blocked_job=("count_down", "max(open.run_at, :now)", ":now"),
    unblocks_in_the_past=("count_down", "max(open.run_at, :now)", "open.run_at"),
    leaves_the_dependents_of_failures=("find_dependents", "blocker.waits <= (closed.status", "(closed.status"),
    ignores_the_rule_to_wait=("find_dependents", "AND blocker.waits <= (closed.status = 'completed')", ""),
    forgets_pending_dependents=("add_pending", "WHERE true", "WHERE false"),
    sorts_outputs_by_id=("read_blockers", "blocker.ordinal", "blocker.blocker_id"),
    takes_all_jobs_for_the_first=("read_blockers", "blocker.position = item.value ->> 1", "blocker.position = 0"),
)  # fmt: skip


@faults.instead_of(waits.status_of)
def takes_a_missing_blocker_for_done(real: Any, standing: Any, blocker: str) -> Any:
    try:
        return real(standing, blocker)
    except NotFound:
        return Status.COMPLETED


@faults.instead_of(unblock._apply_ends)
async def fails_one_level_alone(real: Any, *call: Any) -> tuple[Any, list[object]]:
    made, _ = await real(*call)
    return made, []


@faults.instead_of(unblock._count_down)
async def unblocks_twice(real: Any, *call: Any) -> Any:
    return await real(*call) * 2
