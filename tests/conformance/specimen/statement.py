"""One statement: what it has to work with, and the transitions that it notes. The moves are in the files beside."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from otelq.model import JobKey, Status, Transition, Verb
from otelq.transitions import is_legal

from .store import OpenJob, Store

MOST_DEPENDENTS = 1000
"""How many waiting chains one statement lets go; the others are left to ``unblock_pending``."""


class Statement:
    """
    One statement at the time ``now``; ``made`` are its transitions so far.

    ``closed`` are the chains that it closed and whose dependents were not told yet, of whom it may tell ``budget``.
    ``given`` says for each dedup key of a batch of starts which chain the first of them was given.
    """

    def __init__(self, store: Store, now: datetime) -> None:
        self.store = store
        self.now = now
        self.budget = MOST_DEPENDENTS
        self.closed: deque[str] = deque()
        self.given: dict[tuple[str, str], str] = {}
        self.made: list[Transition] = []

    def after(self, seconds: float) -> datetime:
        """The time in so many seconds; a negative number means now."""
        return self.now + timedelta(seconds=max(seconds, 0))

    def note(
        self,
        verb: Verb,
        row: OpenJob,
        *,
        source: Status | None,
        target: Status,
        due_at: datetime | None = None,
        error_type: str | None = None,
        worker: str | None = None,
    ) -> None:
        """Note what a verb did to an open job."""
        due_at = row.run_at if verb is Verb.CREATE else due_at
        self.transition(
            verb,
            (row.chain_id, row.position),
            source=source,
            target=target,
            attempt=row.attempt,
            due_at=due_at if verb is Verb.CLAIM or target is Status.SCHEDULED else None,
            error_type=error_type,
            worker=worker,
            last_trace=row.last_trace,
        )

    def transition(
        self,
        verb: Verb,
        key: JobKey,
        *,
        source: Status | None,
        target: Status | None,
        attempt: int,
        due_at: datetime | None = None,
        error_type: str | None = None,
        worker: str | None = None,
        last_trace: str | None = None,
    ) -> None:
        """Note what a verb did to a job, open or closed."""
        assert is_legal(verb, source, target), f"{verb} may not take a job from {source} to {target}"
        chain, request = self.store.chains[key[0]], self.store.requests[key]
        self.made.append(
            Transition(
                verb=verb,
                chain_id=request.chain_id,
                position=request.position,
                type=request.type,
                queue=request.queue,
                chain_type=chain.type,
                source=source,
                target=target,
                at=self.now,
                attempt=attempt,
                created_at=request.created_at,
                chain_created_at=chain.created_at,
                due_at=due_at,
                error_type=error_type,
                worker=worker,
                trace=request.trace,
                last_trace=last_trace,
            )
        )
