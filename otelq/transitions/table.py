"""
The table of legal moves.

The builders refuse a transition that is not in it. The conformance kit and the state machines check adapters against
it, and the documentation is drawn from it. A feature that needs another move adds it here first.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..model import CLOSED, ENDED, OPEN, Status, Verb, job_id

S = Status
Move = tuple[Status | None, Status | None]


def _moves(sources: frozenset[Status | None] | set[Status | None], *targets: Status | None) -> frozenset[Move]:
    return frozenset((source, target) for source in sources for target in targets)


def _stays(*statuses: Status) -> frozenset[Move]:
    return frozenset((status, status) for status in statuses)


_RUNNING: set[Status | None] = {S.RUNNING}
_WAITING: set[Status | None] = {S.BLOCKED, S.SCHEDULED, S.READY}
_OPEN: frozenset[Status | None] = frozenset(OPEN)
_ANY: frozenset[Status | None] = frozenset(Status)

MOVES: Mapping[Verb, frozenset[Move]] = {
    Verb.CREATE: _moves({None}, S.BLOCKED, S.SCHEDULED, S.READY),
    Verb.UNBLOCK: _moves({S.BLOCKED}, S.SCHEDULED, S.READY),
    Verb.CLAIM: _moves({S.READY}, S.RUNNING),
    Verb.RENEW: _stays(S.RUNNING),
    Verb.COMPLETE: _moves(_RUNNING, S.COMPLETED),
    Verb.CONTINUE: _moves(_RUNNING, S.CONTINUED),
    Verb.RETRY: _moves(_RUNNING, S.SCHEDULED, S.READY),
    Verb.SNOOZE: _moves(_RUNNING, S.SCHEDULED, S.READY),
    Verb.BLOCK: _moves(_RUNNING, S.BLOCKED),
    Verb.FAIL: _moves(_RUNNING, S.FAILED),
    Verb.FAIL_BY_BLOCKER: _moves({S.BLOCKED}, S.FAILED),
    Verb.RELEASE: _moves(_RUNNING, S.READY),
    Verb.REAP: _moves(_RUNNING, S.READY, S.SCHEDULED, S.FAILED),
    Verb.TAKE_OVER: _moves(_RUNNING, S.READY),
    Verb.CANCEL: _moves(_OPEN, S.CANCELLED),
    Verb.EXPIRE: _moves(_WAITING, S.CANCELLED),
    Verb.COMPLETE_EXTERNALLY: _moves(_OPEN, S.COMPLETED, S.CONTINUED),
    Verb.TRIGGER: _moves({S.SCHEDULED}, S.READY),
    Verb.AMEND: _stays(S.BLOCKED, S.SCHEDULED, S.READY) | {(S.SCHEDULED, S.READY), (S.READY, S.SCHEDULED)},
    Verb.REDRIVE: _moves({S.FAILED, S.CANCELLED}, S.READY, S.BLOCKED),
    Verb.DELETE: _moves(_ANY, None),
}
"""Each verb with the moves (from, to) that it may make."""


class IllegalMove(AssertionError):
    """A store was about to report a move that its verb may not make: a defect of the store, which no caller handles."""

    def __init__(
        self, verb: Verb, source: Status | None, target: Status | None, *, chain_id: str, position: int
    ) -> None:
        super().__init__(f"{verb} may not take job {job_id(chain_id, position)} from {source} to {target}")


def is_legal(verb: Verb, source: Status | None, target: Status | None) -> bool:
    """Return whether ``verb`` may take a job from ``source`` to ``target``."""
    return (source, target) in MOVES[verb]


def closes_job(verb: Verb, target: Status | None) -> bool:
    """Return whether the move closes the job (it may have a successor)."""
    return verb is not Verb.DELETE and target in CLOSED


def closes_chain(verb: Verb, target: Status | None) -> bool:
    """Return whether the move closes the whole chain."""
    return verb is not Verb.DELETE and target in ENDED
