"""Failed and cancelled chains, opened again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.json import Decoder

from ..model import JobKey, OnFailure, Transition, Until
from ..transitions import build, refusals
from ..transitions.blockers import BlockerRule, ChainEnd, WaitDecision, decide_wait, rule_from_columns
from ..transitions.dedup import DedupKey
from .open_jobs import check_known
from .rows import AnyJob, to_datetime
from .session import SqliteSession, batch
from .waits import check_cycles


class ClosedTail(Struct, frozen=True, array_like=True):
    """The last job of a chain, how it ended, and what is restored with it. It has no status while the chain is open."""

    job: AnyJob
    priority: int | None
    until: Until | None
    on_failure: OnFailure | None
    dedup_key: str | None
    dedup_lasting: int | None
    dedup_aliases: str | None

    @property
    def chain_id(self) -> str:
        return self.job.chain_id

    @property
    def key(self) -> JobKey:
        return self.job.chain_id, self.job.position

    @property
    def dedup_keys(self) -> list[DedupKey]:
        """Return the dedup keys that the chain held while it was open."""
        if self.dedup_key is None:
            return []
        return [(name, self.dedup_key) for name in (self.job.chain_type, *_names(self.dedup_aliases))]

    @property
    def rule(self) -> BlockerRule:
        return rule_from_columns(self.until, self.on_failure)


def _names(text: str | None) -> Sequence[str]:
    """Return stored aliases; none if the text was not written by otelq."""
    try:
        return () if text is None else _NAMES.decode(text)
    except (ValueError, RecursionError):
        return ()


class TailBlocker(Struct, frozen=True, array_like=True):
    """A blocker of a job, and how its chain ended."""

    chain_id: str
    position: int
    ordinal: int
    blocker_id: str
    end: ChainEnd


_NAMES = Decoder(list[str])
_TAILS = Decoder(list[ClosedTail])
_BLOCKERS = Decoder(list[TailBlocker])
_HOLDERS = Decoder(list[tuple[str, str, str, int, int]])


async def redrive(db: SqliteSession, at: int, *, chain_ids: Sequence[str]) -> list[Transition]:
    """Open chains again. All are open before any of them looks at its blockers: each counts as open for the others."""
    unique = list(dict.fromkeys(chain_ids))
    await check_known(db, unique)
    tails = await db.read("read_tails", _TAILS, chains=batch(unique))
    for chain in tails:
        refusals.check_redrive(chain.chain_id, chain.job.status)
    # Order matters: a chain of the batch counts as open for the others only after its row is stored.
    await _reopen(db, at, tails)
    await _take_keys(db, tails)
    decisions = await _block_again(db, at, tails)
    return [
        build.redriven(chain.job.snapshot(at), at=to_datetime(at), is_blocked=decisions[chain.chain_id].is_blocked)
        for chain in tails
    ]


async def _reopen(db: SqliteSession, at: int, tails: Sequence[ClosedTail]) -> None:
    """Move the ends to earlier generations, and store the open rows anew."""
    keys = batch([chain.key for chain in tails])
    rows = [_open_row(chain, at) for chain in tails]
    # Attempts before outcomes: the outcomes number the generations.
    await db.write("redrive_attempts", jobs=keys)
    await db.write("redrive_outcomes", jobs=keys, now=at)
    await db.write("redrive_jobs", jobs=batch(rows))


def _open_row(chain: ClosedTail, at: int) -> tuple[object, ...]:
    """Return the open row of a job that begins again."""
    job = chain.job
    return *chain.key, job.type, job.queue, chain.priority, at, *chain.rule.columns, job.last_trace


async def _take_keys(db: SqliteSession, tails: Sequence[ClosedTail]) -> None:
    """
    Take back the dedup keys of the chains.

    Raises:
        AlreadyExists: another chain holds it, or two of these chains have the same.
    """
    wanted = [(chain, key) for chain in tails for key in chain.dedup_keys]
    if not wanted:
        return
    rows = await db.read("read_keys", _HOLDERS, keys=batch([key for _, key in wanted]))
    holders: dict[DedupKey, str] = {(type, key): chain_id for type, key, chain_id, _, _ in rows}
    for chain, key in wanted:
        # Without a stored holder the chain becomes it, so that a second one of this call with the key is refused.
        holder = holders.setdefault(key, chain.chain_id)
        if holder != chain.chain_id:
            raise refusals.dedup_key_held(chain.chain_id, holder=holder)
    taken = [(*key, chain.chain_id, chain.job.chain_created_at, chain.dedup_lasting) for chain, key in wanted]
    await db.write("take_keys", keys=batch(taken))


async def _block_again(db: SqliteSession, at: int, tails: Sequence[ClosedTail]) -> Mapping[str, WaitDecision]:
    """
    Block jobs by the blockers that are open now.

    Raises:
        InvalidArgument: a blocker failed, or a job would wait for its own chain.
    """
    keys = batch([chain.key for chain in tails])
    blockers: defaultdict[str, list[TailBlocker]] = defaultdict(list)
    for blocker in await db.read("read_redriven_blockers", _BLOCKERS, jobs=keys):
        blockers[blocker.chain_id].append(blocker)
    decisions = {chain.chain_id: _decide_wait(chain, blockers[chain.chain_id]) for chain in tails}
    if blockers:
        rows = [(chain.chain_id, len(decisions[chain.chain_id].awaited), *chain.rule.columns) for chain in tails]
        await db.write("block_jobs", jobs=batch(rows))
        await db.write("upsert_blockers", blockers=batch(list(_blocker_rows(blockers, tails, decisions))), now=at)
        awaited = [blocker for decision in decisions.values() for blocker in decision.awaited]
        await db.write("mark_waited_on", chains=batch(awaited))
        await check_cycles(db, list(blockers))
    return decisions


def _decide_wait(chain: ClosedTail, blockers: Sequence[TailBlocker]) -> WaitDecision:
    decision = decide_wait(chain.rule, {blocker.blocker_id: blocker.end for blocker in blockers})
    if decision.failed_blocker:
        raise refusals.blocker_failed(chain.chain_id, decision.failed_blocker)
    return decision


def _blocker_rows(
    blockers: Mapping[str, Sequence[TailBlocker]], tails: Sequence[ClosedTail], decisions: Mapping[str, WaitDecision]
) -> Iterator[tuple[object, ...]]:
    for chain in tails:
        rule, awaited = chain.rule, decisions[chain.chain_id].awaited
        for blocker in blockers[chain.chain_id]:
            is_awaited = blocker.blocker_id in awaited
            yield (
                blocker.chain_id,
                blocker.position,
                blocker.ordinal,
                blocker.blocker_id,
                rule.waits_after_failure,
                is_awaited,
            )
