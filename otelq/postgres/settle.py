"""Settlements: store the outcomes of attempts under their tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from ..errors import InvalidArgument, NotFound, Refused
from ..model import (
    Blocks,
    Claimed,
    Completes,
    Continues,
    Fails,
    Settled,
    Settlement,
    SettleResult,
    Transition,
    Verb,
)
from ..ports.state import Transaction
from ..transitions.outcomes import blocker_source, delay_of, failure_of, transitions_of, verb_of
from . import rows, waits
from .database import SKIP, WAIT, PostgresDatabase, PostgresSession
from .dedup_keys import locked_by_others
from .settle_conflicts import Item, check_conflicts
from .unblock import release_dependents, unblock_locked
from .waits import WaitRequest

INDEPENDENT: Final = "AND NOT o.waited_on AND NOT o.keyed"
"""Limits a close to rows without dependents and without a dedup key, so that one statement does all the work."""


class SettleProgress(Struct):
    """The writes of a batch so far, by the index of the item."""

    by_item: dict[int, list[Transition]]
    claimed: dict[str, Claimed]
    others: list[Transition]
    """Transitions of other chains."""
    skipped: list[str]
    """Closed chains whose dependents another transaction had locked."""

    @classmethod
    def empty(cls) -> SettleProgress:
        return cls({}, {}, [], [])

    def add(self, more: SettleProgress) -> None:
        self.by_item |= more.by_item
        self.claimed |= more.claimed
        self.others += more.others
        self.skipped += more.skipped


async def settle(
    database: PostgresDatabase, settlements: Sequence[Settlement], *, tx: Transaction | None, now: datetime | None
) -> Settled:
    """
    Store a batch of outcomes, in the caller's transaction or in otelq's own.

    In its own, rows that others have locked are skipped and reported as BUSY, so that one idle transaction of a user
    does not stop the other completions of a worker.
    """
    items = list(enumerate(settlements))
    has_blockers = any(blocker_source(item.outcome) is not None for item in settlements)
    # A wait may be refused: the blocker does not exist, or waits for the job. The savepoint then keeps the caller's
    # transaction usable.
    if tx is not None:
        return await database.run_in(tx, lambda session: _settle_in(session, items), now=now, savepoint=has_blockers)
    # A batch for one independent statement needs no BEGIN and COMMIT. It leaves out the rows that need more
    # statements; the conflict check finds those, and a transaction writes them.
    is_atomic = has_blockers or len({_writer(item) for item in settlements}) > 1
    condition = "" if has_blockers else INDEPENDENT
    # Again after a lost reply: the tokens make it idempotent, and the conflict check finds what was written before.
    progress = await database.run(
        lambda session: write(session, items, lock=SKIP, condition=condition), now=now, atomic=is_atomic, again=True
    )
    results = dict.fromkeys(progress.by_item, SettleResult.DONE)
    if rest := [item for item in items if item[0] not in results]:
        checked, dependent = await database.run(
            lambda session: check_conflicts(session, rest, progress.by_item, progress.claimed), now=now, again=True
        )
        results |= checked
        if dependent:
            more = await database.run(
                lambda session: write(session, dependent, lock=SKIP), now=now, atomic=True, again=True
            )
            results |= dict.fromkeys(more.by_item, SettleResult.DONE)
            progress.add(more)
            # Rows that are locked, or that the first try wrote although its reply was lost.
            if left := [item for item in dependent if item[0] not in more.by_item]:
                checked, _ = await database.run(
                    lambda session: check_conflicts(session, left, progress.by_item, progress.claimed),
                    now=now,
                    again=True,
                )
                results |= checked
    if progress.skipped:
        progress.others += await unblock_locked(database, now)
    return _settled(items, results, progress)


async def _settle_in(session: PostgresSession, items: Sequence[Item]) -> Settled:
    progress = await write(session, items, lock=WAIT)
    results = dict.fromkeys(progress.by_item, SettleResult.DONE)
    if rest := [item for item in items if item[0] not in results]:
        checked, _ = await check_conflicts(session, rest, progress.by_item, progress.claimed)
        results |= checked
    return _settled(items, results, progress)


def _settled(items: Sequence[Item], results: dict[int, SettleResult], progress: SettleProgress) -> Settled:
    own = [change for index, _ in items for change in progress.by_item.get(index, ())]
    return Settled(
        results=tuple([results[index] for index, _ in items]),
        transitions=(*own, *progress.others),
        claimed_successors=progress.claimed,
    )


async def write(session: PostgresSession, items: Sequence[Item], *, lock: str, condition: str = "") -> SettleProgress:
    """Write the items that can be written now; with ``lock=SKIP``, skip rows that others have locked."""
    progress = SettleProgress.empty()
    groups: dict[_Writer, list[Item]] = {}
    # All locks of otelq are taken in ascending order of chain ids, so that two batches never deadlock.
    for item in sorted(items, key=lambda item: item[1].job.lease.chain_id):
        groups.setdefault(_writer(item[1]), []).append(item)
    # Jobs that begin to wait come last: a blocker that closes in this batch then counts as closed.
    for writer, group in sorted(groups.items(), key=lambda pair: pair[0] is _wait):
        await writer(session, group, progress, lock, condition)
    return progress


_Writer = Callable[[PostgresSession, list[Item], SettleProgress, str, str], Awaitable[None]]


def _writer(item: Settlement) -> _Writer:
    if blocker_source(item.outcome):
        return _wait
    match item.outcome:
        case Completes() | Fails():
            return _close
        case Continues():
            return _continue
        case _:
            return _put_back


async def _close(
    session: PostgresSession, items: list[Item], progress: SettleProgress, lock: str, condition: str
) -> None:
    if lock == SKIP and not condition:
        items = await _with_free_keys(session, items)
    settlements = [item for _, item in items]
    failures = [failure_of(item.outcome) for item in settlements]
    row = await session.row(
        "close",
        None,
        *rows.lease_columns([item.job.lease for item in settlements]),
        [item.outcome.output if isinstance(item.outcome, Completes) else None for item in settlements],
        rows.column([failure and failure.type for failure in failures]),
        rows.column([failure and failure.text for failure in failures]),
        rows.column([item.trace for item in settlements]),
        lock=lock,
        condition=condition,
    )
    for n in rows.indexes(row):
        index, item = items[n]
        progress.by_item[index] = transitions_of(item, at=row["at"], run_at=row["at"])
    if row["keyed"]:
        await session.rows("free_keys", row["keyed"])
    # A statement of its own: its newer snapshot has the blocker rows of a start that committed during the close.
    if row["waited_on"]:
        others, skipped = await release_dependents(session, row["waited_on"])
        progress.others += others
        progress.skipped += skipped


async def _with_free_keys(session: PostgresSession, items: list[Item]) -> list[Item]:
    """
    Leave out the jobs whose dedup keys another transaction has locked.

    A worker never waits for another transaction, such as a start that takes over the key of a job that closes.
    """
    busy = await locked_by_others(session, [item.job.lease.chain_id for _, item in items])
    return [item for item in items if item[1].job.lease.chain_id not in busy]


async def _continue(
    session: PostgresSession, items: list[Item], progress: SettleProgress, lock: str, condition: str
) -> None:
    settlements = [item for _, item in items]
    outcomes = [item.outcome for item in settlements if isinstance(item.outcome, Continues)]
    found = await session.rows(
        "continue",
        Verb.CONTINUE,
        *rows.lease_columns([item.job.lease for item in settlements]),
        rows.column([item.trace for item in settlements]),
        *rows.successor_columns(outcomes),
        [item.job.chain_type for item in settlements],
        [item.job.chain_created_at for item in settlements],
        rows.column([outcome.claim_successor and outcome.claim_successor.token for outcome in outcomes]),
        rows.column([outcome.claim_successor and outcome.claim_successor.lease for outcome in outcomes]),
        rows.column([outcome.claim_successor and outcome.claim_successor.timeout for outcome in outcomes]),
        lock=lock,
    )
    for row in found:
        index, item = items[rows.index(row)]
        progress.by_item[index], claimed = _continued(item, row)
        progress.claimed |= {item.job.lease.chain_id: claimed} if claimed else {}


async def _put_back(
    session: PostgresSession, items: list[Item], progress: SettleProgress, lock: str, condition: str
) -> None:
    settlements = [item for _, item in items]
    failures = [failure_of(item.outcome) for item in settlements]
    found = await session.rows(
        "put_back",
        *rows.lease_columns([item.job.lease for item in settlements]),
        rows.column([item.trace for item in settlements]),
        [verb_of(item.outcome) for item in settlements],
        rows.column([failure and failure.type for failure in failures]),
        rows.column([failure and failure.text for failure in failures]),
        [delay_of(item.outcome) for item in settlements],
        lock=lock,
    )
    for row in found:
        index, item = items[rows.index(row)]
        progress.by_item[index] = transitions_of(item, at=row["at"], run_at=row["run_at"])


async def _wait(
    session: PostgresSession, items: list[Item], progress: SettleProgress, lock: str, condition: str
) -> None:
    by_chain = {item.job.lease.chain_id: (index, item) for index, item in items}
    try:
        result = await waits.write_waits(session, [_wait_request(item) for _, item in items], lock=lock)
    except (NotFound, InvalidArgument) as error:
        raise Refused(str(error)) from error
    for one in result.written:
        index, item = by_chain[one.request.chain_id]
        at, run_at, end = one.row["at"], one.row["run_at"], one.wait.decision
        progress.by_item[index] = transitions_of(
            item, at=at, run_at=run_at, is_blocked=end.is_blocked, failed_with=end.failed_with
        )
    progress.others += result.others
    progress.skipped += result.skipped


def _wait_request(item: Settlement) -> WaitRequest:
    job, outcome = item.job, item.outcome
    assert isinstance(outcome, (Blocks, Continues))
    return WaitRequest(
        chain_id=job.lease.chain_id,
        position=job.lease.position,
        token=job.lease.token,
        outcome=outcome,
        chain_type=job.chain_type,
        chain_created_at=job.chain_created_at,
        trace=item.trace,
    )


def _continued(item: Settlement, row: rows.Row) -> rows.Continued:
    assert isinstance(item.outcome, Continues)
    return rows.continued(item, item.outcome.successor, item.outcome.claim_successor, row=row)
