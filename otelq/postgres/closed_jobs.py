"""Closing of jobs whose rows are locked, with the effects on their keys, blockers and dependents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..model import Failure, Status, Transition, Verb
from ..transitions import build
from ..transitions.build import Snapshot
from .database import WAIT, PostgresSession
from .unblock import release_dependents

ChainTransitions = dict[str, list[Transition]]
"""Transitions by chain id; those of other chains, which the verb did not name, under ``OTHERS``."""

OTHERS = ""


async def close(
    session: PostgresSession,
    jobs: Sequence[Snapshot],
    *,
    verb: Verb,
    outputs: Mapping[str, str] | None = None,
    failures: Mapping[str, Failure] | None = None,
) -> ChainTransitions:
    """Close jobs whose rows are locked: as completed with outputs, as failed with failures, or else as cancelled."""
    if not jobs:
        return {}
    outputs, failures = outputs or {}, failures or {}
    jobs = sorted(jobs, key=lambda job: job.chain_id)
    ends = [failures.get(job.chain_id) for job in jobs]
    row = await session.row(
        "close",
        verb,
        *token_columns(jobs),
        [outputs.get(job.chain_id) for job in jobs],
        [end and end.type for end in ends],
        [end and end.text for end in ends],
        None,
        lock=WAIT,
        condition="",
    )
    await release_blockers(session, jobs)
    if row["keyed"]:
        await session.rows("free_keys", row["keyed"])
    status = Status.COMPLETED if outputs else Status.FAILED if failures else Status.CANCELLED
    transitions = {
        job.chain_id: [build.moved(job, verb, status, at=row["at"], error_type=end.type if end else None)]
        for job, end in zip(jobs, ends, strict=True)
    }
    # Dependents are read by a later statement than the one that locked the chains. Its newer snapshot has the blocker
    # rows of a start that held the lock before; in one statement such a dependent would stay blocked for ever.
    others, _ = await release_dependents(session, row["waited_on"]) if row["waited_on"] else ([], [])
    return transitions | ({OTHERS: others} if others else {})


async def release_blockers(session: PostgresSession, jobs: Sequence[Snapshot]) -> None:
    """Mark the blockers of jobs that were blocked as released, since the jobs wait no longer."""
    if blocked := [job.chain_id for job in jobs if job.status is Status.BLOCKED]:
        await session.rows("release_blockers", blocked)


def token_columns(jobs: Sequence[Snapshot]) -> tuple[list[str], list[int], list[int | None]]:
    """Return jobs under their present tokens, as columns for a fenced statement."""
    return [job.chain_id for job in jobs], [job.position for job in jobs], [job.token for job in jobs]


def in_order(chain_ids: Sequence[str], transitions: ChainTransitions) -> list[Transition]:
    """Return the transitions in the order of the given chains, then those of other chains."""
    return [change for id in (*dict.fromkeys(chain_ids), OTHERS) for change in transitions.get(id, ())]
