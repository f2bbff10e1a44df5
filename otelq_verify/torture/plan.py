"""The plan of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCHEMA: Final = "otelq_torture"
LEASE: Final = 2.0
REAP_INTERVAL: Final = 1.0
POLL_INTERVAL: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class TorturePlan:
    """
    The plan of a run; times in seconds.

    The seed decides which faults strike in which order, which processes they hit, how far apart, and what the
    clients start and do. It does not decide how processes, network and disk are timed, so that two runs of one seed
    are alike and not the same.

    Args:
        seed: of all chances.
        seconds: how long faults strike while chains are started; what is open then is let finish.
        workers: how many worker processes.
        concurrency: how many attempts each runs at once.
        feeders: how many clients start chains and act on them.
        pace: seconds from the beginning of a fault to that of the next, on average; they never overlap.
        rate: chains that are started in a second, at most.
        backlog: chains that are open at once, at most.
        patience: how long the chains that are open in the end may take.
        schema: that of otelq's tables (on SQLite: their prefix).
        drivers: by which workers and clients reach the database, in turn; None is that of a URL.
        cancels: the share of what clients do that is cancelled after some milliseconds, by a limit of anyio or asyncio.
    """

    seed: int
    seconds: float = 60.0
    workers: int = 3
    concurrency: int = 8
    feeders: int = 6
    pace: float = 4.0
    rate: float = 12.0
    backlog: int = 48
    patience: float = 120.0
    schema: str = SCHEMA
    drivers: tuple[str | None, ...] = (None,)
    cancels: float = 0.0
