"""Chains that ended badly, opened again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.json import Decoder

from ..model import JobKey, OnFailure, Transition, Until
from ..transitions import build, refusals
from ..transitions.blockers import BlockerRule, ChainEnd, WaitDecision, decide_wait, rule_from_columns
from .open_jobs import check_known
from .rows import AnyJob, to_datetime
from .session import SqliteSession, batch
from .waits import check_cycles


class ClosedTail(Struct, frozen=True, array_like=True):
    """How the tail of a chain ended, and what begins anew with it; it has no status while the chain is open."""

    job: AnyJob
    priority: int | None
    until: Until | None
    on_failure: OnFailure | None
    dedup_key: str | None
    dedup_lasting: int | None

    @property
    def chain_id(self) -> str:
        return self.job.chain_id

    @property
    def key(self) -> JobKey:
        return self.job.chain_id, self.job.position

    @property
    def rule(self) -> BlockerRule:
        return rule_from_columns(self.until, self.on_failure)


class TailBlocker(Struct, frozen=True, array_like=True):
    """A blocker of a job, as it stands now."""

    chain_id: str
    position: int
    ordinal: int
    blocker_id: str
    end: ChainEnd


_ENDED = Decoder(list[ClosedTail])
_EDGES = Decoder(list[TailBlocker])
_HOLDERS = Decoder(list[tuple[str, str, str, int, int]])


async def redrive(db: SqliteSession, at: int, *, chain_ids: Sequence[str]) -> list[Transition]:
    """Open chains again, all before any of them looks at its blockers: each counts as open for the others."""
    unique = list(dict.fromkeys(chain_ids))
    await check_known(db, unique)
    ended = await db.read("read_tails", _ENDED, chains=batch(unique))
    for chain in ended:
        refusals.check_redrive(chain.chain_id, chain.job.status)
    await _reopen(db, at, ended)
    await _take_keys(db, ended)
    decisions = await _block_again(db, at, ended)
    return [
        build.redriven(chain.job.snapshot(at), at=to_datetime(at), is_blocked=decisions[chain.chain_id].is_blocked)
        for chain in ended
    ]


async def _reopen(db: SqliteSession, at: int, ended: Sequence[ClosedTail]) -> None:
    """Put the ends on record as earlier generations, and the jobs back into their lines."""
    tails = batch([chain.key for chain in ended])
    rows = [_open_row(chain, at) for chain in ended]
    await db.write("redrive_attempts", jobs=tails)
    await db.write("redrive_outcomes", jobs=tails)
    await db.write("redrive_jobs", jobs=batch(rows))


def _open_row(chain: ClosedTail, at: int) -> tuple[object, ...]:
    """The hot row of a job that begins once more."""
    job = chain.job
    return *chain.key, job.type, job.queue, chain.priority, at, *chain.rule.columns, job.last_trace


async def _take_keys(db: SqliteSession, ended: Sequence[ClosedTail]) -> None:
    """
    Let each chain hold its dedup key again.

    Raises:
        AlreadyExists: another chain holds it, or it stands twice among these.
    """
    wanted = [chain for chain in ended if chain.dedup_key is not None]
    if not wanted:
        return
    keys = batch([(chain.job.chain_type, chain.dedup_key) for chain in wanted])
    rows = await db.read("read_keys", _HOLDERS, keys=keys)
    holders: dict[tuple[str, str | None], str] = {(type, key): chain_id for type, key, chain_id, _, _ in rows}
    for chain in wanted:
        holder = holders.setdefault((chain.job.chain_type, chain.dedup_key), chain.chain_id)
        if holder != chain.chain_id:
            raise refusals.dedup_key_held(chain.chain_id, holder=holder)
    taken = [
        (chain.job.chain_type, chain.dedup_key, chain.chain_id, chain.job.chain_created_at, chain.dedup_lasting)
        for chain in wanted
    ]
    await db.write("take_keys", keys=batch(taken))


async def _block_again(db: SqliteSession, at: int, ended: Sequence[ClosedTail]) -> Mapping[str, WaitDecision]:
    """
    Let jobs wait for their blockers as they stand now.

    Raises:
        InvalidArgument: what a job waits for cannot come about any more, or is the chain itself.
    """
    tails = batch([chain.key for chain in ended])
    edges: defaultdict[str, list[TailBlocker]] = defaultdict(list)
    for edge in await db.read("read_redriven_blockers", _EDGES, jobs=tails):
        edges[edge.chain_id].append(edge)
    decisions = {chain.chain_id: _decide_wait(chain, edges[chain.chain_id]) for chain in ended}
    if edges:
        rows = [(chain.chain_id, len(decisions[chain.chain_id].awaited), *chain.rule.columns) for chain in ended]
        await db.write("block_jobs", jobs=batch(rows))
        await db.write("upsert_blockers", blockers=batch(list(_edges(edges, ended, decisions))), now=at)
        awaited = [blocker for decision in decisions.values() for blocker in decision.awaited]
        await db.write("mark_waited_on", chains=batch(awaited))
        await check_cycles(db, list(edges))
    return decisions


def _decide_wait(chain: ClosedTail, edges: Sequence[TailBlocker]) -> WaitDecision:
    decision = decide_wait(chain.rule, {edge.blocker_id: edge.end for edge in edges})
    if decision.failed_blocker:
        raise refusals.blocker_failed(chain.chain_id, decision.failed_blocker)
    return decision


def _edges(
    edges: Mapping[str, Sequence[TailBlocker]], ended: Sequence[ClosedTail], decisions: Mapping[str, WaitDecision]
) -> Iterator[tuple[object, ...]]:
    for chain in ended:
        rule, awaited = chain.rule, decisions[chain.chain_id].awaited
        for edge in edges[chain.chain_id]:
            is_awaited = edge.blocker_id in awaited
            yield edge.chain_id, edge.position, edge.ordinal, edge.blocker_id, rule.waits_after_failure, is_awaited
