"""Blockers of jobs that exist already: of continuations, and of running jobs that begin to wait."""

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
from .dedup_keys import locked_by_others
from .locks import lock_blockers, lock_cycle_check
from .unblock import release_dependents


class WaitRequest(Struct, frozen=True, kw_only=True):
    """A job under its token, null if it does not run, and its outcome: a wait, or a successor that waits."""

    chain_id: str
    position: int
    token: int | None
    outcome: Blocks | Continues
    chain_type: str
    chain_created_at: Any
    trace: str | None = None

    @property
    def given(self) -> BlockerSource:
        """Return the part of the outcome that names the blockers."""
        return self.outcome if isinstance(self.outcome, Blocks) else self.outcome.successor

    @property
    def waits_at(self) -> int:
        """Return the position of the job that will wait."""
        return self.position if isinstance(self.outcome, Blocks) else self.position + 1


class WrittenWait(Struct, frozen=True):
    """A request that was written, with the job's blockers and the row that the statement returned for it."""

    request: WaitRequest
    wait: BlockedJob
    row: Any


class WaitResult(Struct):
    """The requests that were written, and the effects on the dependents of jobs that failed at once."""

    written: list[WrittenWait]
    others: list[Any]
    skipped: list[str]


async def write_waits(
    session: PostgresSession, requests: Sequence[WaitRequest], *, verb: Verb = Verb.CONTINUE, lock: str
) -> WaitResult:
    """
    Block jobs, or continue their chains with jobs that wait.

    Jobs are skipped where others have locked a row that is needed, unless ``lock`` is WAIT.

    Raises:
        NotFound: a blocker does not exist.
        InvalidArgument: a chain would wait for itself.
    """
    # Jobs whose rows are locked by others, or that are no longer under their tokens, drop out. The conflict check of
    # the settlement explains both.
    requests = await _lock(session, requests, lock)
    wanted = {id for request in requests for id in request.given.blockers}
    statuses = await lock_blockers(session, wanted, lock=lock)
    # A blocker whose row is locked has no status now. Its dependents are left to the next try.
    ready = [request for request in requests if statuses.keys() >= set(request.given.blockers)]
    waits = {request.chain_id: _blocked_job(request, statuses) for request in ready}
    # A job whose blocker failed closes its chain and frees its key. A worker does not wait if that key is locked.
    if lock != WAIT:
        failing = [id for id, wait in waits.items() if wait.decision.failure]
        busy = await locked_by_others(session, failing)
        waits = {id: wait for id, wait in waits.items() if id not in busy}
    # Locks on chains cannot prevent a cycle. In a ring of four chains, the transactions that write the second and the
    # fourth blocker row lock no chain in common; each searches, and finds a gap where the other's row will be. So
    # writers that could close a cycle take one lock, and search under a snapshot taken after it.
    circular = await _may_close_cycle(session, list(waits.values()))
    if circular and not await lock_cycle_check(session, lock=lock):
        waits = {id: wait for id, wait in waits.items() if id not in circular}
    pairs = [(request, waits[request.chain_id]) for request in ready if request.chain_id in waits]
    written = await _write(session, pairs, verb)
    # After the write, since the search must see the new blocker rows.
    if circular := circular & waits.keys():
        await blocker_rows.refuse_cycles(session, circular)
    others, skipped = await _release_dependents(session, written)
    return WaitResult(written, others, skipped)


async def _lock(session: PostgresSession, requests: Sequence[WaitRequest], lock: str) -> list[WaitRequest]:
    """
    Lock the jobs together with their blockers, and return the requests whose jobs are still under their tokens.

    One statement locks both in one ascending order. Two transactions that wait for each other's chains could deadlock
    otherwise.
    """
    ids = sorted({id for request in requests for id in (request.chain_id, *request.given.blockers)})
    found = {row["chain_id"]: row for row in await session.rows("lock_jobs", ids, lock=lock)}
    return [request for request in requests if _is_current(request, found.get(request.chain_id))]


def _is_current(request: WaitRequest, row: Any) -> bool:
    return row is not None and (row["position"], row["token"]) == (request.position, request.token)


def _blocked_job(request: WaitRequest, statuses: dict[str, Status]) -> BlockedJob:
    given = request.given
    if request.chain_id in given.blockers:
        raise refusals.blocker_cycle(request.chain_id, through=request.chain_id)
    rule = blockers.rule_of(given)
    return BlockedJob(
        chain_id=request.chain_id,
        position=request.waits_at,
        blockers=given.blockers,
        rule=rule,
        decision=blockers.decide_wait(rule, {blocker: statuses[blocker] for blocker in given.blockers}),
    )


