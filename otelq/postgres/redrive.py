"""Chains that ended badly, opened again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from ..errors import AlreadyExists, InvalidArgument
from ..model import Status, Transition
from ..transitions import build, refusals
from ..transitions.blockers import decide_wait, rule_from_columns
from . import blocker_rows, dedup_keys, rows
from .blocker_rows import BlockedJob
from .database import PostgresSession
from .locks import hold_blockers

Feeds = dict[str, list[str]]
"""By chain, the blockers of its last job, in the order given."""


class RedriveTarget(Struct, frozen=True):
    """A chain that ended badly: the job that ended so, and how its blockers stand now."""

    row: rows.Row
    wait: BlockedJob

    @property
    def chain_id(self) -> str:
        return self.wait.chain_id


async def redrive(session: PostgresSession, chain_ids: Sequence[str]) -> list[Transition]:
    """
    Open chains again at the job that ended badly.

    What they wait for is held first, as by a start; then they are held themselves, and asked again, as one may have
    been given more before it ended.
    """
    ids = list(dict.fromkeys(chain_ids))
    feeds = await _feeds(session, ids)
    others = {blocker for blockers in feeds.values() for blocker in blockers}.difference(ids)
    standing = await hold_blockers(session, others) if others else {}
    found = await _hold(session, ids)
    feeds = await _feeds(session, ids)
    late = {blocker for blockers in feeds.values() for blocker in blockers}.difference(ids, standing)
    standing |= await hold_blockers(session, late) if late else {}
    standing |= dict.fromkeys(ids, Status.BLOCKED)
    fallen = [_look(found[id], feeds.get(id, []), standing) for id in ids]
    await _take_keys_back(session, fallen)
    return await _open(session, fallen)


async def _feeds(session: PostgresSession, ids: Sequence[str]) -> Feeds:
    feeds: Feeds = {}
    for row in await session.rows("read_last_feeds", ids):
        feeds.setdefault(row["chain_id"], []).append(row["blocker_id"])
    return feeds


async def _hold(session: PostgresSession, ids: Sequence[str]) -> dict[str, rows.Row]:
    """Keep chains from being opened, deleted or waited for by others; then see how they ended."""
    await session.rows("hold_chains", sorted(ids))
    found = {row["chain_id"]: row for row in await session.rows("read_fallen", ids)}
    for id in ids:
        if id not in found:
            raise refusals.chain_not_found(id)
        refusals.check_redrive(id, None if found[id]["is_open"] else found[id]["status"])
    return found


def _look(row: rows.Row, blockers: Sequence[str], standing: dict[str, Status]) -> RedriveTarget:
    chain_id: str = row["chain_id"]
    rule = rule_from_columns(row["until"], row["on_failure"])
    fate = decide_wait(rule, {blocker: standing[blocker] for blocker in blockers})
    if fate.failed_blocker:
        raise refusals.blocker_failed(chain_id, fate.failed_blocker)
    wait = BlockedJob(chain_id=chain_id, position=row["position"], blockers=tuple(blockers), rule=rule, fate=fate)
    return RedriveTarget(row, wait)


async def _take_keys_back(session: PostgresSession, fallen: Sequence[RedriveTarget]) -> None:
    """Take the dedup keys back; where two ask for one, the first gets it, and the other finds it held."""
    rest = sorted(fallen, key=lambda each: (each.row["chain_type"], each.row["dedup_key"] or ""))
    for _ in range(dedup_keys.TRIES):
        rest = [each for each in rest if each.row["dedup_key"] is not None]
        wanted = {(each.row["chain_type"], each.row["dedup_key"]): each.chain_id for each in reversed(rest)}
        if not wanted:
            return
        lost = await dedup_keys.insert(session, wanted)
        holders = {key: row["chain_id"] if row else None for key, row in lost.items()}
        rest = [each for each in rest if not _has_key(each, wanted, holders)]
    raise AlreadyExists(f"the dedup key of chain {rest[0].chain_id} changes hands too fast")


def _has_key(each: RedriveTarget, wanted: dict[dedup_keys.Key, str], holders: dict[dedup_keys.Key, str | None]) -> bool:
    """
    Whether a chain has its key now; if not, it was let go this moment and can be asked for again.

    Raises:
        AlreadyExists: another chain holds it.
    """
    key = each.row["chain_type"], each.row["dedup_key"]
    holder = holders.get(key, wanted[key])
    if holder and holder != each.chain_id:
        raise refusals.dedup_key_held(each.chain_id, holder=holder)
    return holder is not None


async def _open(session: PostgresSession, fallen: Sequence[RedriveTarget]) -> list[Transition]:
    waits = [each.wait for each in fallen]
    row = await session.row(
        "redrive",
        [wait.chain_id for wait in waits],
        [wait.position for wait in waits],
        [len(wait.fate.awaited) for wait in waits],
    )
    at: datetime = row["at"]
    blocked = [wait for wait in waits if wait.fate.is_blocked]
    if blocked:
        await blocker_rows.add(session, blocked, at, to="more")
        await _refuse_circles(session, blocked)
    await session.rows("mark_waited_on", [wait.chain_id for wait in waits])
    return [build.redriven(rows.snapshot(each.row), at=at, is_blocked=each.wait.fate.is_blocked) for each in fallen]


async def _refuse_circles(session: PostgresSession, blocked: Sequence[BlockedJob]) -> None:
    try:
        await session.rows("take_turn")
        await blocker_rows.refuse_circles(session, [wait.chain_id for wait in blocked])
    except InvalidArgument as error:
        raise InvalidArgument("chain", f"its blockers {error.problem}") from None
