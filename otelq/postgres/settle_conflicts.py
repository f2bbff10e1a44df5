"""Why a fenced statement did not write what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..model import Claimed, Completes, Continues, Fails, Settlement, SettleResult, Status, Successor, Transition, Verb
from ..transitions import build
from . import rows
from .database import PostgresSession

Item = tuple[int, Settlement]
"""A settlement and its place in the batch."""


async def judge(
    session: PostgresSession, items: Sequence[Item], made: dict[int, list[Transition]], kept: dict[str, Claimed]
) -> tuple[dict[int, SettleResult], list[Item]]:
    """
    What became of items that were not written; those that need a transaction to be closed are returned apart.

    One that was written before, under the same token, gives again what it made then.
    """
    verdicts: dict[int, SettleResult] = {}
    tied: list[Item] = []
    told: set[Transition] = set()  # a chain that waited for several of the batch was let go once
    for row in await session.rows("judge", *rows.lease_columns([item.job.lease for _, item in items])):
        place, item = items[rows.place(row)]
        match row["verdict"]:
            case "held":
                verdicts[place] = SettleResult.BUSY
                if row["tied"] and isinstance(item.outcome, (Completes, Fails)):
                    tied.append((place, item))
            case "done":
                verdicts[place] = SettleResult.DONE
                before = await _made_before(session, item, row, kept)
                made[place] = [change for change in before if change not in told]
                told.update(before)
            case verdict:
                verdicts[place] = SettleResult(verdict)
    return verdicts, tied


async def _made_before(
    session: PostgresSession, item: Settlement, row: rows.Row, kept: dict[str, Claimed]
) -> list[Transition]:
    """The transitions of a settlement whose reply was lost, from what it stored."""
    at, verb, error_type = row["at"], Verb(row["verb"]), row["error_type"]
    match verb:
        case Verb.COMPLETE | Verb.FAIL:
            status = Status.COMPLETED if verb is Verb.COMPLETE else Status.FAILED
            closed = build.settled(item, verb, status, at=at, error_type=error_type)
            return [closed, *await _others_before(session, item, at)]
        case Verb.CONTINUE:
            return await _continued_before(session, item, kept)
        case Verb.BLOCK:
            return await _blocked_before(session, item, row)
        case _:
            due_at = row["due_at"]
            target = build.due_status(due_at, at)
            return [build.settled(item, verb, target, at=at, due_at=due_at, error_type=error_type)]


async def _continued_before(session: PostgresSession, item: Settlement, kept: dict[str, Claimed]) -> list[Transition]:
    keep = item.outcome.claim_successor if isinstance(item.outcome, Continues) else None
    lease = item.job.lease
    row = await session.row("read_successor", lease.chain_id, lease.position + 1, keep and keep.token)
    successor = Successor(
        type=row["type"], queue=row["queue"], input=row["input"], trace=row["trace"], meta=row["meta"]
    )
    if not row["blockers"]:
        made, granted = rows.continued(item, successor, keep, row=row)
        kept |= {lease.chain_id: granted} if granted else {}
        return made
    at, failed_with, is_blocked = row["at"], row["failed_with"], row["born_blocked"]
    made = build.continued(item, successor, at=at, run_at=row["run_at"], is_blocked=is_blocked, failed_with=failed_with)
    return [*made, *(await _others_before(session, item, at) if failed_with else [])]


async def _blocked_before(session: PostgresSession, item: Settlement, row: rows.Row) -> list[Transition]:
    failed_with, is_free = row["failed_with"], row["due_at"] is not None
    made = build.blocked(item, at=row["at"], is_free=is_free, failed_with=failed_with)
    return [*made, *(await _others_before(session, item, row["at"]) if failed_with else [])]


async def _others_before(session: PostgresSession, item: Settlement, at: datetime) -> list[Transition]:
    """What a chain that closed at this time did to those that waited for it."""
    others = await session.rows("made_by_closing", item.job.lease.chain_id, at)
    return [rows.released(other) for other in others]
