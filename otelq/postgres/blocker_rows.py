"""Edges from jobs to the chains that they wait for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from ..transitions import refusals
from ..transitions.blockers import BlockerRule, WaitDecision
from .database import PostgresSession

MOST: Final = 10_000
"""How many edges one statement writes."""

Edge = tuple[str, int, str, int, datetime | None, bool]


class BlockedJob(Struct, frozen=True, kw_only=True):
    """A job, the blockers that it is given, and what they mean for it."""

    chain_id: str
    position: int
    blockers: tuple[str, ...]
    rule: BlockerRule
    fate: WaitDecision

    def edges(self, at: datetime) -> Iterator[Edge]:
        """What is stored; edges that nobody awaits count as released at the time of the statement."""
        awaited, waits_after_failure = self.fate.still_awaited, self.rule.waits_after_failure
        for n, blocker in enumerate(self.blockers):
            yield self.chain_id, self.position, blocker, n, None if blocker in awaited else at, waits_after_failure


async def add(session: PostgresSession, waits: Sequence[BlockedJob], at: datetime, *, to: str = "new") -> None:
    """Store the edges of jobs that are ``new``, or that are given ``more`` blockers than they had."""
    edges = (edge for wait in waits for edge in wait.edges(at))
    while part := list(islice(edges, MOST)):
        await session.rows("add_edges" if to == "new" else "add_more_edges", *_columns(part))


def _columns(edges: Sequence[Edge]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*edges, strict=True))


async def refuse_circles(session: PostgresSession, chain_ids: Collection[str]) -> None:
    """
    See that none of these chains, whose edges are written, waits for itself.

    Raises:
        InvalidArgument: one does; names a chain that would wait for it in turn.
    """
    for row in await session.rows("find_circle", sorted(chain_ids)):
        raise refusals.blocker_cycle(row["chain_id"], through=row["waiting_id"])
