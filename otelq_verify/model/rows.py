"""The rows of the model: chains as lists of jobs, the holders of keys, and the moves of the current step."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from otelq.model import OnFailure, Until


class Move(NamedTuple):
    """A move that a step should report: a verb that took a job from one status to another, in plain words."""

    verb: str
    chain: str
    position: int
    source: str | None
    target: str | None
    attempt: int


@dataclass
class ModelAttempt:
    """A finished attempt; ``failure`` is None, or the type of the error."""

    number: int
    token: int | None
    verb: str
    worker: str | None
    started_at: datetime | None
    ended_at: datetime
    failure: str | None = None
    generation: int = 0


@dataclass
class WaitRow:
    """The wait of a blocked job: its blockers, of which some met the condition and some failed it."""

    chains: tuple[str, ...]
    until: Until
    on_failure: OnFailure
    good: set[str] = field(default_factory=set[str])
    lost: set[str] = field(default_factory=set[str])

    def pending(self) -> set[str]:
        return set(self.chains) - self.good - self.lost

    def note_end(self, chain: str, end: str) -> None:
        """Note that a pending chain ended."""
        if end == "completed" or self.on_failure is OnFailure.IGNORE:
            self.good.add(chain)
        elif self.on_failure is OnFailure.FAIL:
            self.lost.add(chain)

    def is_met(self) -> bool:
        if self.until is Until.ANY:
            return bool(self.good) or not self.chains
        return self.good == set(self.chains)

    def is_hopeless(self) -> bool:
        if self.until is Until.ANY:
            return bool(self.chains) and self.lost == set(self.chains)
        return bool(self.lost)


@dataclass
class Job:
    """One job; ``wait`` is set while it is blocked, ``token`` while it runs, ``closed`` when it has ended."""

    chain: str
    position: int
    type: str
    input: str
    priority: int
    run_at: datetime
    created_at: datetime
    queue: str = "default"
    meta: str | None = None
    amended: str | None = None
    expires_at: datetime | None = None
    blockers: list[str] = field(default_factory=list[str])
    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL
    wait: WaitRow | None = None
    attempt: int = 0
    crashes: int = 0
    token: int | None = None
    worker: str | None = None
    claimed_at: datetime | None = None
    leased_until: datetime | None = None
    deadline: datetime | None = None
    closed: str | None = None
    closed_by: str | None = None
    closed_at: datetime | None = None
    output: str | None = None
    failure: str | None = None
    attempts: list[ModelAttempt] = field(default_factory=list[ModelAttempt])

    def status(self, now: datetime) -> str:
        """Return the status, in the words of the table of statuses."""
        if self.closed:
            return self.closed
        if self.token is not None:
            return "running"
        if self.wait:
            return "blocked"
        return "scheduled" if self.run_at > now else "ready"

    def has_expired(self, now: datetime) -> bool:
        """Return True if the job was not started in time."""
        untouched = not self.closed and self.token is None and not self.attempt and not self.crashes
        return untouched and self.expires_at is not None and self.expires_at <= now

    def unlease(self) -> None:
        self.token = self.worker = self.claimed_at = self.leased_until = self.deadline = None

    def end_attempt(self, verb: str, now: datetime, *, failure: str | None = None) -> None:
        """Put the running attempt on record."""
        ended = ModelAttempt(self.attempt, self.token, verb, self.worker, self.claimed_at, now, failure)
        self.attempts.append(ended)


Key = tuple[str, str]
"""A name of a job type, and a dedup key."""


@dataclass
class HolderRow:
    """The holder of a dedup key. ``lasting``: the key outlives the chain's end."""

    chain: str
    created_at: datetime
    lasting: bool


@dataclass
class Model:
    """Chains by id, each a list of jobs whose last is the tail."""

    now: datetime
    chains: dict[str, list[Job]] = field(default_factory=dict[str, list[Job]])
    holders: dict[Key, HolderRow] = field(default_factory=dict[Key, HolderRow])
    keys: dict[str, tuple[list[Key], bool]] = field(default_factory=dict[str, tuple[list[Key], bool]])
    """By chain: the keys that it was started with, and whether it keeps them when it ends."""
    moves: list[Move] = field(default_factory=list[Move])
    ended: list[Job] = field(default_factory=list[Job])
    """Tails that closed in this step and whose dependents are not informed yet."""

    def tail(self, chain: str) -> Job:
        return self.chains[chain][-1]

    def tails(self) -> list[Job]:
        return [jobs[-1] for jobs in self.chains.values()]

    def jobs(self) -> list[Job]:
        return [job for jobs in self.chains.values() for job in jobs]

    def open(self) -> list[Job]:
        return [job for job in self.tails() if not job.closed]

    def with_status(self, *statuses: str) -> list[Job]:
        return [job for job in self.tails() if job.status(self.now) in statuses]

    def due(self, type: str) -> list[Job]:
        """Return the jobs of a type that may be claimed now, in the order of their turn."""
        ready = (job for job in self.with_status("ready") if job.type == type and not job.has_expired(self.now))
        return sorted(ready, key=lambda job: (job.priority, job.run_at, job.chain))

    def after(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def move(self, verb: str, job: Job, source: str | None, target: str | None) -> None:
        self.moves.append(Move(verb, job.chain, job.position, source, target, job.attempt))

    def copy(self) -> Model:
        """Return a copy to try a step on. Pickling is the quick way to copy rows that refer to each other."""
        return cast("Model", pickle.loads(pickle.dumps(self)))
