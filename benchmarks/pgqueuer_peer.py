"""
pgqueuer as a peer of ``benchmarks.wakeups``, run by an interpreter that has it: a worker, or starts one by one.

It imports nothing of otelq. The handler writes its time to a table, and the starting process reads them at the end.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from importlib import import_module
from typing import Any

import asyncpg

peer: Any = import_module("pgqueuer")
drivers: Any = import_module("pgqueuer.db")


async def serve(url: str) -> None:
    """Run its worker until the parent ends this process."""
    connection = await asyncpg.connect(url)
    driver = drivers.AsyncpgDriver(connection)
    await peer.Queries(driver).install()
    notes = await asyncpg.connect(url)
    await notes.execute("CREATE TABLE peer_notes (began float8, handled float8)")
    worker = peer.PgQueuer(driver)

    async def bench(job: Any) -> None:
        handled = time.monotonic()
        await notes.execute("INSERT INTO peer_notes VALUES ($1, $2)", float(job.payload.decode()), handled)

    worker.entrypoint("bench")(bench)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(2)
    print("up", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    worker.shutdown.set()
    await asyncio.wait([running], timeout=10)


async def start(url: str, count: int) -> None:
    """Start jobs one by one; print the seconds from each start to its handler."""
    connection = await asyncpg.connect(url)
    queries = peer.Queries(drivers.AsyncpgDriver(connection))
    for number in range(count):
        await queries.enqueue(["bench"], [str(time.monotonic()).encode()], [0])
        while await connection.fetchval("SELECT count(*) FROM peer_notes") <= number:  # noqa: ASYNC110  # asks a database
            await asyncio.sleep(0.02)
        await asyncio.sleep(random.uniform(0.03, 0.1))
    rows = await connection.fetch("SELECT handled - began AS seconds FROM peer_notes ORDER BY began")
    print(json.dumps([row["seconds"] for row in rows][5:]))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2]))
    else:
        asyncio.run(start(sys.argv[2], int(sys.argv[3])))
