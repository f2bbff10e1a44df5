"""
What an adapter should do, in a hundred lines: the model that the state machines compare with.

It is written from the table of statuses and the list of transitions, and shares no code with the adapters nor with
``transitions``. Times are seconds; a move is (verb, chain, from, to) in plain words.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Move = tuple[str, str, str | None, str | None]


@dataclass
class Job:
    """One job as the model sees it; ``waits_for`` holds open blockers, ``token`` is set while it runs."""

    chain: str
    position: int
    type: str
    priority: int
    run_at: float
    waits_for: set[str] = field(default_factory=set[str])
    attempt: int = 0
    crashes: int = 0
    token: int | None = None
    leased_until: float = 0.0
    deadline: float = 0.0
    closed: str | None = None

    def status(self, now: float) -> str:
        """The status, in the words of the table of statuses."""
        if self.closed:
            return self.closed
        if self.token is not None:
            return "running"
        if self.waits_for:
            return "blocked"
        return "scheduled" if self.run_at > now else "ready"

    def end(self, status: str) -> None:
        """Close the job; no lease outlives that."""
        self.closed, self.token, self.waits_for = status, None, set()

    def put_back(self, run_at: float) -> None:
        """Let the job wait for its next attempt."""
        self.token, self.run_at = None, run_at


@dataclass
class Model:
    """Chains by id, each a list of jobs whose last is the tail; the clock in seconds."""

    now: float = 0.0
    chains: dict[str, list[Job]] = field(default_factory=dict[str, list[Job]])
    blockers: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    keys: dict[str, str] = field(default_factory=dict[str, str])
    moves: list[Move] = field(default_factory=list[Move])
    """What the current step should report."""

    def tail(self, chain: str) -> Job:
        return self.chains[chain][-1]

    def tails(self) -> list[Job]:
        return [jobs[-1] for jobs in self.chains.values()]

    def start(self, chain: str, *, run_at: float, priority: int = 0, blockers: tuple[str, ...] = ()) -> None:
        job = Job(chain, 0, "work", priority, run_at)
        job.waits_for = {blocker for blocker in blockers if self.tail(blocker).closed != "completed"}
        self.chains[chain] = [job]
        self.blockers[chain] = blockers
        self.moves.append(("create", chain, None, job.status(self.now)))
        if any(self.tail(blocker).closed in ("failed", "cancelled") for blocker in blockers):
            self.close(job, "fail_by_blocker", "failed")

    def close(self, job: Job, verb: str, status: str) -> None:
        """End a chain, free its key, and see to those that wait for it."""
        self.moves.append((verb, job.chain, job.status(self.now), status))
        job.end(status)
        self.keys = {key: holder for key, holder in self.keys.items() if holder != job.chain}
        for waiting in self.tails():
            if job.chain in waiting.waits_for:
                self.hear(waiting, job.chain, status)

    def hear(self, job: Job, blocker: str, status: str) -> None:
        if status != "completed":
            self.close(job, "fail_by_blocker", "failed")
            return
        job.waits_for.discard(blocker)
        if not job.waits_for:
            job.run_at = max(job.run_at, self.now)
            self.moves.append(("unblock", job.chain, "blocked", job.status(self.now)))

    def go_on(self, job: Job, verb: str, delay: float) -> Job:
        """Continue a chain into its next job."""
        self.moves.append((verb, job.chain, job.status(self.now), "continued"))
        job.end("continued")
        following = Job(job.chain, job.position + 1, "work", job.priority, self.now + delay)
        self.chains[job.chain].append(following)
        self.moves.append(("create", job.chain, None, following.status(self.now)))
        return following

    def due(self) -> list[Job]:
        """The jobs that may be claimed now, in the order of their turn."""
        ready = (job for job in self.tails() if job.status(self.now) == "ready")
        return sorted(ready, key=lambda job: (job.priority, job.run_at, job.chain))

    def lease(self, job: Job, token: int, *, seconds: float, timeout: float) -> None:
        self.moves.append(("claim", job.chain, "ready", "running"))
        job.attempt += 1
        job.token, job.deadline = token, self.now + timeout
        job.leased_until = min(self.now + seconds, job.deadline)

    def give_back(self, job: Job, verb: str, delay: float, *, attempt: int, crash: int = 0) -> None:
        """Let a running job wait again, having spent so many attempts."""
        job.attempt += attempt
        job.crashes += crash
        job.put_back(self.now + delay)
        self.moves.append((verb, job.chain, "running", job.status(self.now)))
