"""A worker in a process of its own, with default settings: `python -m tests.postgres.hint_process URL [--deaf]`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import otelq

jobs = otelq.Jobs()
LEASE = 3.0


def say(*words: object) -> None:
    """Print a line at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


@jobs.job("hint.pid")
async def pid(attempt: otelq.Attempt[None]) -> int:
    return os.getpid()


@jobs.job("hint.hold", lease=LEASE)
async def hold(attempt: otelq.Attempt[None]) -> float:
    """Print when it begins, and when it is cancelled; the second attempt returns the time of its begin."""
    say("begun", time.time())
    if attempt.number > 1:
        return time.time()
    try:
        await asyncio.Event().wait()
    finally:
        say("ended", time.time())
    return 0.0


async def main(url: str, *, notify: str | None) -> None:
    """Serve until SIGTERM."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    async with otelq.connect(url, notify=notify, migrate=False) as client, otelq.Worker(client, jobs):
        while notify and not client.engine.hears_others:  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.005)
        say("up")
        await asked.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], notify=None if "--deaf" in sys.argv else "auto"))