async def _may_close_cycle(session: PostgresSession, waits: Sequence[BlockedJob]) -> set[str]:
    """
    Return the chains that will wait and that other chains wait for.

    Only these can close a cycle. A chain that begins to wait for one of ours later needs its row first, and searches
    for a cycle after our commit.
    """
    blocked = [wait.chain_id for wait in waits if wait.decision.still_awaited]
    return {row["chain_id"] for row in await session.rows("find_waited_on", blocked)} if blocked else set()


async def _write(
    session: PostgresSession, pairs: Sequence[tuple[WaitRequest, BlockedJob]], verb: Verb
) -> list[WrittenWait]:
    blocks = [pair for pair in pairs if isinstance(pair[0].outcome, Blocks)]
    continues = [pair for pair in pairs if isinstance(pair[0].outcome, Continues)]
    blocked = await _block(session, blocks)
    continued = await _continue(session, continues, verb)
    if blocked:
        await blocker_rows.add(session, [one.wait for one in blocked], blocked[0].row["at"], to="more")
        await session.rows("count_blockers", *_rule_columns(blocks))
    if continued:
        await blocker_rows.add(session, [one.wait for one in continued], continued[0].row["at"])
    return [*blocked, *continued]


async def _block(session: PostgresSession, pairs: Sequence[tuple[WaitRequest, BlockedJob]]) -> list[WrittenWait]:
    if not pairs:
        return []
    found = await session.rows("block", *_key_columns(pairs), *_outcome_columns(pairs))
    return [WrittenWait(*pairs[rows.index(row)], row) for row in found]


async def _continue(
    session: PostgresSession, pairs: Sequence[tuple[WaitRequest, BlockedJob]], verb: Verb
) -> list[WrittenWait]:
    if not pairs:
        return []
    outcomes = [request.outcome for request, _ in pairs if isinstance(request.outcome, Continues)]
    found = await session.rows(
        "continue_with_blockers",
        verb,
        *_key_columns(pairs),
        *_outcome_columns(pairs),
        *rows.successor_columns(outcomes),
        [request.chain_type for request, _ in pairs],
        [request.chain_created_at for request, _ in pairs],
        [len(wait.blockers) for _, wait in pairs],
        *_rules([wait.rule for _, wait in pairs]),
    )
    return [WrittenWait(*pairs[rows.index(row)], row) for row in found]


async def _release_dependents(session: PostgresSession, written: Sequence[WrittenWait]) -> tuple[list[Any], list[str]]:
    """Release the keys and dependents of jobs that failed at once, because a blocker had failed before."""
    failed = [one for one in written if one.wait.decision.failure]
    if keyed := [one.request.chain_id for one in failed if one.row["keyed"]]:
        await session.rows("free_keys", keyed)
    waited_on = [one.request.chain_id for one in failed if one.row["waited_on"]]
    return await release_dependents(session, waited_on) if waited_on else ([], [])


# Columns


def _key_columns(pairs: Sequence[tuple[WaitRequest, BlockedJob]]) -> tuple[list[Any] | None, ...]:
    return (
        [request.chain_id for request, _ in pairs],
        [request.position for request, _ in pairs],
        rows.column([request.trace for request, _ in pairs]),
    )


def _outcome_columns(pairs: Sequence[tuple[WaitRequest, BlockedJob]]) -> tuple[list[Any] | None, ...]:
    failures = [wait.decision.failure for _, wait in pairs]
    return (
        [len(wait.decision.awaited) for _, wait in pairs],
        rows.column([failure and failure.type for failure in failures]),
        rows.column([failure and failure.text for failure in failures]),
    )


def _rule_columns(pairs: Collection[tuple[WaitRequest, BlockedJob]]) -> tuple[list[Any] | None, ...]:
    waits = [wait for _, wait in pairs]
    keys = [wait.chain_id for wait in waits], [wait.position for wait in waits]
    return *keys, *_rules([wait.rule for wait in waits])


def _rules(given: Sequence[BlockerRule]) -> tuple[list[Any] | None, ...]:
    columns = [rule.columns for rule in given]
    return rows.column([until for until, _ in columns]), rows.column([on_failure for _, on_failure in columns])
