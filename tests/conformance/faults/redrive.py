"""Redrives that open too much, or leave something behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otelq.transitions import refusals
from otelq.transitions.blockers import BAD_ENDS

from .adapter import SqliteState, batch, redrive
from .planting import Faults

_PAST = 'FROM main."{schema}_outcome" WHERE chain_id = value ->> 0 ORDER BY position DESC LIMIT 1'

faults = Faults()
faults.statements(
    keeps_the_attempts=(
        "redrive_jobs", "last_trace, waited_on", "last_trace, attempt, waited_on",
        "value ->> 8,", f"value ->> 8, (SELECT attempt {_PAST}),",
    ),
    keeps_the_crashes=(
        "redrive_jobs", "last_trace, waited_on", "last_trace, crashes, waited_on",
        "value ->> 8,", f"value ->> 8, (SELECT crashes {_PAST}),",
    ),
    keeps_the_plan=("redrive_jobs", "value ->> 5", f"(SELECT run_at {_PAST})"),
    forgets_who_waits_for_the_redriven=("redrive_jobs", "blocker.blocker_id = value ->> 0", "false"),
    forgets_the_rule=("read_tails", "outcome.until, outcome.on_failure", "NULL, NULL"),
    opens_the_first_job=("read_tails", "max(position)", "min(position)"),
    waits_for_no_blockers_again=("read_redriven_blockers", "blocker.position = item.value ->> 1", "false"),
    takes_all_blockers_for_open=("read_redriven_blockers", "outcome.chain_id = blocker.blocker_id", "false"),
)  # fmt: skip


@faults.instead_of(redrive._take_keys)
async def takes_no_key_back(real: Any, *call: object) -> None:
    return None


@faults.instead_of(redrive._take_keys)
async def takes_the_key_from_others(real: Any, db: Any, ended: Sequence[Any]) -> None:
    keys = [(one.job.chain_type, one.dedup_key, one.chain_id, one.job.chain_created_at, 0) for one in ended]
    await db.write("take_keys", keys=batch([key for key in keys if key[1] is not None]))


@faults.instead_of(redrive._decide_wait)
def waits_for_what_can_never_be(real: Any, chain: Any, edges: Sequence[Any]) -> Any:
    return real(chain, [edge for edge in edges if edge.end not in BAD_ENDS])


@faults.instead_of(refusals.check_redrive)
def redrives_completed_chains(real: Any, *call: object) -> None:
    return None


@faults.instead_of(SqliteState.redrive)
async def redrives_one_after_the_other(real: Any, self: object, chain_ids: Sequence[str], **call: Any) -> Any:
    return [made for chain_id in chain_ids for made in await real(self, [chain_id], **call)]
