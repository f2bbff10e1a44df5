"""Jobs that are given blockers later: those that continue a chain, and those that run and must wait."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct

from ..model import Blocks, Continues, Status, Verb
from ..transitions import blockers, refusals
from ..transitions.blockers import BlockerRule
from ..transitions.outcomes import BlockerSource
from . import blocker_rows, rows
from .blocker_rows import BlockedJob
from .database import WAIT, PostgresSession
from .dedup_keys import held_elsewhere
from .locks import hold_blockers
from .unblock import let_go


class WaitRequest(Struct, frozen=True, kw_only=True):
    """A job under its token, null for one that does not run, and what it comes to: a wait, or a waiting successor."""

    chain_id: str
    position: int
    token: int | None
    outcome: Blocks | Continues
    chain_type: str
    chain_created_at: Any
    trace: str | None = None

    @property
    def given(self) -> BlockerSource:
        """What names the blockers."""
        return self.outcome if isinstance(self.outcome, Blocks) else self.outcome.successor

    @property
    def waits_at(self) -> int:
        """The position of the job that will wait."""
        return self.position if isinstance(self.outcome, Blocks) else self.position + 1


class WrittenWait(Struct, frozen=True):
    """A link that was written, what it means, and the statement's row about it."""

    link: WaitRequest
    wait: BlockedJob
    row: Any


class WaitResult(Struct):
    """What linking did: for each link that could be written, and to the chains that wait for those that failed."""

    joined: list[WrittenWait]
    aside: list[Any]
    passed_over: list[str]


async def link(
    session: PostgresSession, links: Sequence[WaitRequest], *, verb: Verb = Verb.CONTINUE, lock: str
) -> WaitResult:
    """
    Close or block jobs in favour of what they wait for; what others have locked is left out, if ``lock`` says so.

    Raises:
        NotFound: a blocker does not exist.
        InvalidArgument: a chain would wait for itself.
    """
    links = await _hold(session, links, lock)
    standing = await hold_blockers(session, {id for link in links for id in link.given.blockers}, lock=lock)
    ready = [link for link in links if standing.keys() >= set(link.given.blockers)]
    waits = {link.chain_id: _wait(link, standing) for link in ready}
    if lock != WAIT:
        lost = [id for id, wait in waits.items() if wait.fate.failure]
        busy = await held_elsewhere(session, lost)
        waits = {id: wait for id, wait in waits.items() if id not in busy}
    circular = await _may_be_circular(session, list(waits.values()))
    if circular and not await _take_turn(session, lock):
        waits = {id: wait for id, wait in waits.items() if id not in circular}
    joined = await _write(session, [(link, waits[link.chain_id]) for link in ready if link.chain_id in waits], verb)
    if circular := circular & waits.keys():
        await blocker_rows.refuse_circles(session, circular)
    aside, passed_over = await _follow(session, joined)
    return WaitResult(joined, aside, passed_over)


async def _hold(session: PostgresSession, links: Sequence[WaitRequest], lock: str) -> list[WaitRequest]:
    """Lock the jobs, and in the same order the chains that they are to wait for; those that are still as we know."""
    ids = sorted({id for link in links for id in (link.chain_id, *link.given.blockers)})
    found = {row["chain_id"]: row for row in await session.rows("hold", ids, lock=lock)}
    return [link for link in links if _is_current(link, found.get(link.chain_id))]


def _is_current(link: WaitRequest, row: Any) -> bool:
    return row is not None and (row["position"], row["token"]) == (link.position, link.token)


def _wait(link: WaitRequest, standing: dict[str, Status]) -> BlockedJob:
    given = link.given
    if link.chain_id in given.blockers:
        raise refusals.blocker_cycle(link.chain_id, through=link.chain_id)
    rule = blockers.rule_of(given)
    fate = blockers.decide_wait(rule, {blocker: standing[blocker] for blocker in given.blockers})
    return BlockedJob(chain_id=link.chain_id, position=link.waits_at, blockers=given.blockers, rule=rule, fate=fate)


