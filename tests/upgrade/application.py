"""
The application of these tests, and its worker: ``python tests/upgrade/application.py URL NAME``.

The program runs with the code of earlier releases too, so it uses only calls that they had. It starts what its standard
input asks for, and ends with it. Each line in and out is a JSON object.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

import otelq

LEDGER = "CREATE TABLE ledger (chain_id text, position integer, token bigint, PRIMARY KEY (chain_id, position, token))"

OPEN = (
    "ready", "ready_last", "scheduled", "running", "running_lost", "suspect", "retried", "snoozed", "released",
    "blocked_by_all", "blocked_by_any", "blocked_ignores_failure", "blocked_waits_on", "blocked_by_handler", "pending",
    "continued", "continued_blocked", "key_held", "amended", "amended_by_time", "expired_unseen", "expires_later",
    "redriven", "redriven_twice", "unicode",
)  # fmt: skip
"""The kinds of open chains, each a job type of its own."""

CLOSED = (
    "completed", "completed_late", "completed_elsewhere", "completed_by_client", "key_lasts", "failed",
    "failed_by_blocker", "cancelled", "cancelled_running", "expired", "released_blocker", "taken_over",
)  # fmt: skip
"""The kinds of closed chains."""

NEXT = "next"
"""The type of the jobs that continue chains."""

WALK = "walk"
"""The type of the chains that are started during an upgrade: an input of 3 is three continuations."""


def application(name: str) -> otelq.Jobs:
    """Return the handlers of a worker. The type with its name is served by no other."""
    jobs = otelq.Jobs()
    for kind in (*OPEN, *CLOSED, NEXT, name):
        jobs.job(kind)(echo)
    jobs.handles(walk_type)(walk)
    return jobs


async def echo(attempt: otelq.Attempt[Any]) -> Any:
    """Return the input."""
    await record(attempt)
    return attempt.input


walk_type = otelq.JobType(WALK, input=int, output=str)


async def walk(attempt: otelq.Attempt[int]) -> str | otelq.Continue[str]:
    """Continue as often as the input says."""
    await record(attempt)
    return attempt.continue_with(walk_type, attempt.input - 1) if attempt.input else attempt.chain_id


async def record(attempt: otelq.Attempt[Any]) -> None:
    """Write the one row that an attempt leaves if it closes its job, and report the attempt."""
    position = int(attempt.job_id.rpartition(".")[2])
    await write_row(await attempt.completion(), attempt.chain_id, position, attempt.token)
    report(ran=[attempt.job_id, attempt.number])


async def write_row(tx: Any, *row: object) -> None:
    """Write a row of the ledger in a transaction of asyncpg or aiosqlite."""
    if hasattr(tx, "fetchval"):
        await tx.execute("INSERT INTO ledger VALUES ($1, $2, $3)", *row)
    else:
        await tx.execute("INSERT INTO ledger VALUES (?, ?, ?)", row)


def report(**line: object) -> None:
    print(json.dumps(line), flush=True)  # noqa: T201  # the other side of the pipe reads it


async def main(url: str, name: str) -> None:
    """Run a worker until standard input ends; start the chains that its lines ask for."""
    async with otelq.connect(url, migrate=False) as client, otelq.Worker(client, application(name), name=name):
        report(code=otelq.__file__)
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = json.loads(line)
            job_type = walk_type if order["type"] == WALK else otelq.JobType[Any, Any](order["type"])
            chains = await client.start_many(job_type, order["inputs"])
            report(started=[(chain.id, order["type"]) for chain in chains])


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    asyncio.run(main(*sys.argv[1:]))
