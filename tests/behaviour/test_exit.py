"""A program that forgets to close its client ends all the same, and says so."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
import otelq

url, use = sys.argv[1:]
jobs = otelq.Jobs()

@jobs.job("echo")
async def echo(attempt: otelq.Attempt[str]) -> str:
    if use == "completion":
        await attempt.completion()
    return attempt.input

async def main() -> None:
    client = await otelq.connect(url).open()
    worker = otelq.Worker(client, jobs)
    await worker.__aenter__()
    print(await client.result(await client.start(echo, "done"), timeout=10), flush=True)
    if use != "worker":
        await worker.__aexit__(None, None, None)
    if use == "transaction":
        async with client.transaction() as tx:
            await client.start(echo, "more", tx=tx)
    if use == "open transaction":
        open_transactions.append(client.transaction())
        await open_transactions[0].__aenter__()

open_transactions = []
asyncio.run(main())
"""


@pytest.mark.parametrize("use", ["plain", "transaction", "open transaction", "completion", "worker"])
def test_a_program_that_forgets_to_close_ends_with_a_warning(backend: str, use: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, backend, use], timeout=30, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
    assert "was never closed" in ended.stderr


SLOW = """
import asyncio, sys
import otelq

async def main() -> None:
    client = await otelq.connect(sys.argv[1]).open()
    is_at_work = asyncio.Event()

    async def work() -> None:
        async with client.transaction() as tx:
            await tx.execute("CREATE TABLE half_written (number)")
            is_at_work.set()
            endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
            await tx.execute_fetchall(endless)

    tasks.append(asyncio.ensure_future(work()))
    await is_at_work.wait()

tasks = []
asyncio.new_event_loop().run_until_complete(main())
"""


def test_a_program_ends_in_the_midst_of_a_statement_of_sqlite(sqlite_url: str) -> None:
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", SLOW, sqlite_url], timeout=30, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
