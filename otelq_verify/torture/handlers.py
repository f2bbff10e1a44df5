"""
The workload: handlers that use every feature of the library, and write down what they did.

Types whose name begins with ``quick-`` have no effects and take the fast path; every other one leaves a row for each
of its jobs that a worker closed well.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from otelq.client import new_id
from otelq.definitions import (
    Attempt,
    Chain,
    Continue,
    Fail,
    Jobs,
    RetryAfter,
    Snooze,
    WaitFor,
)
from otelq.model import Dedup
from otelq.retry_policy import RetryPolicy

from .history import Diary
from .plan import LEASE

PATIENT: Final = RetryPolicy(max_attempts=None, initial=0.05, max=0.5)
BRIEF: Final = RetryPolicy(max_attempts=3, initial=0.05, max=0.2)

MAX_CRASHES: Final = 2
"""The limit of fragile jobs; other jobs survive any number of crashes, which are not their fault."""

MEANT: Final = {"Fail", "RetryAfter", "ConnectionError", "ValueError", "CancelledError", "lease_lost", "blocker_failed"}
"""Errors with which attempts are to end."""

jobs = Jobs()
fragile_jobs = Jobs()


@dataclass(frozen=True)
class Pace:
    """The seconds that a handler takes: before its effect, and after it with the transaction open."""

    before: float
    after: float = 0.0


async def effect(attempt: Attempt[Any], pace: Pace, detail: str = "") -> Any:
    """Take the time, and write the row of this attempt in between; return the open completion."""
    await asyncio.sleep(pace.before)
    tx = await attempt.get(Diary).effect(attempt, detail)
    await asyncio.sleep(pace.after)
    return tx


# Chains of steps


@dataclass(frozen=True)
class ChainWalk:
    """A walk with ``left`` steps to come, each ``delay`` after the one before, and ``done`` steps completed."""

    left: int
    pace: Pace
    delay: float | None = None
    done: int = 0


async def step(attempt: Attempt[ChainWalk]) -> int | Continue[int]:
    walk = attempt.input
    await effect(attempt, walk.pace)
    if walk.left == 0:
        return walk.done + 1
    return attempt.continue_with(stride, replace(walk, left=walk.left - 1, done=walk.done + 1), delay=walk.delay)


@jobs.job("walk", lease=LEASE, retry=PATIENT)
async def walk(attempt: Attempt[ChainWalk]) -> int | Continue[int]:
    """Take the first step."""
    return await step(attempt)


@jobs.job("stride", lease=LEASE, retry=PATIENT, entry=False)
async def stride(attempt: Attempt[ChainWalk]) -> int | Continue[int]:
    """Take a further step; this type continues into itself."""
    return await step(attempt)


@jobs.job("quick-hop", lease=LEASE, retry=PATIENT)
async def hop(attempt: Attempt[ChainWalk]) -> int | Continue[int]:
    """Take a step without effects."""
    walk = attempt.input
    await asyncio.sleep(walk.pace.before)
    if walk.left == 0:
        return walk.done + 1
    return attempt.continue_with(hop, replace(walk, left=walk.left - 1, done=walk.done + 1), delay=walk.delay)


@jobs.job("quick-thread", lease=LEASE, retry=PATIENT)
def in_thread(attempt: Attempt[Pace]) -> int:
    """Run as a ``def`` handler, in a thread."""
    time.sleep(attempt.input.before)
    return 1


@jobs.job("quick-stubborn", lease=LEASE, retry=PATIENT)
async def stubborn(attempt: Attempt[Pace]) -> int:
    """End without yielding to the event loop. If its process was stopped meanwhile, it cannot know yet."""
    await attempt.get(Diary).end(attempt, "stubborn")
    time.sleep(attempt.input.before)  # noqa: ASYNC251  # blocking the loop is the point
    return 1


@jobs.job("long", lease=LEASE, retry=PATIENT)
async def long(attempt: Attempt[Pace]) -> int:
    """Run through several renewals."""
    await effect(attempt, attempt.input)
    return 1


@jobs.job("keyed", lease=LEASE, retry=PATIENT)
async def keyed(attempt: Attempt[Pace]) -> int:
    """Run a chain with a dedup key."""
    await effect(attempt, attempt.input)
    return 1


# Chains that wait for others


@jobs.job("leaf", lease=LEASE, retry=PATIENT)
async def leaf(attempt: Attempt[Pace]) -> int:
    """Run a chain that others wait for."""
    await effect(attempt, attempt.input)
    return 1


@jobs.job("coin", lease=LEASE, retry=PATIENT)
async def coin(attempt: Attempt[Pace]) -> int:
    """Fail for good every other time, by chance, so that enough redrives end well."""
    if attempt.token % 2:
        raise Fail("tails")
    await effect(attempt, attempt.input)
    return 1


@jobs.job("gather", lease=LEASE, retry=PATIENT)
async def gather(attempt: Attempt[Pace]) -> int:
    """Wait for blockers, and return how many completed."""
    await effect(attempt, attempt.input)
    return sum(len(attempt.blockers(kind)) for kind in (leaf, hop, coin))


@dataclass(frozen=True)
class Spawn:
    """The number of chains that a handler starts for itself."""

    children: int
    pace: Pace


@jobs.job("waiter", lease=LEASE, retry=PATIENT)
async def waiter(attempt: Attempt[Spawn]) -> int:
    """Start chains and wait for them; their keys prevent a second attempt from starting them twice."""
    if not attempt.blocker_outcomes():
        keys = [f"{attempt.chain_id}:{number}" for number in range(attempt.input.children)]
        raise WaitFor(*[await _child(attempt, key) for key in keys])
    await effect(attempt, attempt.input.pace)
    return sum(attempt.blockers(leaf))


async def _child(attempt: Attempt[Spawn], key: str) -> Chain[int]:
    return await attempt.client.start(leaf, attempt.input.pace, dedup=Dedup(key, scope="any"))


@jobs.job("spawner", lease=LEASE, retry=PATIENT)
async def spawner(attempt: Attempt[Spawn]) -> list[str]:
    """Start chains in the completion: they exist if and only if the job closed; the effect names them."""
    ids = [new_id() for _ in range(attempt.input.children)]
    tx = await effect(attempt, attempt.input.pace, " ".join(ids))
    for id in ids:
        await attempt.client.start(hop, ChainWalk(0, Pace(0.01)), id=id, tx=tx)
    return ids


# Attempts that end badly


@jobs.job("moody", lease=LEASE, retry=PATIENT)
async def moody(attempt: Attempt[Pace]) -> int:
    """End well at the third attempt or later; before, fail in one of many ways, by chance."""
    match attempt.token % 5 if attempt.number < 3 else attempt.token % 10:
        case 0:
            raise Snooze(0.1)
        case 1 if attempt.number < 3:
            raise RetryAfter(0.1)
        case 2 if attempt.number < 3:
            await effect(attempt, attempt.input)
            raise ConnectionError("after its effect, which is rolled back")
        case 3 if attempt.number < 3:
            raise ValueError("before its effect")
        case _ if attempt.number < 3:
            raise asyncio.CancelledError
        case _:
            await effect(attempt, attempt.input)
            return attempt.number


@jobs.job("quick-frail", lease=LEASE, retry=BRIEF)
async def frail(attempt: Attempt[Pace]) -> int:
    """Fail at each attempt, and so for good."""
    await asyncio.sleep(attempt.input.before)
    raise ValueError("as always")


@jobs.job("quick-doomed", lease=LEASE, retry=PATIENT)
async def doomed(attempt: Attempt[Pace]) -> int:
    """Fail for good at once."""
    await asyncio.sleep(attempt.input.before)
    raise Fail("on purpose")


@fragile_jobs.job("fragile", lease=LEASE, retry=PATIENT)
async def fragile(attempt: Attempt[Pace]) -> int:
    """Survive few crashes of workers."""
    await effect(attempt, attempt.input)
    return 1


# Jobs that clients move


@jobs.job("later", lease=LEASE, retry=PATIENT)
async def later(attempt: Attempt[Pace]) -> int:
    """Wait until long after the run, unless a client triggers, amends, completes or cancels the job."""
    await effect(attempt, attempt.input)
    return 1
