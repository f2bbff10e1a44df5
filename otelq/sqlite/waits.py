"""Open jobs that are to wait for other chains: continuations with blockers, ``Blocks``, and what is redriven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.json import Decoder

from ..model import JobKey, Status, Verb
from ..transitions import refusals
from ..transitions.blockers import BlockerRule, ChainEnd, WaitDecision, decide_wait
from .closed_jobs import ClosedJob, close
from .rows import NUMBERS
from .session import SqliteSession, batch

STANDINGS = Decoder(list[tuple[str, ChainEnd]])
_KNOWN = Decoder(list[tuple[int, int]])
_CYCLES = Decoder(list[tuple[str, str]])
_EdgeRow: TypeAlias = tuple[str, int, int, str, bool, bool]


class BlockerRequest(Struct, frozen=True):
    """An open job that is to wait for chains, each named once."""

    chain_id: str
    position: int
    blockers: Sequence[str]
    rule: BlockerRule

    @property
    def key(self) -> JobKey:
        return self.chain_id, self.position


async def block(db: SqliteSession, at: int, wishes: Sequence[BlockerRequest]) -> list[WaitDecision]:
    """
    Let open jobs wait, in the order given: each sees how those before it fare. Those that are lost are closed.

    Raises:
        NotFound: a blocker does not exist.
        InvalidArgument: a job would wait for its own chain.
    """
    for wish in wishes:
        if wish.chain_id in wish.blockers:
            raise refusals.blocker_cycle(wish.chain_id, through=wish.chain_id)
    standing = await look_up(db, (blocker for wish in wishes for blocker in wish.blockers))
    decisions: list[WaitDecision] = []
    for wish in wishes:
        decision = decide_wait(wish.rule, {blocker: known(standing, blocker) for blocker in wish.blockers})
        if decision.failure:
            standing[wish.chain_id] = Status.FAILED
        decisions.append(decision)
    await _write(db, at, wishes, decisions)
    await check_cycles(db, [wish.chain_id for wish in wishes])
    await _fail(db, at, wishes, decisions)
    return decisions


async def look_up(db: SqliteSession, chains: Iterable[str]) -> dict[str, ChainEnd]:
    """How chains stand; one that does not exist is left out."""
    return dict(await db.read("blocker_look", STANDINGS, chains=batch(list(dict.fromkeys(chains)))))


def known(standing: dict[str, ChainEnd], blocker: str) -> ChainEnd:
    """How a blocker stands, which must exist."""
    if blocker not in standing:
        raise refusals.blocker_not_found(blocker)
    return standing[blocker]


async def check_cycles(db: SqliteSession, chains: Sequence[str]) -> None:
    """Refuse what was written if one of the chains waits for itself now."""
    for chain_id, last in await db.read("blocker_cycle", _CYCLES, chains=batch(chains)):
        raise refusals.blocker_cycle(chain_id, through=last)


async def _write(
    db: SqliteSession, at: int, wishes: Sequence[BlockerRequest], decisions: Sequence[WaitDecision]
) -> None:
    rows = [
        (wish.chain_id, len(decision.awaited), *wish.rule.columns)
        for wish, decision in zip(wishes, decisions, strict=True)
    ]
    await db.write("open_block", jobs=batch(rows))
    edges = list(_edges(wishes, decisions, await _ordinals(db, wishes)))
    await db.write("blocker_put", edges=batch(edges), now=at)
    await db.write("blocker_wait", chains=batch([blocker for _, _, _, blocker, _, is_held in edges if is_held]))


async def _ordinals(db: SqliteSession, wishes: Sequence[BlockerRequest]) -> Iterator[int]:
    """The ordinal of each edge: that which it has already, or the next free one of its job."""
    keys = [(*wish.key, blocker) for wish in wishes for blocker in wish.blockers]
    have = dict(await db.read("blocker_known", _KNOWN, edges=batch(keys)))
    counts = await db.read("blocker_count", NUMBERS, jobs=batch([wish.key for wish in wishes]))
    following = dict(zip((wish.key for wish in wishes), counts, strict=True))

    def ordinals() -> Iterator[int]:
        for nr, (chain_id, position, _) in enumerate(keys):
            if nr not in have:
                following[chain_id, position] += 1
            yield have.get(nr, following[chain_id, position] - 1)

    return ordinals()


def _edges(
    wishes: Sequence[BlockerRequest], decisions: Sequence[WaitDecision], ordinals: Iterator[int]
) -> Iterator[_EdgeRow]:
    for wish, decision in zip(wishes, decisions, strict=True):
        for blocker in wish.blockers:
            yield *wish.key, next(ordinals), blocker, wish.rule.waits_after_failure, blocker in decision.awaited


async def _fail(
    db: SqliteSession, at: int, wishes: Sequence[BlockerRequest], decisions: Sequence[WaitDecision]
) -> None:
    ended = [
        ClosedJob(
            wish.chain_id, Status.FAILED, Verb.FAIL_BY_BLOCKER, None, decision.failure.type, decision.failure.text
        )
        for wish, decision in zip(wishes, decisions, strict=True)
        if decision.failure
    ]
    if ended:
        await close(db, at, ended, with_dedup=True)
