"""A worker in a process of its own: `python -m tests.faults.work URL NAME SERVE FOLDER`."""

from __future__ import annotations

import argparse
import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import otelq

from . import handlers


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.faults.work", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("name", help="what the worker is called in its leases")
    parser.add_argument("serve", choices=sorted(handlers.COLLECTIONS))
    parser.add_argument("folder", type=Path, help="where notes are kept")
    parser.add_argument("--workers", type=int, default=1, help="how many in this process, named NAME, NAME.1, ...")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--max-crashes", type=int, default=1000)
    parser.add_argument("--reap-interval", type=float, default=1.0)
    return parser.parse_args()


async def main(options: argparse.Namespace) -> None:
    """Serve until SIGTERM, with short intervals so that tests are short too."""
    notebook = handlers.Notebook(options.folder, options.name)
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    async with otelq.connect(options.url, migrate=False) as client, AsyncExitStack() as workers:
        for number in range(options.workers):
            await workers.enter_async_context(worker(client, notebook, number, options))
        notebook.note("up", options.name)
        await asked.wait()


def worker(client: otelq.Client, notebook: handlers.Notebook, number: int, options: argparse.Namespace) -> otelq.Worker:
    return otelq.Worker(
        client,
        handlers.COLLECTIONS[options.serve],
        concurrency=options.concurrency,
        poll_interval=0.25,
        grace=2,
        provide=[notebook],
        name=f"{options.name}.{number}" if number else options.name,
        reap_interval=options.reap_interval,
        max_crashes=options.max_crashes,
    )


if __name__ == "__main__":
    asyncio.run(main(parsed()))
