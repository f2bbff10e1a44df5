"""Queries: outcomes of chains, attempts of jobs, and the visible effects of transitions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..model import AttemptRecord, ChainOutcome, JobKey, Status, Transition
from . import rows
from .database import PostgresSession


async def outcomes(session: PostgresSession, chain_ids: Sequence[str]) -> dict[str, ChainOutcome]:
    """Return the status of chains; left out are those that do not exist, or lost a row to a DELETE by hand."""
    return {
        row["chain_id"]: ChainOutcome(
            chain_id=row["chain_id"],
            type=row["chain_type"],
            status=Status(row["status"]),
            output=row["output"],
            failure=rows.failure(row["error_type"], row["error_text"]),
        )
        for row in await session.rows("read_tails", chain_ids)
        if row["status"] is not None
    }


async def blocker_outputs(session: PostgresSession, jobs: Sequence[JobKey]) -> Mapping[JobKey, Sequence[ChainOutcome]]:
    """Return the outcomes of the blockers of jobs, in the order in which they were given."""
    by_job: dict[JobKey, list[str]] = {}
    keys = [chain_id for chain_id, _ in jobs], [position for _, position in jobs]
    for row in await session.rows("read_blockers", *keys):
        by_job.setdefault((row["chain_id"], row["position"]), []).append(row["blocker_id"])
    wanted = {blocker for blockers in by_job.values() for blocker in blockers}
    found = await outcomes(session, sorted(wanted)) if wanted else {}
    return {job: [found[blocker] for blocker in blockers if blocker in found] for job, blockers in by_job.items()}


async def attempts(session: PostgresSession, chain_id: str, position: int) -> list[AttemptRecord]:
    """Return the ended attempts of one job, first to last."""
    return [
        AttemptRecord(
            chain_id=chain_id,
            position=position,
            number=row["number"],
            token=row["token"],
            verb=rows.verb(row),
            worker=row["worker"],
            started_at=row["claimed_at"],
            ended_at=row["ended_at"],
            failure=rows.failure(row["error_type"], row["error_text"]),
            trace=row["trace"],
            generation=row["generation"],
        )
        for row in await session.rows("read_attempts", chain_id, position)
    ]


async def were_committed(session: PostgresSession, transitions: Sequence[Transition]) -> list[bool | None]:
    """Return for each transition whether its effects can be seen; None where there is no trace to look for."""
    found = await session.rows(
        "were_committed",
        [change.chain_id for change in transitions],
        [change.position for change in transitions],
        [change.verb for change in transitions],
        [change.target for change in transitions],
        [change.at for change in transitions],
        [change.attempt for change in transitions],
    )
    return [row["is_there"] for row in found]


async def next_due(session: PostgresSession, types: Sequence[str]) -> float | None:
    """Return the seconds until the earliest job of these types is due; None if there is none."""
    seconds = (await session.row("next_due", types))["seconds"]
    return None if seconds is None else max(seconds, 0.0)


async def next_maintenance(
    session: PostgresSession, types: Sequence[str], *, except_tokens: Collection[int]
) -> float | None:
    """Return the seconds until a lease runs out, a job expires or dependents are pending; None if there is nothing."""
    seconds = (await session.row("next_maintenance", types, list(except_tokens)))["seconds"]
    return None if seconds is None else max(seconds, 0.0)
