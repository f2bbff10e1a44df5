"""What attempts came to, written under their tokens."""

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
from .dedup_keys import held_elsewhere
from .settle_conflicts import Item, judge
from .unblock import let_go, look_again
from .waits import WaitRequest

UNTIED: Final = "AND NOT o.waited_on AND NOT o.keyed"
"""Closing such a row touches nothing else, so that one statement does."""


class SettleProgress(Struct):
    """What statements wrote so far, by the items' places in the batch."""

    made: dict[int, list[Transition]]
    kept: dict[str, Claimed]
    aside: list[Transition]
    """What happened to other chains."""
    passed_over: list[str]
    """Closed chains whose dependents somebody else had locked."""

    @classmethod
    def nothing(cls) -> SettleProgress:
        return cls({}, {}, [], [])

    def add(self, more: SettleProgress) -> None:
        self.made |= more.made
        self.kept |= more.kept
        self.aside += more.aside
        self.passed_over += more.passed_over


async def settle(
    database: PostgresDatabase, settlements: Sequence[Settlement], *, tx: Transaction | None, now: datetime | None
) -> Settled:
    """Write a batch: alone, with rows that others have locked left for later, or in the caller's transaction."""
    items = list(enumerate(settlements))
    is_linked = any(blocker_source(item.outcome) is not None for item in settlements)
    if tx is not None:
        return await database.run_in(tx, lambda session: _settle_inside(session, items), now=now, savepoint=is_linked)
    is_atomic = is_linked or len({_writer(item) for item in settlements}) > 1
    which = "" if is_linked else UNTIED
    written = await database.run(
        lambda session: write(session, items, lock=SKIP, which=which), now=now, atomic=is_atomic, again=True
    )
    verdicts = dict.fromkeys(written.made, SettleResult.DONE)
    if rest := [item for item in items if item[0] not in verdicts]:
        judged, tied = await database.run(
            lambda session: judge(session, rest, written.made, written.kept), now=now, again=True
        )
        verdicts |= judged
        if tied:
            more = await database.run(lambda session: write(session, tied, lock=SKIP), now=now, atomic=True, again=True)
            verdicts |= dict.fromkeys(more.made, SettleResult.DONE)
            written.add(more)
            if left := [item for item in tied if item[0] not in more.made]:  # locked, or written at the first try
                judged, _ = await database.run(
                    lambda session: judge(session, left, written.made, written.kept), now=now, again=True
                )
                verdicts |= judged
    if written.passed_over:
        written.aside += await look_again(database, now)
    return _settled(items, verdicts, written)


async def _settle_inside(session: PostgresSession, items: Sequence[Item]) -> Settled:
    written = await write(session, items, lock=WAIT)
    verdicts = dict.fromkeys(written.made, SettleResult.DONE)
    if rest := [item for item in items if item[0] not in verdicts]:
        judged, _ = await judge(session, rest, written.made, written.kept)
        verdicts |= judged
    return _settled(items, verdicts, written)


def _settled(items: Sequence[Item], verdicts: dict[int, SettleResult], written: SettleProgress) -> Settled:
    made = [change for place, _ in items for change in written.made.get(place, ())]
    return Settled(
        results=tuple([verdicts[place] for place, _ in items]),
        transitions=(*made, *written.aside),
        claimed_successors=written.kept,
    )


async def write(session: PostgresSession, items: Sequence[Item], *, lock: str, which: str = "") -> SettleProgress:
    """Write what can be written now; rows that others have locked are passed over, if ``lock`` says so."""
    written = SettleProgress.nothing()
    groups: dict[_Writer, list[Item]] = {}
    for item in sorted(items, key=lambda item: item[1].job.lease.chain_id):
        groups.setdefault(_writer(item[1]), []).append(item)
    # Those that begin to wait come last: so they see how another of the batch ended.
    for writer, group in sorted(groups.items(), key=lambda pair: pair[0] is _link):
        await writer(session, group, written, lock, which)
    return written


_Writer = Callable[[PostgresSession, list[Item], SettleProgress, str, str], Awaitable[None]]


def _writer(item: Settlement) -> _Writer:
    if blocker_source(item.outcome):
        return _link
    match item.outcome:
        case Completes() | Fails():
            return _close
        case Continues():
            return _continue
        case _:
            return _put_back


async def _close(session: PostgresSession, items: list[Item], written: SettleProgress, lock: str, which: str) -> None:
    if lock == SKIP and not which:
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
        which=which,
    )
    for n in rows.places(row):
        place, item = items[n]
        written.made[place] = transitions_of(item, at=row["at"], run_at=row["at"])
    if row["keyed"]:
        await session.rows("free_keys", row["keyed"])
    if row["waited_on"]:
        made, passed_over = await let_go(session, row["waited_on"])
        written.aside += made
        written.passed_over += passed_over


async def _with_free_keys(session: PostgresSession, items: list[Item]) -> list[Item]:
    """A worker waits for nobody, nor for a start that takes over the key of a job that closes."""
    busy = await held_elsewhere(session, [item.job.lease.chain_id for _, item in items])
    return [item for item in items if item[1].job.lease.chain_id not in busy]


async def _continue(
    session: PostgresSession, items: list[Item], written: SettleProgress, lock: str, which: str
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
        place, item = items[rows.place(row)]
        written.made[place], granted = _continued(item, row)
        written.kept |= {item.job.lease.chain_id: granted} if granted else {}


async def _put_back(
    session: PostgresSession, items: list[Item], written: SettleProgress, lock: str, which: str
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
        place, item = items[rows.place(row)]
        written.made[place] = transitions_of(item, at=row["at"], run_at=row["run_at"])


async def _link(session: PostgresSession, items: list[Item], written: SettleProgress, lock: str, which: str) -> None:
    by_chain = {item.job.lease.chain_id: (place, item) for place, item in items}
    try:
        linked = await waits.link(session, [_as_link(item) for _, item in items], lock=lock)
    except (NotFound, InvalidArgument) as error:
        raise Refused(str(error)) from error
    for one in linked.joined:
        place, item = by_chain[one.link.chain_id]
        at, run_at, fate = one.row["at"], one.row["run_at"], one.wait.fate
        written.made[place] = transitions_of(
            item, at=at, run_at=run_at, is_blocked=fate.is_blocked, failed_with=fate.failed_with
        )
    written.aside += linked.aside
    written.passed_over += linked.passed_over


def _as_link(item: Settlement) -> WaitRequest:
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
