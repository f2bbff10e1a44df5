"""Rows of the table ``blocker``: one for each chain that a job waits for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from ..transitions import refusals
from ..transitions.blockers import BlockerRule, WaitDecision
from .database import PostgresSession

MAX_ROWS: Final = 10_000
"""Rows that one statement writes."""

BlockerRow = tuple[str, int, str, int, datetime | None, bool]


class BlockedJob(Struct, frozen=True, kw_only=True):
    """A job, the blockers that it is given, and their outcome for it."""

    chain_id: str
    position: int
    blockers: tuple[str, ...]
    rule: BlockerRule
    decision: WaitDecision

    def rows(self, at: datetime) -> Iterator[BlockerRow]:
        """Yield a row for each blocker; one that is not awaited counts as released ``at`` the statement's time."""
        awaited, waits_after_failure = self.decision.still_awaited, self.rule.waits_after_failure
        for n, blocker in enumerate(self.blockers):
            yield self.chain_id, self.position, blocker, n, None if blocker in awaited else at, waits_after_failure


async def add(session: PostgresSession, waits: Sequence[BlockedJob], at: datetime, *, to: str = "new") -> None:
    """Store the blockers of jobs that are ``new``, or that get ``more`` blockers than they had."""
    rows = (row for wait in waits for row in wait.rows(at))
    # Parts of bounded size, since one job may have thousands of blockers.
    while part := list(islice(rows, MAX_ROWS)):
        await session.rows("add_blockers" if to == "new" else "add_more_blockers", *_columns(part))


def _columns(rows: Sequence[BlockerRow]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))


async def refuse_cycles(session: PostgresSession, chain_ids: Collection[str]) -> None:
    """
    Check that none of these chains, whose blocker rows are written, waits for itself.

    Raises:
        InvalidArgument: one does; names a chain that would wait for it in turn.
    """
    for row in await session.rows("find_cycle", sorted(chain_ids)):
        raise refusals.blocker_cycle(row["chain_id"], through=row["waiting_id"])
