"""Jobs whose rows are held, closed for good; and what follows from that for their keys, edges and dependents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..model import Failure, Status, Transition, Verb
from ..transitions import build
from ..transitions.build import Snapshot
from .database import WAIT, PostgresSession
from .unblock import let_go

Made = dict[str, list[Transition]]
"""What was made, by chain; under no chain's id what that did to others."""

OTHERS = ""


async def close(
    session: PostgresSession,
    jobs: Sequence[Snapshot],
    *,
    verb: Verb,
    outputs: Mapping[str, str] | None = None,
    failures: Mapping[str, Failure] | None = None,
) -> Made:
    """Close jobs whose rows are held: completed where there are outputs, failed by failures, or cancelled."""
    if not jobs:
        return {}
    outputs, failures = outputs or {}, failures or {}
    jobs = sorted(jobs, key=lambda job: job.chain_id)
    ends = [failures.get(job.chain_id) for job in jobs]
    row = await session.row(
        "close",
        verb,
        *marks(jobs),
        [outputs.get(job.chain_id) for job in jobs],
        [end and end.type for end in ends],
        [end and end.text for end in ends],
        None,
        lock=WAIT,
        which="",
    )
    await untie(session, jobs)
    if row["keyed"]:
        await session.rows("free_keys", row["keyed"])
    status = Status.COMPLETED if outputs else Status.FAILED if failures else Status.CANCELLED
    made = {
        job.chain_id: [build.moved(job, verb, status, at=row["at"], error_type=end.type if end else None)]
        for job, end in zip(jobs, ends, strict=True)
    }
    others, _ = await let_go(session, row["waited_on"]) if row["waited_on"] else ([], [])
    return made | ({OTHERS: others} if others else {})


async def untie(session: PostgresSession, jobs: Sequence[Snapshot]) -> None:
    """A job that was blocked waits no longer."""
    if blocked := [job.chain_id for job in jobs if job.status is Status.BLOCKED]:
        await session.rows("forget_edges", blocked)


def marks(jobs: Sequence[Snapshot]) -> tuple[list[str], list[int], list[int | None]]:
    """Jobs under the tokens that they have now, as fenced statements take them."""
    return [job.chain_id for job in jobs], [job.position for job in jobs], [job.token for job in jobs]


def in_order(chain_ids: Sequence[str], made: Made) -> list[Transition]:
    """By chain as they were given, then what happened to others."""
    return [change for id in (*dict.fromkeys(chain_ids), OTHERS) for change in made.get(id, ())]
