"""Open jobs that get blockers: continuations, ``Blocks``, and redriven jobs."""

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

_ENDS = Decoder(list[tuple[str, ChainEnd]])
_KNOWN = Decoder(list[tuple[int, int]])
_CYCLES = Decoder(list[tuple[str, str]])
_BlockerRow: TypeAlias = tuple[str, int, int, str, bool, bool]


class BlockerRequest(Struct, frozen=True):
    """A request to block an open job by chains, each named once."""

    chain_id: str
    position: int
    blockers: Sequence[str]
    rule: BlockerRule

    @property
    def key(self) -> JobKey:
        return self.chain_id, self.position


async def block(db: SqliteSession, at: int, requests: Sequence[BlockerRequest]) -> list[WaitDecision]:
    """
    Block open jobs in the order given; each sees the decision on those before it. Failed ones are closed.

    Raises:
        NotFound: a blocker does not exist.
        InvalidArgument: a job would wait for its own chain.
    """
    for request in requests:
        if request.chain_id in request.blockers:
            raise refusals.blocker_cycle(request.chain_id, through=request.chain_id)
    ends = await blocker_ends(db, (blocker for request in requests for blocker in request.blockers))
    decisions: list[WaitDecision] = []
    for request in requests:
        decision = decide_wait(request.rule, {blocker: status_of(ends, blocker) for blocker in request.blockers})
        if decision.failure:
            ends[request.chain_id] = Status.FAILED  # for later requests that have this chain as a blocker
        decisions.append(decision)
    await _write(db, at, requests, decisions)
    # After the write, so that one query sees the rows of this batch together with all others. An error undoes them.
    await check_cycles(db, [request.chain_id for request in requests])
    # Stored blocked first, then closed: the history has both transitions.
    await _fail(db, at, requests, decisions)
    return decisions


async def blocker_ends(db: SqliteSession, chains: Iterable[str]) -> dict[str, ChainEnd]:
    """Return how chains ended; None while open. A chain that does not exist is left out."""
    return dict(await db.read("read_blocker_ends", _ENDS, chains=batch(list(dict.fromkeys(chains)))))


def status_of(ends: dict[str, ChainEnd], blocker: str) -> ChainEnd:
    """
    Return how a blocker ended.

    Raises:
        NotFound: it does not exist.
    """
    if blocker not in ends:
        raise refusals.blocker_not_found(blocker)
    return ends[blocker]


async def check_cycles(db: SqliteSession, chains: Sequence[str]) -> None:
    """
    Check that none of the chains waits for itself now.

    Raises:
        InvalidArgument: one does. The caller undoes what was written.
    """
    for chain_id, last in await db.read("find_cycle", _CYCLES, chains=batch(chains)):
        raise refusals.blocker_cycle(chain_id, through=last)


async def _write(
    db: SqliteSession, at: int, requests: Sequence[BlockerRequest], decisions: Sequence[WaitDecision]
) -> None:
    rows = [
        (request.chain_id, len(decision.awaited), *request.rule.columns)
        for request, decision in zip(requests, decisions, strict=True)
    ]
    await db.write("block_jobs", jobs=batch(rows))
    blockers = list(_blocker_rows(requests, decisions, await _ordinals(db, requests)))
    awaited = [blocker for _, _, _, blocker, _, is_awaited in blockers if is_awaited]
    await db.write("upsert_blockers", blockers=batch(blockers), now=at)
    # The ends were read under the same write lock, so none of the awaited chains has closed meanwhile.
    await db.write("mark_waited_on", chains=batch(awaited))


async def _ordinals(db: SqliteSession, requests: Sequence[BlockerRequest]) -> Iterator[int]:
    """Return the ordinal of each blocker row: the one that it has already, or the next free one of its job."""
    keys = [(*request.key, blocker) for request in requests for blocker in request.blockers]
    known = dict(await db.read("find_blockers", _KNOWN, blockers=batch(keys)))
    counts = await db.read("count_blockers", NUMBERS, jobs=batch([request.key for request in requests]))
    next_ordinals = dict(zip((request.key for request in requests), counts, strict=True))

    def ordinals() -> Iterator[int]:
        for index, (chain_id, position, _) in enumerate(keys):
            if index not in known:
                next_ordinals[chain_id, position] += 1
            yield known.get(index, next_ordinals[chain_id, position] - 1)

    return ordinals()


def _blocker_rows(
    requests: Sequence[BlockerRequest], decisions: Sequence[WaitDecision], ordinals: Iterator[int]
) -> Iterator[_BlockerRow]:
    for request, decision in zip(requests, decisions, strict=True):
        for blocker in request.blockers:
            yield *request.key, next(ordinals), blocker, request.rule.waits_after_failure, blocker in decision.awaited


async def _fail(
    db: SqliteSession, at: int, requests: Sequence[BlockerRequest], decisions: Sequence[WaitDecision]
) -> None:
    ended = [
        ClosedJob(
            request.chain_id, Status.FAILED, Verb.FAIL_BY_BLOCKER, None, decision.failure.type, decision.failure.text
        )
        for request, decision in zip(requests, decisions, strict=True)
        if decision.failure
    ]
    if ended:
        await close(db, at, ended, with_dedup=True)
