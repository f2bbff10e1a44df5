"""Questions: how chains and jobs stand, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..errors import InvalidArgument
from ..model import (
    CLOSED,
    OPEN,
    AttemptRecord,
    ChainOutcome,
    ChainRecord,
    JobQuery,
    JobRecord,
    Page,
    Status,
    Transition,
    Verb,
)
from . import rows
from .database import Session

_UNHAPPY: Final = frozenset({Status.FAILED, Status.CANCELLED})
_LAST_CHAIN: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_LAST_POSITION: Final = 2**31 - 1

OWN_TYPE: Final = {"open": "o.type", "closed": "c.type", "unhappy": "c.type"}
CHAIN_TYPE: Final = {
    "open": "coalesce(j.chain_type, j.type)",
    "closed": "coalesce(j.chain_type, j.type)",
    "unhappy": "(SELECT j.type FROM {schema}.job AS j WHERE j.chain_id = c.chain_id AND j.position = 0)",
}


async def outcomes(session: Session, chain_ids: Sequence[str]) -> dict[str, ChainOutcome]:
    """How chains stand."""
    return {
        row["chain_id"]: ChainOutcome(
            chain_id=row["chain_id"],
            type=row["chain_type"],
            status=Status(row["status"]),
            output=row["output"],
            failure=rows.failure(row["error_type"], row["error_text"]),
        )
        for row in await session.rows("read_tails", chain_ids)
    }


async def blocker_outputs(session: Session, chain_ids: Sequence[str]) -> Mapping[str, Sequence[ChainOutcome]]:
    """How the chains stand that others were started to wait for."""
    feeds: dict[str, list[str]] = {chain_id: [] for chain_id in chain_ids}
    for row in await session.rows("read_feeds", chain_ids):
        feeds[row["chain_id"]].append(row["blocker_id"])
    wanted = {blocker for blockers in feeds.values() for blocker in blockers}
    found = await outcomes(session, sorted(wanted)) if wanted else {}
    return {
        chain_id: [found[blocker] for blocker in blockers if blocker in found] for chain_id, blockers in feeds.items()
    }


async def jobs(session: Session, query: JobQuery) -> Page[JobRecord]:
    """Jobs, newest chain first, within a chain first to last."""
    after = _after(query.after) if query.after else (_LAST_CHAIN, _LAST_POSITION)
    found = await _list(session, query, query.statuses or frozenset(Status), after, OWN_TYPE)
    page = [rows.record(row) for row in found[: query.limit]]
    more = len(found) > query.limit
    return Page(page, f"{page[-1].chain_id}.{page[-1].position}" if more and page else None)


async def chains(session: Session, query: JobQuery) -> Page[ChainRecord]:
    """Chains by the type of their first job and the status of their tail, newest first."""
    after = query.after or _LAST_CHAIN, _LAST_POSITION
    statuses = (query.statuses or frozenset(Status)) - {Status.CONTINUED}
    found = await _list(session, query, statuses, after, CHAIN_TYPE)
    tails = found[: query.limit]
    gone_on = [row["chain_id"] for row in tails if row["position"] > 0]
    heads = {row["chain_id"]: row for row in await session.rows("read_heads", gone_on)} if gone_on else {}
    page = [_chain(row, heads.get(row["chain_id"])) for row in tails]
    return Page(page, page[-1].chain_id if len(found) > query.limit and page else None)


async def attempts(session: Session, chain_id: str, position: int) -> list[AttemptRecord]:
    """The attempts of one job that ended, first to last."""
    return [
        AttemptRecord(
            chain_id=chain_id,
            position=position,
            number=row["number"],
            token=row["token"],
            verb=Verb(row["verb"]),
            worker=row["worker"],
            started_at=row["claimed_at"],
            ended_at=row["ended_at"],
            failure=rows.failure(row["error_type"], row["error_text"]),
            trace=row["trace"],
        )
        for row in await session.rows("read_attempts", chain_id, position)
    ]


async def present(session: Session, transitions: Sequence[Transition]) -> list[bool]:
    """Whether what transitions did can be seen."""
    found = await session.rows(
        "present",
        [made.chain_id for made in transitions],
        [made.position for made in transitions],
        [made.verb for made in transitions],
        [made.target for made in transitions],
        [made.at for made in transitions],
        [made.attempt for made in transitions],
    )
    return [row["is_there"] for row in found]


async def next_due(session: Session, types: Sequence[str]) -> float | None:
    """Seconds until the earliest job of these types is due."""
    seconds = (await session.row("next_due", types))["seconds"]
    return None if seconds is None else max(seconds, 0.0)


async def _list(
    session: Session,
    query: JobQuery,
    statuses: frozenset[Status],
    after: tuple[str, int],
    type_of: Mapping[str, str],
) -> list[rows.Row]:
    """
    The next rows of each status family, merged, one more than a page.

    The open ones are read first: a job that closes meanwhile is then found twice, and not missed.
    """
    found: dict[tuple[str, int], rows.Row] = {}
    for family, wanted in _families(statuses):
        read = await session.rows(
            f"list_{family}",
            *after,
            query.chain_ids[0] if query.chain_ids else None,
            query.types,
            sorted(wanted),
            query.limit + 1,
            type=session.queries.fill(type_of[family]),
            which="AND o.token IS NOT NULL" if wanted == frozenset({Status.RUNNING}) else "",
        )
        found |= {(row["chain_id"], row["position"]): row for row in read}
    first_to_last = sorted(found.values(), key=lambda row: row["position"])
    return sorted(first_to_last, key=lambda row: row["chain_id"], reverse=True)[: query.limit + 1]


def _families(statuses: frozenset[Status]) -> list[tuple[str, frozenset[Status]]]:
    closed = statuses & CLOSED
    family = "unhappy" if closed <= _UNHAPPY else "closed"
    families = [("open", statuses & OPEN), (family, closed)]
    return [(name, wanted) for name, wanted in families if wanted]


def _chain(tail: rows.Row, head: rows.Row | None) -> ChainRecord:
    last = rows.record(tail)
    first = last if head is None else rows.record(head)
    return ChainRecord(chain_id=last.chain_id, type=tail["chain_type"], head=first, tail=last)


def _after(key: str) -> tuple[str, int]:
    chain_id, dot, position = key.rpartition(".")
    if not (dot and position.isdecimal()):
        raise InvalidArgument("after", f"is {key!r}; give the `next` of the page before")
    return chain_id, int(position)
