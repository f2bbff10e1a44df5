"""Blockers that are given later and got lost, and circles that are closed or imagined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from otelq.model import Blocks
from otelq.transitions import build, outcomes
from otelq.transitions.blockers import NO_WAIT

from .adapter import close, settle, waits
from .planting import Faults

_EDGE = "ON blocker.chain_id = open.chain_id AND blocker.position = open.position"

faults = Faults()
faults.statements(
    forgets_the_blockers_before=("count_blockers", "max(blocker.ordinal) + 1", "max(NULL)"),
    knows_no_blocker_again=("find_blockers", "blocker.position = item.value ->> 1", "false"),
    looks_at_the_next_chain_alone=("find_cycle", _EDGE, f"{_EDGE} AND reach.origin = reach.chain_id"),
    follows_the_first_jobs_alone=("find_cycle", "blocker.position = open.position", "blocker.position = 0"),
    follows_no_waits_for_any=("find_cycle", "open.blocked_by_count > 0", "open.until IS NULL"),
    follows_waits_that_are_over=(
        "find_cycle", "AND blocker.released_at IS NULL", "", "AND open.blocked_by_count > 0", "",
    ),
)  # fmt: skip


@faults.instead_of(outcomes.blocker_source)
def continues_without_blockers(real: Any, outcome: object) -> Any:
    return outcome if isinstance(outcome, Blocks) else None


@faults.instead_of(close._wait)
async def continues_from_outside_without_blockers(real: Any, *call: object) -> Any:
    return NO_WAIT


@faults.instead_of(settle.advanced_row)
def continues_at_once(real: Any, successor: Any, *call: object) -> Any:
    return real(replace(successor, delay=None, at=None), *call)


@faults.instead_of(build.blocked)
def reports_no_wait(real: Any, item: object, **call: Any) -> Any:
    return real(item, **call)[:1]


@faults.instead_of(waits.check_cycles)
async def refuses_only_itself(real: Any, *call: object) -> None:
    return None


@faults.instead_of(waits.block)
async def closes_any_circle(real: Any, db: object, at: int, wishes: Sequence[Any]) -> Any:
    others = [[blocker for blocker in wish.blockers if blocker != wish.chain_id] for wish in wishes]
    return await real(db, at, [replace(w, blockers=blockers) for w, blockers in zip(wishes, others, strict=True)])
