"""The invariants, checked on the transitions that an adapter reports, without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from otelq.model import Claimed, JobKey, JobRecord, Status, Transition, Verb

GIVEN_BACK = frozenset({Verb.RELEASE, Verb.SNOOZE, Verb.BLOCK})
IN_LINE = frozenset({Status.SCHEDULED, Status.READY})
"""The clock alone makes one of the other."""


@dataclass
class MoveLog:
    """The status of each job after the transitions so far."""

    standing: dict[JobKey, Status] = field(default_factory=dict[JobKey, Status])
    attempts: Counter[JobKey] = field(default_factory=Counter[JobKey])
    tokens: set[tuple[str, int, int]] = field(default_factory=set[tuple[str, int, int]])
    seen: Counter[Verb] = field(default_factory=Counter[Verb])

    def take(self, made: Sequence[Transition]) -> None:
        for transition in made:
            self.seen[transition.verb] += 1
            self._follows(transition)
            self._count(transition)
        self._no_gaps({transition.chain_id for transition in made})

    def lease(self, claimed: Claimed) -> None:
        """I1: no pair of job and token is used twice."""
        lease = claimed.lease
        pair = lease.chain_id, lease.position, lease.token
        assert pair not in self.tokens, f"I1: a token was used twice: {pair}"
        self.tokens.add(pair)

    def counts(self, records: Iterable[JobRecord]) -> None:
        """I8: attempts are claims less those that were given back, of this generation."""
        for job in records:
            counted = self.attempts[job.chain_id, job.position]
            assert job.attempt == counted, f"I8: {job.attempt} attempts of {job.id}, {counted} were counted"

    def _follows(self, made: Transition) -> None:
        """I3 and I5: each move begins where the one before ended; nothing leaves a closed status unasked."""
        key = made.chain_id, made.position
        before = self.standing.pop(key, None)
        alike = before == made.source or {before, made.source} <= IN_LINE
        assert alike, f"{made.verb} takes {key} from {made.source}, where {before} was left"
        if made.verb is Verb.CREATE and made.position:
            earlier = self.standing.get((made.chain_id, made.position - 1))
            assert earlier is Status.CONTINUED, f"I5: {key} follows a job that is {earlier}"
        if made.target is not None:
            self.standing[key] = made.target

    def _count(self, made: Transition) -> None:
        key = made.chain_id, made.position
        if made.verb is Verb.CLAIM:
            self.attempts[key] += 1
        elif made.verb in GIVEN_BACK:
            self.attempts[key] -= 1
        elif made.verb in (Verb.REDRIVE, Verb.DELETE):
            self.attempts[key] = 0

    def _no_gaps(self, chains: set[str]) -> None:
        """I4 and I5: one job is not continued, the last; positions have no gaps."""
        for chain in chains:
            statuses = dict(sorted((at, self.standing[id, at]) for id, at in self.standing if id == chain))
            assert list(statuses) == list(range(len(statuses))), f"I4: gaps in {chain}: {statuses}"
            continued = [status is Status.CONTINUED for status in statuses.values()]
            assert continued in ([], [True] * (len(statuses) - 1) + [False]), f"I5: {chain}: {statuses}"
