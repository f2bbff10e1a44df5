"""Redrive: open failed and cancelled chains again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from ..errors import AlreadyExists, InvalidArgument
from ..model import Status, Transition
from ..transitions import build, refusals
from ..transitions.blockers import decide_wait, rule_from_columns
from ..transitions.dedup import DedupKey
from . import blocker_rows, dedup_keys, rows
from .blocker_rows import BlockedJob
from .database import PostgresSession
from .locks import lock_blockers, lock_cycle_check

BlockersByChain = dict[str, list[str]]
"""The blockers of each chain's last job, in the order given."""


class RedriveTarget(Struct, frozen=True):
    """A chain that failed or was cancelled, with the job that did, and the state of its blockers now."""

    row: rows.Row
    wait: BlockedJob

    @property
    def chain_id(self) -> str:
        return self.wait.chain_id

    @property
    def dedup_keys(self) -> list[DedupKey]:
        """Return the dedup keys that the chain held while it was open."""
        if self.row["dedup_key"] is None:
            return []
        return [(name, self.row["dedup_key"]) for name in (self.row["chain_type"], *(self.row["key_aliases"] or ()))]


async def redrive(session: PostgresSession, chain_ids: Sequence[str]) -> list[Transition]:
    """
    Open chains again at the job that failed or was cancelled.

    Their blockers are locked first, as by a start, then the chains themselves. Then the blockers are read again, since
    a chain may have got more of them until it closed.
    """
    ids = list(dict.fromkeys(chain_ids))
    by_chain = await _last_blockers(session, ids)
    others = {blocker for blockers in by_chain.values() for blocker in blockers}.difference(ids)
    statuses = await lock_blockers(session, others) if others else {}
    found = await _lock(session, ids)
    by_chain = await _last_blockers(session, ids)
    added = {blocker for blockers in by_chain.values() for blocker in blockers}.difference(ids, statuses)
    statuses |= await lock_blockers(session, added) if added else {}
    # Chains of this call that block one another are open from now on.
    statuses |= dict.fromkeys(ids, Status.BLOCKED)
    targets = [_target(found[id], by_chain.get(id, []), statuses) for id in ids]
    await _take_keys_back(session, targets)
    return await _open(session, targets)


async def _last_blockers(session: PostgresSession, ids: Sequence[str]) -> BlockersByChain:
    by_chain: BlockersByChain = {}
    for row in await session.rows("read_last_blockers", ids):
        by_chain.setdefault(row["chain_id"], []).append(row["blocker_id"])
    return by_chain


async def _lock(session: PostgresSession, ids: Sequence[str]) -> dict[str, rows.Row]:
    """Lock chains against being opened, deleted or waited for by others; then read how they ended."""
    await session.rows("lock_chains", sorted(ids))
    found = {row["chain_id"]: row for row in await session.rows("read_redrive_targets", ids)}
    for id in ids:
        if id not in found:
            raise refusals.chain_not_found(id)
        refusals.check_redrive(id, None if found[id]["is_open"] else found[id]["status"])
    return found


def _target(row: rows.Row, blockers: Sequence[str], statuses: dict[str, Status]) -> RedriveTarget:
    chain_id: str = row["chain_id"]
    rule = rule_from_columns(row["until"], row["on_failure"])
    end = decide_wait(rule, {blocker: statuses[blocker] for blocker in blockers})
    if end.failed_blocker:
        raise refusals.blocker_failed(chain_id, end.failed_blocker)
    wait = BlockedJob(chain_id=chain_id, position=row["position"], blockers=tuple(blockers), rule=rule, decision=end)
    return RedriveTarget(row, wait)


async def _take_keys_back(session: PostgresSession, targets: Sequence[RedriveTarget]) -> None:
    """Take the dedup keys back; where two chains want one key, the first gets it and the second is refused."""
    rest = list(targets)
    for _ in range(dedup_keys.TRIES):
        # A dict built in reverse leaves a key that two want to the first.
        wanted = {key: each.chain_id for each in reversed(rest) for key in each.dedup_keys}
        if not wanted:
            return
        # In the order of the keys, as starts take them.
        lost = await dedup_keys.insert(session, dict(sorted(wanted.items())))
        holders = {key: row["chain_id"] if row else None for key, row in lost.items()}
        rest = [each for each in rest if not _has_keys(each, wanted | holders)]
    raise AlreadyExists(f"the dedup key of chain {rest[0].chain_id} changes hands too fast")


def _has_keys(each: RedriveTarget, holders: Mapping[DedupKey, str | None]) -> bool:
    """
    Return whether a chain has its keys now; if not, a key was released a moment ago and can be tried again.

    Raises:
        AlreadyExists: another chain holds one.
    """
    found = [holders[key] for key in each.dedup_keys]
    for holder in found:
        if holder not in (None, each.chain_id):
            raise refusals.dedup_key_held(each.chain_id, holder=holder)
    return None not in found


async def _open(session: PostgresSession, targets: Sequence[RedriveTarget]) -> list[Transition]:
    waits = [each.wait for each in targets]
    row = await session.row(
        "redrive",
        [wait.chain_id for wait in waits],
        [wait.position for wait in waits],
        [len(wait.decision.awaited) for wait in waits],
    )
    at: datetime = row["at"]
    blocked = [wait for wait in waits if wait.decision.is_blocked]
    if blocked:
        await blocker_rows.add(session, blocked, at, to="more")
        await _refuse_cycles(session, blocked)
    # Blocker rows may name these chains already: those of dependents that wait through a failure, and those of chains
    # that this call redrives. The new hot rows must say so, or their close would look for no dependents.
    await session.rows("mark_waited_on", [wait.chain_id for wait in waits])
    return [
        build.redriven(rows.snapshot(each.row), at=at, is_blocked=each.wait.decision.is_blocked) for each in targets
    ]


async def _refuse_cycles(session: PostgresSession, blocked: Sequence[BlockedJob]) -> None:
    try:
        # After all locks on chains: a transaction that has this lock never waits for a chain.
        await lock_cycle_check(session)
        await blocker_rows.refuse_cycles(session, [wait.chain_id for wait in blocked])
    except InvalidArgument as error:
        raise InvalidArgument("chain", f"its blockers {error.problem}") from None
