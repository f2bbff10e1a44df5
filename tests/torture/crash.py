"""
Kill workers with SIGKILL while they run chains, then count what is left.

    python -m tests.torture.crash --url postgres18 --seconds 60 --workers 3 --seed 1

Chains of three steps, handlers of 20 to 200 ms, leases of 2 s. Every handler inserts a row into a table without a
unique index, in `attempt.completion()`. A worker is killed only while it holds leases, and how many it held is read
after its death. In the end every chain must be completed, each step must have left exactly one row, and no invariant
may be violated. The workers' `max_crashes` is out of reach on purpose: these deaths are not the fault of the jobs.

Prints a JSON summary; exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import otelq
from otelq.testing.invariants import violations
from tests.faults import handlers
from tests.faults.fleet import Fleet, Process
from tests.faults.observer import Observer
from tests.servers import postgres

CONCURRENCY = 8
BACKLOG = 1.5
"""Chains kept open, as a multiple of the places that the workers have."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run does; times in seconds."""

    seconds: float
    workers: int
    seed: int
    kills: int
    patience: float = 120.0
    """How long the chains that are open at the end may take."""


@dataclass(kw_only=True)
class Summary:
    """What a run did and found."""

    seed: int
    workers: int
    seconds: float = 0.0
    drain_seconds: float = 0.0
    kills: int = 0
    leases_hit: int = 0
    leases_by_kill: list[int] = field(default_factory=list[int])
    chains: int = 0
    completed: int = 0
    steps: int = 0
    rows: int = 0
    claims: int = 0
    most_attempts: int = 0
    missing: list[str] = field(default_factory=list[str])
    doubled: list[str] = field(default_factory=list[str])
    violations: list[str] = field(default_factory=list[str])
    unclean_exits: list[str] = field(default_factory=list[str])

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled or contradictory."""
        wrong = self.missing or self.doubled or self.violations or self.unclean_exits
        return not wrong and self.completed == self.chains and self.rows == self.steps


class CrashRun:
    """One run against a fresh database."""

    def __init__(self, url: str, folder: Path, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._url = url
        self._observer = Observer(url)
        self._fleet = Fleet(url, folder, serve="walks", options=["--concurrency", str(CONCURRENCY)])
        self._summary = Summary(seed=plan.seed, workers=plan.workers)
        self._ids: list[str] = []
        self._is_fed = False

    async def run(self) -> Summary:
        """Feed and kill for the planned time, let the rest finish, and look at what is left."""
        begun = time.monotonic()
        with self._fleet:
            async with otelq.connect(self._url) as client:
                self._observer.make_ledger()
                for _ in range(self._plan.workers):
                    self._fleet.start()
                async with asyncio.TaskGroup() as feeding:
                    feeding.create_task(self._feed(client))
                    await self._kill_for(self._plan.seconds)
                    self._is_fed = True
                ended = time.monotonic()
                await self._drain()
                self._summary.drain_seconds = round(time.monotonic() - ended, 1)
            self._stop()
        self._summary.seconds = round(time.monotonic() - begun, 1)
        await self._judge()
        return self._summary

    async def _feed(self, client: otelq.Client) -> None:
        most = int(self._plan.workers * CONCURRENCY * BACKLOG)
        while not self._is_fed:
            missing = most - self._observer.open_chains()
            if missing > 0:
                chains = await client.start_many(handlers.first_step, [self._walk() for _ in range(missing)])
                self._ids += [chain.id for chain in chains]
            await asyncio.sleep(0.05)

    def _walk(self) -> handlers.Walk:
        """On SQLite an open `completion()` holds the only write lock, so there it is kept short."""
        longest = 0.002 if self._observer.is_sqlite else 0.08
        after = [self._random.uniform(0, longest) for _ in range(handlers.STEPS)]
        return handlers.Walk([self._random.uniform(0.02, 0.2 - late) for late in after], after)

    async def _kill_for(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        pace = seconds / (self._plan.kills * 1.15)
        while time.monotonic() < deadline or self._summary.kills < self._plan.kills:
            await asyncio.sleep(pace * self._random.uniform(0.4, 1.2))
            self._kill(await self._victim())

    async def _victim(self) -> Process:
        while True:
            leases = self._observer.leases()
            busy = [process for process in self._fleet.processes if leases[process.name]]
            if busy:
                return self._random.choice(busy)
            await asyncio.sleep(0.01)

    def _kill(self, victim: Process) -> None:
        """Kill a worker that held leases a moment ago; the kill counts if it still held some when it was dead."""
        self._fleet.kill(victim)
        hit = self._observer.leases()[victim.name]
        if hit:
            self._summary.kills += 1
            self._summary.leases_hit += hit
            self._summary.leases_by_kill.append(hit)
        self._fleet.start()

    async def _drain(self) -> None:
        deadline = time.monotonic() + self._plan.patience
        while self._observer.open_chains():
            if time.monotonic() > deadline:
                self._summary.missing.append(f"{self._observer.open_chains()} chains never ended")
                return
            await asyncio.sleep(0.05)

    def _stop(self) -> None:
        try:
            self._fleet.end()
        except AssertionError as error:
            self._summary.unclean_exits.append(str(error))

    async def _judge(self) -> None:
        summary = self._summary
        rows = Counter((chain, position) for chain, position, _, _ in self._observer.ledger())
        expected = {(chain, position) for chain in self._ids for position in range(handlers.STEPS)}
        summary.chains = len(self._ids)
        summary.steps = len(expected)
        summary.rows = sum(rows.values())
        summary.completed = self._observer.statuses()["completed"]
        summary.missing += [f"{chain}.{position}" for chain, position in sorted(expected - set(rows))]
        summary.doubled += [f"{chain}.{position}" for (chain, position), times in rows.items() if times > 1]
        summary.doubled += [f"{chain}.{position} unknown" for chain, position in sorted(set(rows) - expected)]
        [(claims, summary.most_attempts)] = self._observer.rows("SELECT sum(attempt), max(attempt) FROM {outcome}")
        summary.claims = int(claims)
        summary.violations = [str(found) for found in await violations(self._url, ledger="ledger")]


@contextmanager
def database(name: str, folder: Path) -> Generator[str]:
    """A fresh database by a short name, durable as in production, or the one of a URL."""
    if name == "sqlite":
        yield f"sqlite:///{folder}/crash.db"
    elif name.startswith("postgres") and name.removeprefix("postgres").isdigit():
        with postgres(int(name.removeprefix("postgres")), durable=True) as server:
            yield server.create_database()
    else:
        yield name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once from the command line."""
    parser = argparse.ArgumentParser(
        prog="tests.torture.crash", description="Kill workers while they run chains, then count what is left."
    )
    parser.add_argument("--url", default="postgres18", help="sqlite, postgres18, postgres16 or a URL of an empty one")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kills", type=int, default=45, help="that hit leases, at least; the run goes on until then")
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(arguments)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}", file=sys.stderr)
    plan = Plan(seconds=options.seconds, workers=options.workers, seed=seed, kills=options.kills)
    with tempfile.TemporaryDirectory(prefix="otelq-crash-") as folder, database(options.url, Path(folder)) as url:
        summary = asyncio.run(CrashRun(url, Path(folder), plan).run())
    print(json.dumps({"backend": options.url, "clean": summary.is_clean, **asdict(summary)}))
    return 0 if summary.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
