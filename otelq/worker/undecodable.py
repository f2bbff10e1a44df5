"""
Payloads that this worker cannot decode, and another one may: tried again for a while, without spending an attempt.

During a rolling deploy a newer producer writes what only a newer worker decodes, and an older process lacks the key
that payloads are encrypted with already (``docs/decisions/0029-what-does-not-decode-is-tried-again.md``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from ..errors import UndecodablePayload
from ..model import AttemptRecord, Fails, Failure, Snoozes, Verb
from ..texts import class_name

UNDECODABLE: Final = class_name(UndecodablePayload)
"""The type of the failure that such an attempt is stored with."""
SHORTEST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 60.0
_SAYS_NOTHING: Final = frozenset({Verb.RELEASE, Verb.REAP, Verb.TAKE_OVER})
"""Ends of attempts that may have come before the payload was decoded."""


class NotDecodedYet(Exception):
    """Ends an attempt whose handler asked for a payload that does not decode, with the snooze that follows."""

    def __init__(self, outcome: Snoozes) -> None:
        super().__init__(UNDECODABLE)
        self.outcome = outcome


def outcome_of_undecodable(
    failure: Failure, attempts: Sequence[AttemptRecord], *, now: datetime, limit: float, random_fraction: float
) -> Snoozes | Fails:
    """
    Return a snooze, or the failure once ``limit`` seconds have passed since the payload first did not decode.

    ``attempts`` are the finished attempts of the job, first to last; ``now`` is by the clock that dates them.
    """
    tries = list(_tries(attempts))
    left = limit if not tries else limit - (now - tries[-1].ended_at).total_seconds()
    if left <= 0:
        return Fails(failure)
    pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(len(tries), 10))
    return Snoozes(min(left, pause * (0.75 + 0.25 * random_fraction)), failure)


def _tries(attempts: Sequence[AttemptRecord]) -> Iterator[AttemptRecord]:
    """Yield the latest attempts back to the first of those that did not decode, the last one first."""
    for attempt in reversed(attempts):
        if attempt.generation:
            return  # the job was redriven since
        if attempt.verb in (Verb.SNOOZE, Verb.RETRY) and attempt.failure and attempt.failure.type == UNDECODABLE:
            yield attempt
        elif attempt.verb not in _SAYS_NOTHING:
            return  # the payload was decoded