async def _may_be_circular(session: PostgresSession, waits: Sequence[BlockedJob]) -> set[str]:
    """
    The chains that will wait and that somebody waits for.

    Only these can close a circle: whoever begins to wait for another of ours needs its row first, and looks for a
    circle when we have committed.
    """
    blocked = [wait.chain_id for wait in waits if wait.fate.still_awaited]
    return {row["chain_id"] for row in await session.rows("find_waited_on", blocked)} if blocked else set()


async def _take_turn(session: PostgresSession, lock: str) -> bool:
    """Be the only one, until the commit, whose edges may close a circle."""
    if lock == WAIT:
        await session.rows("take_turn")
        return True
    is_ours: bool = (await session.row("try_turn"))["is_ours"]
    return is_ours


async def _write(
    session: PostgresSession, pairs: Sequence[tuple[WaitRequest, BlockedJob]], verb: Verb
) -> list[WrittenWait]:
    blocks = [pair for pair in pairs if isinstance(pair[0].outcome, Blocks)]
    continues = [pair for pair in pairs if isinstance(pair[0].outcome, Continues)]
    joined = [*await _block(session, blocks), *await _continue(session, continues, verb)]
    if blocks:
        await blocker_rows.add(session, [one.wait for one in joined[: len(blocks)]], joined[0].row["at"], to="more")
        await session.rows("count_edges", *_rules(blocks))
    if continues:
        await blocker_rows.add(session, [one.wait for one in joined[len(blocks) :]], joined[-1].row["at"])
    return joined


async def _block(session: PostgresSession, pairs: Sequence[tuple[WaitRequest, BlockedJob]]) -> list[WrittenWait]:
    if not pairs:
        return []
    found = await session.rows("block", *_marks(pairs), *_fates(pairs))
    return [WrittenWait(*pairs[rows.place(row)], row) for row in found]


async def _continue(
    session: PostgresSession, pairs: Sequence[tuple[WaitRequest, BlockedJob]], verb: Verb
) -> list[WrittenWait]:
    if not pairs:
        return []
    outcomes = [link.outcome for link, _ in pairs if isinstance(link.outcome, Continues)]
    found = await session.rows(
        "continue_tied",
        verb,
        *_marks(pairs),
        *_fates(pairs),
        *rows.successor_columns(outcomes),
        [link.chain_type for link, _ in pairs],
        [link.chain_created_at for link, _ in pairs],
        [len(wait.blockers) for _, wait in pairs],
        *_rule_columns([wait.rule for _, wait in pairs]),
    )
    return [WrittenWait(*pairs[rows.place(row)], row) for row in found]


async def _follow(session: PostgresSession, joined: Sequence[WrittenWait]) -> tuple[list[Any], list[str]]:
    """What follows from those that failed at once."""
    failed = [one for one in joined if one.wait.fate.failure]
    if keyed := [one.link.chain_id for one in failed if one.row["keyed"]]:
        await session.rows("free_keys", keyed)
    waited_on = [one.link.chain_id for one in failed if one.row["waited_on"]]
    return await let_go(session, waited_on) if waited_on else ([], [])


# Columns


def _marks(pairs: Sequence[tuple[WaitRequest, BlockedJob]]) -> tuple[list[Any] | None, ...]:
    return (
        [link.chain_id for link, _ in pairs],
        [link.position for link, _ in pairs],
        rows.column([link.trace for link, _ in pairs]),
    )


def _fates(pairs: Sequence[tuple[WaitRequest, BlockedJob]]) -> tuple[list[Any] | None, ...]:
    failures = [wait.fate.failure for _, wait in pairs]
    return (
        [len(wait.fate.awaited) for _, wait in pairs],
        rows.column([failure and failure.type for failure in failures]),
        rows.column([failure and failure.text for failure in failures]),
    )


def _rules(pairs: Collection[tuple[WaitRequest, BlockedJob]]) -> tuple[list[Any] | None, ...]:
    waits = [wait for _, wait in pairs]
    keys = [wait.chain_id for wait in waits], [wait.position for wait in waits]
    return *keys, *_rule_columns([wait.rule for wait in waits])


def _rule_columns(given: Sequence[BlockerRule]) -> tuple[list[Any] | None, ...]:
    columns = [rule.columns for rule in given]
    return rows.column([until for until, _ in columns]), rows.column([on_failure for _, on_failure in columns])
