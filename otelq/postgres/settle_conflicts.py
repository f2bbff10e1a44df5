"""Outcomes that a fenced statement did not write, and the reasons for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..model import Claimed, Completes, Continues, Fails, Settlement, SettleResult, Status, Successor, Transition, Verb
from ..transitions import build
from . import rows
from .database import PostgresSession

Item = tuple[int, Settlement]
"""A settlement and its index in the batch."""


async def check_conflicts(
    session: PostgresSession,
    items: Sequence[Item],
    transitions: dict[int, list[Transition]],
    claimed: dict[str, Claimed],
) -> tuple[dict[int, SettleResult], list[Item]]:
    """
    Return the result of each item that was not written, and the items that only a transaction can close.

    An item that was written before, under the same token, gets the transitions of that time: a lost reply is not a
    lost lease.
    """
    results: dict[int, SettleResult] = {}
    dependent: list[Item] = []
    # A dependent that waited for several chains of the batch was released once, and is reported once.
    reported: set[Transition] = set()
    for row in await session.rows("check_conflicts", *rows.lease_columns([item.job.lease for _, item in items])):
        index, item = items[rows.index(row)]
        match row["result"]:
            # Another transaction has the row locked, or the statement left it out by its condition.
            case "leased":
                results[index] = SettleResult.BUSY
                if row["is_dependent"] and isinstance(item.outcome, (Completes, Fails)):
                    dependent.append((index, item))
            case "done":
                results[index] = SettleResult.DONE
                before = await _stored_transitions(session, item, row, claimed)
                transitions[index] = [change for change in before if change not in reported]
                reported.update(before)
            case result:
                results[index] = SettleResult(result)
    return results, dependent


async def _stored_transitions(
    session: PostgresSession, item: Settlement, row: rows.Row, claimed: dict[str, Claimed]
) -> list[Transition]:
    """Return the transitions of a settlement whose reply was lost, from the rows that it stored."""
    # By the stored verb, which is the truth even if the outcome at hand is another.
    at, verb, error_type = row["at"], Verb(row["verb"]), row["error_type"]
    match verb:
        case Verb.COMPLETE | Verb.FAIL:
            status = Status.COMPLETED if verb is Verb.COMPLETE else Status.FAILED
            closed = build.settled(item, verb, status, at=at, error_type=error_type)
            return [closed, *await _stored_releases(session, item, at)]
        case Verb.CONTINUE:
            return await _stored_continuation(session, item, claimed)
        case Verb.BLOCK:
            return await _stored_block(session, item, row)
        case _:
            due_at = row["due_at"]
            target = build.due_status(due_at, at)
            return [build.settled(item, verb, target, at=at, due_at=due_at, error_type=error_type)]


async def _stored_continuation(
    session: PostgresSession, item: Settlement, claimed: dict[str, Claimed]
) -> list[Transition]:
    request = item.outcome.claim_successor if isinstance(item.outcome, Continues) else None
    lease = item.job.lease
    row = await session.row("read_successor", lease.chain_id, lease.position + 1, request and request.token)
    # As it was created: the chain may have moved on since.
    successor = Successor(
        type=row["type"], queue=row["queue"], input=row["input"], trace=row["trace"], meta=row["meta"]
    )
    if not row["blockers"]:
        transitions, claim = rows.continued(item, successor, request, row=row)
        claimed |= {lease.chain_id: claim} if claim else {}
        return transitions
    at, failed_with = row["at"], row["failed_with"]
    transitions = build.continued(
        item, successor, at=at, run_at=row["run_at"], is_blocked=row["born_blocked"], failed_with=failed_with
    )
    return [*transitions, *(await _stored_releases(session, item, at) if failed_with else [])]


async def _stored_block(session: PostgresSession, item: Settlement, row: rows.Row) -> list[Transition]:
    failed_with, is_free = row["failed_with"], row["due_at"] is not None
    transitions = build.blocked(item, at=row["at"], is_free=is_free, failed_with=failed_with)
    return [*transitions, *(await _stored_releases(session, item, row["at"]) if failed_with else [])]


async def _stored_releases(session: PostgresSession, item: Settlement, at: datetime) -> list[Transition]:
    """Return the transitions of the dependents that were released by a chain that closed at this time."""
    others = await session.rows("read_released", item.job.lease.chain_id, at)
    return [rows.released(other) for other in others]
