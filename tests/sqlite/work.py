"""
A process that works on a file with the bare adapter.

When it holds leases it says how many on its output, and goes on when it is given a line, or its input is at its end.
"""

from __future__ import annotations

import asyncio
import secrets
import sys

from otelq.model import Claimed, ClaimRequest, Completes, Continues, Outcome, ReapRule, Settlement, Successor
from otelq.sqlite import adapter

LEASE = 0.2
RULES = [ReapRule(type=type, max_attempts=None, max_crashes=1_000) for type in ("first", "second")]
WANTED = [ClaimRequest(type=rule.type, limit=10, lease=LEASE) for rule in RULES]


async def work(url: str, worker: str) -> None:
    state = adapter(url)
    await state.open()
    while True:
        jobs, _ = await state.claim(WANTED, worker=worker, token=secrets.randbits(62))
        if jobs:
            sys.stdout.write(f"{len(jobs)}\n")
            sys.stdout.flush()
            sys.stdin.readline()
            await state.settle([Settlement(job, _outcome(job), worker) for job in jobs])
        else:
            await state.reap(RULES)


def _outcome(job: Claimed) -> Outcome:
    if job.type == "first":
        return Continues(Successor(type="second", input=job.input))
    return Completes(job.input)


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
